"""What tests of waits share: attempts, certificates made on the spot, and HTTPS servers."""

import contextlib
import http.server
import ssl
import subprocess
import threading
import time

import pytest

from orchestrator.core.context import Context
from orchestrator.spec.kinds import WAITS


@pytest.fixture
def make():
    """Decodes a wait from its mapping as it stands under `wait_for`."""

    def make(kind, value, **more):
        return WAITS.load(kind).model_validate({"name": "it", kind: value, **more})

    return make


@pytest.fixture
def attempt(make):
    """One attempt of a wait; it must end within its timeout."""

    def attempt(kind, value, timeout=2.0, environ=None, cwd="/", **more):
        wait = make(kind, value, **more)
        started = time.monotonic()
        outcome = wait.attempt(Context(environ=environ or {}, cwd=cwd, timeout=timeout))
        assert time.monotonic() - started < timeout + 1, "the attempt took longer than its timeout"
        return outcome

    return attempt


class Quiet(http.server.BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass


@pytest.fixture
def http_server():
    """Starts servers from a function `reply(handler)`; they end with the test."""
    running = []

    def start(reply, context=None, family=None):
        handler = type("Handler", (Quiet,), dict.fromkeys(("do_GET", "do_HEAD", "do_POST"), reply))
        kind = http.server.ThreadingHTTPServer
        if family:
            kind = type("Server", (kind,), {"address_family": family})
        server = kind(("::1" if family else "127.0.0.1", 0), handler)
        server.daemon_threads = True
        server.handle_error = lambda *_: None
        if context:
            server.socket = context.wrap_socket(
                server.socket, server_side=True, do_handshake_on_connect=False
            )
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        running.append((server, thread))
        return server.server_address[1]

    yield start
    for server, thread in running:
        server.shutdown()
        server.server_close()
        thread.join(5)


class Certificates:
    """Certificates of an authority made for the tests, by the openssl command."""

    def __init__(self, folder):
        self.folder = folder
        self._key("ca")
        self._run("req", "-x509", "-key", "ca.key", "-subj", "/CN=test authority", "-days", "3650",
                  "-addext", "basicConstraints=critical,CA:TRUE", "-out", "ca.pem")  # fmt: skip
        self.ca = str(folder / "ca.pem")
        (folder / "serial").write_text("01\n")
        (folder / "index").write_text("")
        (folder / "ca.conf").write_text(
            "[ca]\ndefault_ca=a\n[a]\ndatabase=index\nserial=serial\nnew_certs_dir=.\ndefault_md=sha256\n"
            "policy=p\ncopy_extensions=copy\nunique_subject=no\n[p]\ncommonName=supplied\n"
        )

    def make(self, label, names="DNS:localhost,IP:127.0.0.1", start="20200101000000Z", end="20500101000000Z"):
        """Certificate and key files, signed by the authority."""
        if not (self.folder / f"{label}.pem").exists():
            self._key(label)
            self._run("req", "-new", "-key", f"{label}.key", "-subj", f"/CN={label}", "-addext",
                      f"subjectAltName={names}", "-out", f"{label}.csr")  # fmt: skip
            self._run("ca", "-batch", "-notext", "-config", "ca.conf", "-cert", "ca.pem", "-keyfile", "ca.key",
                      "-in", f"{label}.csr", "-startdate", start, "-enddate", end, "-out", f"{label}.pem")  # fmt: skip
        return str(self.folder / f"{label}.pem"), str(self.folder / f"{label}.key")

    def self_signed(self):
        self._key("own")
        self._run("req", "-x509", "-key", "own.key", "-subj", "/CN=localhost", "-days", "30",
                  "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-out", "own.pem")  # fmt: skip
        return str(self.folder / "own.pem"), str(self.folder / "own.key")

    def context(self, pair):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*pair)
        return context

    def _key(self, label):
        self._run("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", f"{label}.key")

    def _run(self, *words):
        subprocess.run(["openssl", *words], cwd=self.folder, check=True, capture_output=True)


@pytest.fixture(scope="session")
def certificates(tmp_path_factory):
    try:
        return Certificates(tmp_path_factory.mktemp("certificates"))
    except FileNotFoundError:
        pytest.skip("the openssl command is not installed")


@pytest.fixture
def ipv6():
    import socket

    with contextlib.suppress(OSError), socket.create_server(("::1", 0), family=socket.AF_INET6):
        return socket.AF_INET6
    pytest.skip("this machine has no IPv6")
