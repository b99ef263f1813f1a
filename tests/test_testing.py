import socket

import pytest

from orchestrator.testing import FakeClock, answering_port, closed_port, dripping_port, full_port, silent_port


def connect(port, timeout=0.3):
    return socket.create_connection(("127.0.0.1", port), timeout=timeout)


def test_the_fake_clock_jumps_and_remembers():
    clock = FakeClock(5)
    clock.sleep(2)
    clock.sleep(0.5)
    assert clock.now() == 7.5
    assert clock.slept == [2, 0.5]


def test_a_silent_port_accepts_and_never_answers():
    with silent_port() as port, connect(port) as caller:
        caller.sendall(b"hello\r\n")
        with pytest.raises(TimeoutError):
            caller.recv(1)


def test_a_closed_port_refuses():
    with closed_port() as port, pytest.raises(ConnectionRefusedError):
        connect(port)


def test_a_full_port_takes_for_ever_to_connect():
    with full_port() as port, pytest.raises(TimeoutError):
        connect(port)


def test_an_answering_port_answers_every_caller():
    with answering_port(b"+PONG\r\n") as port:
        for _ in range(2):
            with connect(port) as caller:
                caller.sendall(b"PING\r\n")
                assert caller.recv(100) == b"+PONG\r\n"


def test_a_dripping_port_sends_byte_by_byte():
    with dripping_port(b"abc", pause=0.01) as port, connect(port) as caller:
        assert caller.recv(100) == b"a"


def test_a_project_writes_files_below_its_root(project):
    path = project.write("a/b.txt", "hi", 0o640)
    assert path == project.context().path("a/b.txt")
