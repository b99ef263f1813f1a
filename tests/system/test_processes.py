"""Commands that the engine runs beside its loop."""

import fcntl
import select
import time

from orchestrator.core.context import Context
from orchestrator.system import processes


def command(tmp_path, script, deadline):
    said = []
    context = Context({"PATH": "/usr/bin:/bin"}, str(tmp_path))
    process = processes.start(["sh", "-c", script], context)
    made = processes.Command(process, said.append, deadline=time.monotonic() + deadline, grace=2.0)
    return made, said


def ended(made, within=20.0):
    end = time.monotonic() + within
    while (result := made.poll()) is None:
        assert time.monotonic() < end, "it has not ended"
        select.select([made.fileno()], [], [], 0.05)
    return result


def test_one_that_never_stops_talking_meets_its_deadline(tmp_path):
    made, said = command(tmp_path, "while :; do echo again and again and again; done", 0.3)
    began = time.monotonic()
    assert ended(made).timed_out
    assert time.monotonic() - began < 10
    assert set(said[:-1]) == {"again and again and again"}


def test_all_that_was_left_unread_is_read_after_its_end(tmp_path):
    made, said = command(tmp_path, "seq 1 100000; exit 3", 20)
    fcntl.fcntl(made.process.stdout, fcntl.F_SETPIPE_SZ, 1 << 20)  # room for all of it
    made.process.wait(20)
    assert ended(made).code == 3
    assert said == [str(number) for number in range(1, 100001)]
