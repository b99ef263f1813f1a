"""Whole starts that share a lock: several engines as real processes."""

import os
import signal
import subprocess
import sys
import time

import pytest
from servers import BIN, PrivatePostgres
from starting import alive, eventually

real = pytest.mark.skipif(not BIN, reason="PostgreSQL is not installed")


@pytest.fixture(scope="module")
def server():
    running = PrivatePostgres(max_connections=80).start()
    yield running
    running.stop()


class Replicas:
    """Several starts of one service in one directory, each with a state directory of its own."""

    def __init__(self, engine):
        self.engine = engine
        self.running = []

    def start(self, count=1):
        for _ in range(count):
            number = len(self.running)
            with (self.engine.root / f"said-{number}").open("w") as said:
                self.running.append(subprocess.Popen(
                    [sys.executable, "-m", "orchestrator", "run"], cwd=self.engine.root, stdin=subprocess.DEVNULL, stdout=said, stderr=said,
                    env=self.engine.environ | {"ORCHESTRATOR_STATE_DIR": str(self.engine.root / f"state-{number}")},
                ))  # fmt: skip
        return self

    def said(self, number):
        return (self.engine.root / f"said-{number}").read_text()

    def says(self, number, text):
        eventually(lambda: text in self.said(number), what=lambda: self.said(number))

    def ends(self, within=60):
        return [each.wait(within) for each in self.running]

    def end(self):
        for each in self.running:
            each.kill()
            each.wait()


@pytest.fixture
def replicas(engine):
    made = Replicas(engine)
    yield made
    made.end()


SPEC = """
steps:
  - name: migrate
    shell: "echo $$$$ >> ran; until test -e go; do sleep 0.05; done; touch done"
    creates: done
    {more}
"""
WITH_SERVER = "wait_for: [{{name: db, postgres: '{url}'}}]" + SPEC


def ran(engine):
    try:
        return (engine.root / "ran").read_text().split()
    except FileNotFoundError:
        return []


@pytest.fixture(params=["file", pytest.param("server", marks=real)])
def locked(request, engine):
    """A spec whose step waits for the file `go`, under a lock of each kind."""
    if request.param == "file":
        return engine.spec(SPEC.format(more="lock: locks/migrate"), launch="")
    url = request.getfixturevalue("server").url()
    return engine.spec(WITH_SERVER.format(more="lock: db", url=url), launch="")


def test_one_of_several_replicas_runs_the_step_and_the_others_wait_and_skip_it(locked, replicas):
    replicas.start(1)
    eventually(lambda: ran(locked))
    replicas.start(2)
    for number in (1, 2):
        replicas.says(number, "waiting for the lock")
    locked.write("go")
    assert replicas.ends() == [0, 0, 0]
    assert len(ran(locked)) == 1
    for number in (1, 2):
        assert f"which pid {replicas.running[0].pid} on {os.uname().nodename}"[:30] in replicas.said(number)
        assert replicas.said(number).count("waiting for the lock") == 1
        assert "done already: done exists" in replicas.said(number)


def test_a_holder_that_is_killed_frees_the_lock_and_its_step_ends(locked, replicas):
    replicas.start(1)
    (first,) = eventually(lambda: ran(locked))
    replicas.start(1)
    replicas.says(1, "waiting for the lock")
    replicas.running[0].send_signal(signal.SIGKILL)
    eventually(lambda: len(ran(locked)) == 2)
    eventually(lambda: not alive(int(first)), 5, "two of them run it")
    locked.write("go")
    assert replicas.ends() == [-signal.SIGKILL, 0]


def test_who_waits_for_a_lock_hears_signals(locked, replicas):
    replicas.start(1)
    eventually(lambda: ran(locked))
    replicas.start(1)
    replicas.says(1, "waiting for the lock")
    began = time.monotonic()
    replicas.running[1].send_signal(signal.SIGTERM)
    assert replicas.running[1].wait(10) == 143
    assert time.monotonic() - began < 5
    locked.write("go")
    assert replicas.running[0].wait(20) == 0


