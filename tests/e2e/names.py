"""A tiny name server of a test's own, on a loopback address of its own, and what makes an engine ask it."""

import os
import shutil
import socket
import struct
import subprocess
import threading
import time

SERVFAIL, NXDOMAIN = 2, 3
A = 1


def unusable():
    """Why a test cannot have its own /etc/resolv.conf and a name server on port 53; nothing if it can."""
    if os.geteuid() != 0 or not shutil.which("unshare"):
        return "only root can have its own /etc/resolv.conf"
    mounting = ["unshare", "-m", "mount", "--bind", "/etc/hosts", "/etc/resolv.conf"]
    done = subprocess.run(mounting, capture_output=True, text=True)
    return f"no mounts of one's own here: {done.stderr.strip()}" if done.returncode else ""


def asking(resolv_conf):
    """What stands before a command that is to have this resolv.conf."""
    return ("unshare", "-m", "sh", "-c", f'mount --bind {resolv_conf} /etc/resolv.conf && exec "$@"', "sh")


def loopback():
    """An address of this machine that nobody else uses."""
    return f"127.{os.getpid() % 250 + 1}.{time.monotonic_ns() // 1000 % 250}.53"


class NameServer:
    """Answers questions for an IPv4 address by `script`: an entry for each of them, the last for all that follow.

    An entry is an address, a response code, or None: silence. For other records it knows the name and no answer.
    """

    def __init__(self, *script):
        self.script = script
        self.asked = 0
        self.address = loopback()
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((self.address, 53))
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._socket.sendto(b"", (self.address, 53))
        self._thread.join(5)
        self._socket.close()

    def _serve(self):
        while True:
            query, client = self._socket.recvfrom(4096)
            if not query:
                return
            answer = self._answer(query)
            if answer:
                self._socket.sendto(answer, client)

    def _answer(self, query):
        end = query.index(b"\0", 12) + 5
        (kind,) = struct.unpack_from("!H", query, end - 4)
        entry = self.script[min(self.asked, len(self.script) - 1)]
        self.asked += kind == A
        if entry is None:
            return b""
        known = kind == A and isinstance(entry, str)
        code = entry if isinstance(entry, int) else 0
        record = struct.pack("!HHHIH", 0xC00C, A, 1, 0, 4) + socket.inet_aton(entry) if known else b""
        return query[:2] + struct.pack("!5H", 0x8180 | code, 1, known, 0, 0) + query[12:end] + record
