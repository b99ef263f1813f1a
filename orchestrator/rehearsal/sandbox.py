"""A private world for one start: the file system as it is, but what is written stays here; a network of loopback alone.

Mounts, network and processes are namespaces of the kernel. Everything in here ends with this process. Knows nothing
of specs.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import fcntl
import os
import shutil
import signal
import socket
import stat
import struct
import sys

from orchestrator.system import prctl

NEW_MOUNTS, NEW_IPC, NEW_USER, NEW_PIDS, NEW_NET = 0x20000, 0x8000000, 0x10000000, 0x20000000, 0x40000000
READ_ONLY, REMOUNT, BIND, RECURSIVE, PRIVATE = 1, 32, 4096, 16384, 1 << 18
_FLAGS_OF_INTERFACE, _SET_FLAGS, _SET_ADDRESS = 0x8913, 0x8914, 0x8916
_DEVICES = ("null", "zero", "full", "random", "urandom", "tty")
_OF_CONTAINERS = frozenset(
    {"/var/lib/docker", "/var/lib/containerd", "/var/lib/kubelet", "/run/docker", "/run/containerd"}
)
"""Full of other containers' mounts, and no service's business: empty in the box."""
_SMALL = 1 << 20
"""Bytes up to which a file that stands beside a mount is copied."""


class NoBox(Exception):
    """Raised where the machine does not let us make one. The text says what was refused."""


def enter(box: str, cwd: str) -> None:
    """Returns in a process that is in the box, with the same paths as before. The caller's own waits for its end."""
    by_user = _unshare()
    child = os.fork()
    if child:
        os._exit(_wait_for(child))
    # What lives in a process namespace ends with its first process; that one ends with whoever wants it.
    prctl.end_with_parent(signal.SIGKILL)
    _new_root(box, by_user=by_user)
    _loopback()
    os.chroot(os.path.join(box, "root"))
    os.chdir(cwd)