def test_a_signal_is_heard_while_it_is_asked_whether_the_step_is_done(engine, replicas):
    engine.spec("steps: [{name: a, run: [touch, ran], lock: ./lock, unless: {succeeds: [sh, -c, 'touch asked; sleep 8; exit 1'], timeout: 20s}}]",
                launch="")  # fmt: skip
    replicas.start(1)
    eventually((engine.root / "asked").exists)
    began = time.monotonic()
    replicas.running[0].send_signal(signal.SIGTERM)
    assert replicas.running[0].wait(10) == 143
    assert time.monotonic() - began < 5


def test_a_lock_that_is_held_keeps_no_start_beyond_its_time_from_the_step_that_failed(engine, replicas):
    """A step that fails gives its lock back: the next one tries it for itself."""
    engine.spec(
        "steps: [{name: a, run: [sh, -c, 'echo x >> ran; exit 1'], lock: ./lock, creates: done}]", launch=""
    )
    replicas.start(3)
    assert replicas.ends() == [3, 3, 3]
    assert len(ran(engine)) == 3


def test_two_steps_of_one_start_may_share_a_lock(engine):
    engine.spec("steps: [{name: a, run: [touch, one], creates: one, lock: ./lock}, {name: b, run: [touch, two], creates: two, lock: ./lock}]",
                launch="")  # fmt: skip
    assert engine.run().returncode == 0
    assert (engine.root / "two").exists()


def test_a_remedy_takes_the_lock_anew(engine):
    engine.spec("steps: [{name: a, run: [sh, -c, 'test -e ready && touch done'], creates: done, lock: ./lock, "
                "on_failure: {run: [touch, ready]}}]", launch="")  # fmt: skip
    assert engine.run().returncode == 0
    assert engine.item("step:a")["status"] == "healed"


def test_a_path_that_cannot_be_locked_is_a_failure_with_its_place(engine):
    engine.write("lock").unlink()
    (engine.root / "lock").symlink_to("/etc/hostname")
    engine.spec("steps: [{name: a, run: ['true'], creates: done, lock: ./lock}]", launch="")
    done = engine.run()
    assert done.returncode == 3
    assert engine.item("step:a")["reason"] == "lock"
    assert "cannot lock ./lock" in done.stderr


@real
def test_a_step_is_ended_when_the_connection_of_its_lock_is(server, engine, replicas):
    engine.spec(WITH_SERVER.format(more="lock: db", url=server.url()), launch="")
    replicas.start(1)
    (pid,) = eventually(lambda: ran(engine))
    server.sql(
        "select pg_terminate_backend(pid) from pg_stat_activity where application_name like 'orchestrator: step%'"
    )
    assert replicas.ends() == [3]
    assert not alive(int(pid))
    assert "its lock `db` was lost, and it was ended" in replicas.said(0)
    assert "terminating connection" in replicas.said(0)


@real
def test_a_server_that_went_away_after_it_was_waited_for_is_a_late_one(engine, server):
    engine.spec(f"""
        defaults: {{deadline: 1s}}
        wait_for: [{{name: db, postgres: '{server.url().replace(str(server.port), "1")}', on_failure: warn}}]
        steps: [{{name: migrate, run: ['true'], creates: done, lock: db}}]
    """, launch="")  # fmt: skip
    assert engine.run().returncode == 75
    assert engine.item("step:migrate")["reason"] == "refused"


@pytest.mark.long
def test_fifty_starts_at_once_run_it_once(engine, replicas):
    engine.spec(SPEC.format(more="lock: locks/migrate"), launch="")
    replicas.start(50)
    eventually(lambda: ran(engine), 60)
    time.sleep(1)
    engine.write("go")
    assert set(replicas.ends(100)) == {0}
    assert len(ran(engine)) == 1
    assert sum("done already" in replicas.said(each) for each in range(50)) == 49
