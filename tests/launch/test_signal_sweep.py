"""Every signal that can be caught, in every state after the launch, as PID 1, as another, and on a terminal."""

import contextlib
import os
import signal
import time

from launching import APP, cmdline, eventually, family
from matrices import crossed
from namespaces import PLACES, TERMINAL, everywhere

from orchestrator.core.exit_status import ECHO, named
from orchestrator.system.signals import PASSED_ON

NOTING = (
    f"import os, signal\nfor each in {PASSED_ON}:\n"
    "    signal.signal(each, lambda number, _: os.write(noted, b'%d\\n' % number))\n"
    "noted = os.open('noted', os.O_CREAT | os.O_APPEND | os.O_WRONLY)\n" + APP
)


def test_every_catchable_signal_has_an_owner():
    """Left alone: a process's own faults, job control, what Python ignores, and the end of children."""
    names = ("KILL", "STOP", "CHLD", "CONT", "TSTP", "TTIN", "TTOU", "SEGV", "BUS", "FPE", "ILL", "ABRT", "TRAP",
             "SYS", "STKFLT", "PIPE", "XFSZ")  # fmt: skip
    alone = {int(getattr(signal, f"SIG{name}", 0)) for name in names}
    assert set(map(int, signal.valid_signals())) - alone - {signal.SIGTERM, signal.SIGINT} == set(PASSED_ON)


def send_all_and_see(service, times):
    for number in PASSED_ON:
        service.signal(number)

    def noted():
        lines = (service.directory / "noted").read_text().split()
        return {number: lines.count(str(number)) for number in PASSED_ON}

    wanted = dict.fromkeys(PASSED_ON, times)
    with contextlib.suppress(AssertionError):
        eventually(lambda: noted() == wanted)
    assert noted() == wanted


@everywhere
def test_signals_are_forwarded_while_it_serves_and_while_it_stops(launch, prefix):
    service = launch(NOTING, prefix=prefix, drain=60.0).supervised()
    send_all_and_see(service, 1)
    service.signal(signal.SIGINT)
    eventually(lambda: "stopping: asked by SIGINT" in service.errors())
    send_all_and_see(service, 2)
    time.sleep(2 * ECHO)
    service.signal(signal.SIGINT)
    assert service.wait(10) == 137


@crossed(
    prefix=PLACES,
    number=[signal.SIGHUP, signal.SIGUSR1, signal.SIGQUIT, signal.SIGALRM, signal.SIGXCPU, 40],
)
def test_what_ends_the_server_is_passed_on_in_the_exit_status(launch, prefix, number):
    service = launch(prefix=prefix).supervised()
    service.signal(number)
    assert service.wait(10) == 128 + number
    assert f"the server was ended by {named(number)}" in service.errors()


@everywhere
def test_what_nobody_cares_for_ends_nothing(launch, prefix):
    service = launch(prefix=prefix).supervised()
    for number in (
        signal.SIGWINCH,
        signal.SIGURG,
        signal.SIGCHLD,
        signal.SIGPIPE,
        signal.SIGXFSZ,
        signal.SIGCONT,
    ):
        service.signal(number)
    assert "pid" in service.json()
    service.signal(signal.SIGTERM)
    assert service.wait(10) == 0


@crossed(prefix=PLACES, stop=[signal.SIGTERM, signal.SIGINT])
def test_between_two_servers_signals_end_nothing_but_what_asks_for_the_end(launch, prefix, stop):
    service = launch(prefix=prefix, restart={"policy": "always", "attempts": None, "within": 60}).supervised()
    delay = 0.0
    while delay < 1.0:  # the back-off grows: time enough for all signals
        server = eventually(lambda: family(service.main))[0]
        os.kill(server, signal.SIGKILL)
        delay = 2 * delay or 0.5
        if delay < 1.0:
            eventually(lambda: "ready again" in service.errors(), 15)
    eventually(lambda: "restarting in 1 s" in service.errors())
    for number in PASSED_ON:
        service.signal(number)
    service.signal(stop)
    assert service.wait(10) == 0
    assert service.errors().count("ready again") == 1


@crossed(prefix=PLACES, stop=[signal.SIGTERM, signal.SIGINT])
def test_in_maintenance_signals_end_nothing_but_what_asks_for_the_end(launch, prefix, stop):
    service = launch(
        prefix=prefix,
        maintenance={"service": "test"},
        on_failure=[{"do": "serve", "app": "maintenance", "for": None}],
    ).supervised()
    os.kill(family(service.main)[0], signal.SIGKILL)
    kept = eventually(lambda: [each for each in family(service.main) if b"maintenance.py" in cmdline(each)])
    for number in PASSED_ON:
        service.signal(number)
    assert eventually(lambda: down(service))
    assert kept == [each for each in family(service.main) if b"maintenance.py" in cmdline(each)]
    service.signal(stop)
    assert service.wait(10) == 0


def down(service):
    try:
        return service.get()[0] == 503
    except OSError:
        return False


def test_the_keyboard_asks_once(launch):
    """Ctrl-C reaches the whole foreground group, in which the server is not: it is asked by the supervisor alone."""
    service = launch(
        "import asyncio\nfrom tiny_asgi import App\napp = App()\n@app.get('/')\nasync def root():\n"
        "    print('in', flush=True)\n    await asyncio.sleep(1)\n    return 'done'\n",
        prefix=TERMINAL,
    ).supervised()
    import socket

    with socket.create_connection(("127.0.0.1", service.port), timeout=5) as caller:
        caller.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        eventually(lambda: "in\n" in (service.directory / "out").read_text())
        os.kill(service.process.pid, signal.SIGUSR2)
        received = b"".join(iter(lambda: caller.recv(4096), b""))
    assert b"done" in received
    assert service.wait(10) == 0
    assert "asked by SIGINT" in service.errors()
