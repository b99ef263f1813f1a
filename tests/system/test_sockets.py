import errno
import os
import socket
import subprocess
import sys

import pytest

from orchestrator.system import sockets
from orchestrator.system.listener import refuse


@pytest.fixture
def bound():
    opened = []

    def bind(*args):
        opened.append(sockets.bind(*args))
        return opened[-1]

    yield bind
    for each in opened:
        if isinstance(each, socket.socket):
            each.close()


def test_a_bound_socket_refuses_until_it_listens(bound):
    listener = bound("127.0.0.1", 0)
    with socket.socket() as caller:
        assert caller.connect_ex(listener.getsockname()) == errno.ECONNREFUSED
    sockets.ready_to_listen(listener)
    listener.listen()
    with socket.socket() as caller:
        assert caller.connect_ex(listener.getsockname()) == 0


def test_a_rival_cannot_bind_even_with_reuse(bound):
    listener = bound("127.0.0.1", 0)
    with socket.socket() as rival:
        rival.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        with pytest.raises(OSError) as error:
            rival.bind(listener.getsockname())
    assert error.value.errno == errno.EADDRINUSE


def test_the_address_is_free_again_in_spite_of_lingering_connections(bound):
    listener = bound("127.0.0.1", 0)
    port = listener.getsockname()[1]
    sockets.ready_to_listen(listener)
    listener.listen()
    with socket.create_connection(("127.0.0.1", port)) as caller:
        served, _ = listener.accept()
        served.close()  # whoever closes first lingers
        caller.recv(1)
    listener.close()
    assert isinstance(bound("127.0.0.1", port), socket.socket)


def test_a_port_that_was_chosen_outlives_the_end_of_listening(bound):
    listener = bound("127.0.0.1", 0)
    port = listener.getsockname()[1]
    listener.listen()
    listener.shutdown(socket.SHUT_RD)
    listener.listen()
    assert listener.getsockname()[1] == port


def test_ipv6_is_bound(bound):
    assert bound("::1", 0).family == socket.AF_INET6


def test_a_port_in_use_names_its_owner(bound):
    code = "import socket, sys; s = socket.socket(); s.bind(('127.0.0.1', 0)); s.listen(); print(s.getsockname()[1], flush=True); sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        failure = bound("127.0.0.1", int(other.stdout.readline()))
        other.stdin.close()
    assert failure.reason == "in_use"
    assert f"(pid {other.pid})" in failure.message


def test_a_foreign_address_is_told(bound):
    failure = bound("192.0.2.1", 0)
    assert (failure.reason, "192.0.2.1" in failure.message) == ("address", True)
    assert failure.hint


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become a user without the right")
def test_a_privileged_port_is_told():
    code = "import os; from orchestrator.system import sockets; 'x'.encode('idna'); os.setuid(65534); print(sockets.bind('127.0.0.1', 81).reason)"
    with open("/proc/sys/net/ipv4/ip_unprivileged_port_start") as file:
        if int(file.read()) <= 81:
            pytest.skip("this machine lets everybody bind low ports")
    root = os.path.dirname(os.path.dirname(os.path.dirname(sockets.__file__)))
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd="/", env={"PYTHONPATH": root}
    )
    assert run.stdout.strip() == "permission", run.stderr


def test_a_stale_unix_socket_is_replaced(bound, tmp_path):
    path = str(tmp_path / "socket")
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(path)
        dead.listen()
    assert isinstance(bound("", 0, path), socket.socket)


def test_a_unix_socket_that_answers_is_left_alone(bound, tmp_path):
    path = str(tmp_path / "socket")
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(path)
        other.listen()
        assert bound("", 0, path).reason == "in_use"
    assert os.path.exists(path)


def test_a_file_in_the_way_is_left_alone(bound, tmp_path):
    path = tmp_path / "socket"
    path.write_text("mine")
    assert bound("", 0, str(path)).reason == "path"
    assert path.read_text() == "mine"


def test_a_missing_directory_is_told(bound, tmp_path):
    assert bound("", 0, str(tmp_path / "none" / "socket")).reason == "path"


def test_refusing_twice_leaves_a_socket_that_can_be_served_again():
    """A server that dies before it listens is refused for a second time: the next one must be heard all the same."""
    with sockets.bind("127.0.0.1", 0) as listener:
        address = listener.getsockname()
        refuse(listener)
        listener.listen()
        refuse(listener)
        refuse(listener)
        with socket.socket() as caller, pytest.raises(ConnectionRefusedError):
            caller.connect(address)
        listener.listen()
        with socket.create_connection(address, timeout=5) as caller:
            accepted, _ = listener.accept()
            with accepted:
                caller.sendall(b"hello")
                assert accepted.recv(5) == b"hello"
