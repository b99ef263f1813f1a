"""A log driver that stands still: the pipe behind stderr is full, and nobody takes anything from it."""

import fcntl
import os
import signal
import subprocess
import sys
import termios
import threading
import time

import pytest
from starting import eventually


class Stalled:
    """A pipe of one page that is read only on request."""

    def __init__(self):
        self.reader, self.writer = os.pipe()
        fcntl.fcntl(self.writer, fcntl.F_SETPIPE_SZ, 4096)
        os.set_blocking(self.reader, False)

    def fill(self):
        """To the last byte; the writer's end is shared with who has it as stderr, and must stay blocking."""
        own = os.open(f"/proc/self/fd/{self.writer}", os.O_WRONLY | os.O_NONBLOCK)
        for size in (64, 1):
            try:
                while True:
                    os.write(own, b"." * size)
            except BlockingIOError:
                continue
        os.close(own)

    def read(self):
        try:
            return os.read(self.reader, 65536).decode()
        except BlockingIOError:
            return ""

    def close(self):
        os.close(self.reader)
        os.close(self.writer)


@pytest.fixture
def stalled():
    made = Stalled()
    yield made
    made.close()


def start(engine, stalled, *words):
    engine.process = subprocess.Popen(
        [sys.executable, "-m", "orchestrator", *words, "run"], cwd=engine.root, env=engine.environ,
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=stalled.writer,
    )  # fmt: skip
    engine.started.append(engine.process)
    engine.err.write_text("not kept here\n")


def ended(engine, number=signal.SIGTERM):
    began = time.monotonic()
    return engine.stop(number), time.monotonic() - began


@pytest.mark.parametrize(
    "spec", ["wait_for: [{name: db, tcp: '127.0.0.1:1'}]", "steps: [{name: long, run: [sleep, '60']}]"]
)
def test_it_keeps_no_start_from_its_end(engine, stalled, spec):
    engine.spec(spec)
    start(engine, stalled)
    eventually(lambda: "wait:db" in stalled.read() or engine.status() == "starting")
    stalled.fill()
    code, took = ended(engine)
    assert code == 143
    assert took < 5
    assert engine.report()["exit_code"] == 143


def drain(stalled, engine):
    """Reads until the service is ready."""
    while engine.status() != "ready" and engine.process.poll() is None:
        stalled.read()
        time.sleep(0.02)


@pytest.mark.parametrize("workers", [1, 2])
def test_it_keeps_no_service_from_its_end(engine, stalled, workers):
    """What the server itself writes there is its own: it hangs in that, and is forced."""
    engine.spec(
        "health: {ready: /}",
        launch=f"{{app: main:app, host: 127.0.0.1, port: PORT, workers: {workers}, shutdown: {{grace: 1s}}}}",
    )
    start(engine, stalled)
    drained = threading.Thread(target=drain, args=(stalled, engine), daemon=True)
    drained.start()
    engine.serving()
    engine.until(lambda: engine.status() == "ready")
    drained.join(5)
    stalled.read()
    stalled.fill()
    code, took = ended(engine)
    assert code in (0, 137)
    assert took < 15


def test_it_keeps_no_step_from_its_work(engine, stalled):
    """All that was said is in the state directory."""
    words = "; ".join(f"echo line {number}" for number in range(300))
    engine.spec(
        f"wait_for: [{{name: flag, file: flag}}]\nsteps: [{{name: talk, run: [sh, -c, '{words}']}}]",
        launch="",
    )
    start(engine, stalled, "--log-format", "json")
    eventually(lambda: "wait:flag" in stalled.read())
    stalled.fill()
    engine.write("flag")
    assert engine.wait() == 0
    said = [each["message"] for each in engine.events() if each["event"] == "output"]
    assert said == [f"line {number}" for number in range(300)]


def test_who_stops_reading_for_a_while_is_told_what_was_lost():
    from orchestrator.system import log_output

    stalled = Stalled()
    try:
        stalled.fill()
        began = time.monotonic()
        for number in range(50):
            log_output.write(stalled.writer, f"line {number}")
        assert time.monotonic() - began < 3, "the first waits a moment, the others do not"
        assert set(stalled.read()) == {"."}
        log_output.write(stalled.writer, "here again")
        log_output.write(stalled.writer, "and well")
        said = stalled.read()
    finally:
        stalled.close()
    assert (
        said == "orchestrator: 50 lines were lost: nobody took what was written here\nhere again\nand well\n"
    )


def test_a_terminal_that_was_stopped_holds_up_nobody():
    from orchestrator.system import log_output

    keyboard, terminal = os.openpty()
    try:
        termios.tcflow(terminal, termios.TCOOFF)
        began = time.monotonic()
        for number in range(20):
            log_output.write(terminal, f"line {number}")
        assert time.monotonic() - began < 1.5  # all of them waiting: 2 s
        termios.tcflow(terminal, termios.TCOON)
        log_output.write(terminal, "here again")
        assert b"20 lines were lost" in os.read(keyboard, 4096)
    finally:
        os.close(keyboard)
        os.close(terminal)


def test_a_file_and_a_reader_who_has_gone_are_no_trouble(tmp_path):
    from orchestrator.system import log_output

    with (tmp_path / "log").open("w") as file:
        log_output.write(file.fileno(), "one\ntwo")
    assert (tmp_path / "log").read_text() == "one\ntwo\n"
    reader, writer = os.pipe()
    os.close(reader)
    log_output.write(writer, "nobody is there")
    os.close(writer)