def possible(box: str) -> str:
    """Why there can be no box here; empty where there can."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        _try(box, writing)
    os.close(writing)
    with os.fdopen(reading, encoding="utf-8") as told:
        said = told.read()
    os.waitpid(child, 0)
    return said.removesuffix("well") or ("" if said else "the attempt ended without a word")


def _try(box: str, told: int) -> None:
    try:
        enter(box, "/")
        said = "well"
    except (NoBox, OSError) as error:
        said = getattr(error, "strerror", None) or str(error)
    os.write(told, said.encode())
    os._exit(0)


def _unshare() -> bool:
    """Whether it took a user namespace: who is not root may do nothing without one."""
    wanted = NEW_MOUNTS | NEW_IPC | NEW_PIDS | NEW_NET
    if os.geteuid() == 0 and _call("unshare", wanted) == 0:
        return False
    uid, gid = os.geteuid(), os.getegid()
    number = _call("unshare", wanted | NEW_USER)
    if number:
        raise NoBox(f"namespaces are not allowed here: {os.strerror(number).lower()}")
    _write("/proc/self/setgroups", "deny")
    _write("/proc/self/uid_map", f"{uid} {uid} 1")
    _write("/proc/self/gid_map", f"{gid} {gid} 1")
    return True


def _call(name: str, *values: object) -> int:
    """A call of libc; 0, or the number of the error."""
    library = ctypes.CDLL(None, use_errno=True)
    return 0 if getattr(library, name)(*values) == 0 else ctypes.get_errno()


def _write(path: str, text: str) -> None:
    with open(path, "w", encoding="ascii") as file:
        file.write(text)


def _wait_for(child: int) -> int:
    prctl.end_with_parent(signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else 128 - code


def mount(source: str, target: str, kind: str = "", flags: int = 0, options: str = "") -> None:
    """One mount; raises OSError."""
    number = _call(
        "mount", source.encode(), os.fsencode(target), kind.encode() or None, ctypes.c_ulong(flags), options.encode() or None
    )  # fmt: skip
    if number:
        raise OSError(number, f"cannot mount {target}: {os.strerror(number).lower()}")


def read_only(path: str) -> None:
    """From now on nothing can be written below it, not by root either."""
    mount(path, path, flags=BIND)
    mount("none", path, flags=BIND | REMOUNT | READ_ONLY)


# The file system


def _new_root(box: str, *, by_user: bool) -> None:
    mount("none", "/", flags=RECURSIVE | PRIVATE)
    below = _mount_points()
    mount("tmpfs", box, "tmpfs", options="mode=0755")
    root = os.path.join(box, "root")
    os.mkdir(root)
    mirror = _Mirror(root, os.path.join(box, "upper"), below, by_user=by_user)
    for name in sorted(os.listdir("/")):
        mirror.take("/" + name)


def _mount_points() -> list[str]:
    with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as file:
        return [line.split()[4].encode().decode("unicode_escape") for line in file]


class _Mirror:
    """The same paths below another root: each folder as an overlay, around what is mounted in it."""

    def __init__(self, root: str, uppers: str, mounts: list[str], *, by_user: bool) -> None:
        self.root = root
        self.uppers = uppers
        self.mounts = mounts
        self.by_user = by_user
        self.count = 0

    def take(self, path: str) -> None:
        special = {"/proc": self._proc, "/sys": self._sys, "/dev": self._dev}.get(path)
        target = self.root + path
        if special is not None:
            os.mkdir(target)
            special(target)
        elif os.path.islink(path):
            os.symlink(os.readlink(path), target)
        else:
            # What went meanwhile, or cannot be read, is not there either.
            with contextlib.suppress(OSError):
                (self._folder if os.path.isdir(path) else self._file)(path, target)

    def _folder(self, path: str, target: str) -> None:
        os.mkdir(target)
        if path in _OF_CONTAINERS:
            return
        if any(each.startswith(path + "/") for each in self.mounts) and os.access(path, os.R_OK | os.X_OK):
            _same_look(path, target)
            for name in sorted(os.listdir(path)):
                self.take(os.path.join(path, name))
            return
        try:
            self._overlay(path, target)
        except OSError:
            mount(path, target, flags=BIND | RECURSIVE)
            mount("none", target, flags=BIND | REMOUNT | READ_ONLY | self._kept(path))

    def _overlay(self, path: str, target: str) -> None:
        self.count += 1
        upper, work = (os.path.join(self.uppers, str(self.count), each) for each in ("upper", "work"))
        os.makedirs(upper)
        os.makedirs(work)
        _same_look(path, upper)
        options = ",".join(
            f"{name}={_escaped(each)}"
            for name, each in (("lowerdir", path), ("upperdir", upper), ("workdir", work))
        )
        mount("overlay", target, "overlay", options=options + (",userxattr" if self.by_user else ""))

    def _kept(self, path: str) -> int:
        """The flags that a mount of somebody else's must keep when it is mounted again."""
        found = os.statvfs(path).f_flag
        return found & (os.ST_NOSUID | os.ST_NODEV | os.ST_NOEXEC) if self.by_user else 0

    def _file(self, path: str, target: str) -> None:
        found = os.lstat(path)
        if stat.S_ISREG(found.st_mode) and found.st_size <= _SMALL and os.access(path, os.R_OK):
            shutil.copy2(path, target)
            _same_look(path, target)
        elif stat.S_ISREG(found.st_mode):
            _write(target, "")
            mount(path, target, flags=BIND)
            mount("none", target, flags=BIND | REMOUNT | READ_ONLY | self._kept(path))

    def _proc(self, target: str) -> None:
        mount("proc", target, "proc")

    def _sys(self, target: str) -> None:
        mount("/sys", target, flags=BIND | RECURSIVE)
        for path in (each for each in self.mounts if each == "/sys" or each.startswith("/sys/")):
            mount("none", self.root + path, flags=BIND | REMOUNT | READ_ONLY | self._kept(path))

    def _dev(self, target: str) -> None:
        mount("tmpfs", target, "tmpfs", options="mode=0755")
        for name in _DEVICES:
            if os.path.exists(f"/dev/{name}"):
                _write(f"{target}/{name}", "")
                mount(f"/dev/{name}", f"{target}/{name}", flags=BIND)
        for name, there in (
            ("fd", "/proc/self/fd"),
            ("stdin", "fd/0"),
            ("stdout", "fd/1"),
            ("stderr", "fd/2"),
        ):
            os.symlink(there, f"{target}/{name}")
        os.mkdir(f"{target}/shm")
        mount("tmpfs", f"{target}/shm", "tmpfs", options="mode=1777")


def _same_look(path: str, target: str) -> None:
    """Mode and owner; whose it is cannot be given by who is not root."""
    found = os.stat(path)
    try:
        os.chown(target, found.st_uid, found.st_gid)
    except OSError as error:
        if error.errno not in (errno.EPERM, errno.EINVAL):
            raise
    os.chmod(target, stat.S_IMODE(found.st_mode))


def _escaped(path: str) -> str:
    return path.replace("\\", "\\\\").replace(",", "\\,").replace(":", "\\:")


# The network


def _loopback() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asked:
        name = struct.pack("16s24x", b"lo")
        (flags,) = struct.unpack_from("16xh", fcntl.ioctl(asked, _FLAGS_OF_INTERFACE, name))
        try:
            fcntl.ioctl(asked, _SET_FLAGS, struct.pack("16sh22x", b"lo", flags | 1))
        except PermissionError:
            raise NoBox("a network of its own cannot be used without the capability NET_ADMIN") from None


def own_address(address: str, number: int) -> None:
    """An IPv4 address that is ours from now on."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asked:
        wanted = struct.pack(
            "16sHH4s16x", f"lo:{number}".encode(), socket.AF_INET, 0, socket.inet_aton(address)
        )
        fcntl.ioctl(asked, _SET_ADDRESS, wanted)


def main() -> None:
    """`python -m orchestrator.rehearsal.sandbox DIRECTORY`: whether there can be a box here."""
    print(possible(sys.argv[1]))


if __name__ == "__main__":
    main()
