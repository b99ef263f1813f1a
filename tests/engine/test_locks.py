"""Locks of steps, with real files, processes, PostgreSQL servers and a pooler."""

import multiprocessing
import os
import select
import signal
import socket
import struct
import subprocess
import sys
import textwrap
import threading
import time

import pytest
from servers import BIN, PGBOUNCER, Pooler, PrivatePostgres

from orchestrator.core.context import Context
from orchestrator.engine import step_lock
from orchestrator.engine.locks import CannotLock, FileLock, ServerLock, key, lock_of
from orchestrator.requirements._conditions import CannotTell
from orchestrator.spec.kinds import WAITS
from orchestrator.waits._failure import Deadline
from orchestrator.waits._postgres import Login, Session
from orchestrator.waits._stream import Stream

real = pytest.mark.skipif(not BIN, reason="PostgreSQL is not installed")
pooled = pytest.mark.skipif(not (BIN and PGBOUNCER), reason="PostgreSQL or pgbouncer is not installed")


def eventually(check, within=10.0):
    end = time.monotonic() + within
    while not (found := check()):
        assert time.monotonic() < end, "not within the time"
        time.sleep(0.01)
    return found


def heard(turn, within=20.0):
    """The next thing that a turn tells."""
    poll = select.poll()
    poll.register(turn, select.POLLIN)
    end = time.monotonic() + within
    while not (told := turn.take()):
        assert poll.poll(max(0, (end - time.monotonic()) * 1000)), "the turn says nothing"
    assert len(told) == 1, told
    return told[0]


def take_turn(lock, done, work, patience=60.0):
    """What the engine does with a turn; the words that it told."""
    turn = step_lock.Turn(lock, done, patience)
    turn.start()
    words = []
    while True:
        told = heard(turn, 60)
        words.append(told.word)
        if told.word == step_lock.GO:
            work()
        if told.word != step_lock.WAITS:
            turn.end()
            return words


@pytest.fixture
def here(tmp_path):
    return Context(environ={}, cwd=str(tmp_path), service="shop")


@pytest.fixture(scope="module")
def server():
    running = PrivatePostgres(max_connections=80).start()
    running.sql("create table done (name text)", "create table item (id int)")
    yield running
    running.stop()


@pytest.fixture
def server_lock(server):
    made = []

    def make(step="migrate", service="shop", port=None):
        wait = WAITS.load("postgres").model_validate({"name": "db", "postgres": server.url(port=port)})
        made.append(lock_of("db", Context(environ={}, service=service), step, wait))
        return made[-1]

    yield make
    for each in made:
        each.release()


# A file


def test_a_name_with_a_slash_is_a_path_and_any_other_one_a_postgres_wait(here):
    assert isinstance(lock_of("./x", here, "s", None), FileLock)
    assert isinstance(lock_of("db", here, "s", None), ServerLock)


def test_one_has_it_and_the_other_learns_who(here):
    one, other = FileLock("a/b/lock", here), FileLock("a/b/lock", here)
    assert one.take()
    assert not other.take()
    assert other.holder() == f"pid {os.getpid()} on {os.uname().nodename}"
    one.release()
    assert other.take()
    other.release()


def test_its_file_is_private_and_stays(here, tmp_path):
    lock = FileLock("lock/it", here)
    assert lock.take()
    lock.release()
    assert (tmp_path / "lock/it").stat().st_mode & 0o777 == 0o600


def test_a_symlink_in_its_place_is_not_followed(here, tmp_path):
    (tmp_path / "victim").write_text("precious")
    (tmp_path / "lock").symlink_to("victim")
    with pytest.raises(CannotLock) as caught:
        FileLock("./lock", here).take()
    assert (tmp_path / "victim").read_text() == "precious"
    assert caught.value.outcome.final


@pytest.mark.skipif(os.geteuid() != 0, reason="only root refuses symlinks on the way")
def test_as_root_a_symlink_on_the_way_is_refused_and_its_target_named(here, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "locks").symlink_to("elsewhere")
    with pytest.raises(CannotLock, match="is a symlink to elsewhere"):
        FileLock("locks/it", here).take()
    assert os.listdir(tmp_path / "elsewhere") == []


def test_a_second_name_of_another_file_is_not_written_to(here, tmp_path):
    (tmp_path / "victim").write_text("precious")
    os.link(tmp_path / "victim", tmp_path / "lock")
    with pytest.raises(CannotLock, match="not a file of its own"):
        FileLock("./lock", here).take()
    assert (tmp_path / "victim").read_text() == "precious"


@pytest.mark.parametrize("make", [os.mkdir, os.mkfifo], ids=["directory", "fifo"])
def test_what_is_no_file_is_refused_at_once(here, tmp_path, make):
    make(tmp_path / "lock")
    with pytest.raises(CannotLock) as caught:
        FileLock("./lock", here).take()
    assert (caught.value.outcome.code, caught.value.outcome.reason) == ("ORC603", "lock")


def test_a_directory_that_cannot_be_made_is_told_with_the_place(here):
    with pytest.raises(CannotLock) as caught:
        FileLock("/proc/nothing-here/it", here).take()
    assert "/proc" in caught.value.outcome.hint


def test_a_file_that_was_taken_away_excludes_nobody_and_is_noticed(here, tmp_path):
    waiting = FileLock("./lock", here)
    holder = FileLock("./lock", here)
    assert holder.take()
    assert not waiting.take()
    (tmp_path / "lock").unlink()
    third = FileLock("./lock", here)
    assert third.take()
    holder.release()
    assert not waiting.take(), "it locked a file that nobody else looks at"
    third.release()
    assert waiting.take()
    waiting.release()


def hold_for_ever(path, told):
    assert FileLock(path, Context(environ={})).take()
    told.send(1)
    signal.pause()


def test_a_holder_that_is_killed_frees_it(here, tmp_path):
    mine, other = multiprocessing.Pipe()
    holder = multiprocessing.get_context("fork").Process(
        target=hold_for_ever, args=(str(tmp_path / "lock"), other)
    )
    holder.start()
    assert mine.recv()
    lock = FileLock("./lock", here)
    assert not lock.take()
    os.kill(holder.pid, signal.SIGKILL)
    holder.join()
    assert lock.take()
    lock.release()
    mine.close()
    other.close()


def test_it_is_not_handed_to_what_the_holder_starts(here):
    lock = FileLock("./lock", here)
    assert lock.take()
    with subprocess.Popen(["sleep", "30"], close_fds=False) as child:
        lock.release()
        other = FileLock("./lock", here)
        assert other.take()
        other.release()
        child.kill()


RACER = """
import sys, os
from orchestrator.core.context import Context
from orchestrator.engine.locks import FileLock
sys.path.insert(0, {tests!r})
from test_locks import take_turn
sys.stdin.read()
def work():
    with open("ran", "a") as file: file.write("x")
    open("done", "w").close()
words = take_turn(FileLock("locks/it", Context(environ={{}})), lambda: "done" if os.path.exists("done") else "", work)
os.write(1, (" ".join(words) + "\\n").encode())  # one write: fifty of them share this pipe
"""


def test_of_fifty_processes_at_once_one_runs_it_and_the_others_skip(tmp_path):
    folder = os.path.dirname(__file__)
    code = textwrap.dedent(RACER.format(tests=folder))
    gate, opener = os.pipe()
    # Forked from one that has imported everything: fifty imports would take longer than what is tested.
    script = f"import os, sys\nsys.path[:0] = [{folder!r}, {os.path.dirname(folder)!r}]\nimport test_locks\nchildren = []\nfor _ in range(50):\n    pid = os.fork()\n    if not pid:\n        exec({code!r})\n        sys.stdout.flush()\n        os._exit(0)\n    children.append(pid)\nfor pid in children:\n    assert os.waitpid(pid, 0)[1] == 0\n"
    with subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", script],
        cwd=tmp_path,
        stdin=gate,
        stdout=subprocess.PIPE,
        text=True,
    ) as family:
        os.close(gate)
        time.sleep(0.5)
        os.close(opener)
        lines = family.stdout.read().splitlines()
    assert family.returncode == 0
    assert (tmp_path / "ran").read_text() == "x"
    assert sum("go" in each.split() for each in lines) == 1
    assert sum(each.split()[-1] == "done" for each in lines) == 49


# A turn


class Held:
    """A lock that somebody has until the test says otherwise."""

    name = "it"

    def __init__(self, problem=None):
        self.free = threading.Event()
        self.released = threading.Event()
        self.problem = problem
        self.tries = 0

    def take(self):
        self.tries += 1
        if self.problem:
            raise CannotLock(self.problem)
        return self.free.is_set()

    def holder(self):
        return "pid 1 on web-2"

    def fileno(self):
        return -1

    def lost(self):
        return ""

    def release(self):
        self.released.set()


def test_a_turn_asks_before_it_takes_the_lock():
    lock = Held()
    assert take_turn(lock, lambda: "it is there", None) == [step_lock.DONE]
    assert lock.tries == 0


def test_a_turn_says_once_whom_it_waits_for_and_asks_again_under_the_lock():
    lock, answers = Held(), iter(["", "somebody else did it"])
    turn = step_lock.Turn(lock, lambda: next(answers), 60)
    turn.start()
    told = heard(turn)
    assert (told.word, told.text) == (step_lock.WAITS, "waiting for the lock it, which pid 1 on web-2 holds")
    eventually(lambda: lock.tries > 5)
    lock.free.set()
    told = heard(turn)
    assert (told.word, told.text) == (step_lock.DONE, "somebody else did it")
    assert lock.released.wait(5)


def test_a_turn_that_is_given_up_waits_no_more():
    lock = Held()
    turn = step_lock.Turn(lock, str, 60)
    turn.start()
    heard(turn)
    turn.end()
    assert lock.released.wait(1)
    lock.free.set()
    assert turn.take() == []


def test_a_condition_that_cannot_tell_fails_and_frees_the_lock():
    lock = Held()
    lock.free.set()
    answers = iter([""])

    def done():
        for each in answers:
            return each
        raise CannotTell("the probe crashed")

    turn = step_lock.Turn(lock, done, 60)
    turn.start()
    told = heard(turn)
    assert (told.word, told.outcome.reason) == (step_lock.FAILED, "condition")
    assert lock.released.wait(5)


def test_a_bug_in_it_is_told_with_its_traceback():
    turn = step_lock.Turn(Held(), lambda: 1 / 0, 60)
    turn.start()
    told = heard(turn)
    assert told.word == step_lock.BUG
    assert "ZeroDivisionError" in told.text


# A PostgreSQL


def test_the_key_is_the_same_everywhere_and_another_for_each_service_and_step():
    assert key("shop", "migrate") == -600254079969291189, "replicas of two versions must agree"
    assert (
        len({key("shop", "migrate"), key("shop", "seed"), key("blog", "migrate"), key("shopm", "igrate")})
        == 4
    )
    assert all(-(2**63) <= key("shop", str(each)) < 2**63 for each in range(100))


@real
def test_one_start_has_it_and_the_other_learns_who(server_lock):
    one, other = server_lock(), server_lock()
    assert one.take()
    assert not other.take()
    assert (
        other.holder()
        == f"pid {os.getpid()} on {os.uname().nodename}"[: 63 - len("orchestrator: step migrate, ")]
    )
    assert server_lock("seed").take(), "another step has a lock of its own"
    one.release()
    assert eventually(other.take)


@real
def test_neither_holder_nor_waiter_keeps_a_snapshot_or_a_transaction_that_is_not_needed(server, server_lock):
    one, other = server_lock(), server_lock()
    assert one.take()
    assert not other.take()
    found = server.sql("select state, backend_xmin is null, backend_xid is null from pg_stat_activity "
                       "where application_name like 'orchestrator%' order by state")  # fmt: skip
    assert found.splitlines() == ["idle|t|t", "idle in transaction|t|t"]


@real
def test_a_server_that_ends_idle_transactions_does_not_take_the_lock_away(server, server_lock):
    server.sql("alter system set idle_in_transaction_session_timeout = '200ms'", "select pg_reload_conf()")
    try:
        eventually(lambda: server.sql("show idle_in_transaction_session_timeout") == "200ms")
        lock = server_lock()
        assert lock.take()
        time.sleep(0.6)
        assert lock.lost() == ""
    finally:
        server.sql("alter system reset idle_in_transaction_session_timeout", "select pg_reload_conf()")


def test_news_from_a_server_are_not_the_end_of_the_lock_but_its_last_word_is():
    near, far = socket.socketpair()
    lock = lock_of("db", Context(environ={}), "migrate", None)
    lock._session = Session(Stream(near, "db:5432", Deadline(1)), Login("app", "app"))
    with far:
        far.sendall(b"S" + struct.pack("!i", 4 + 7) + b"a\0news\0" + b"N" + struct.pack("!i", 4 + 1) + b"\0")
        assert lock.lost() == ""
        words = b"SFATAL\0C57P01\0Mgoing down\0\0"
        far.sendall(b"E" + struct.pack("!i", 4 + len(words)) + words)
        assert lock.lost() == "db:5432: going down (57P01)"
    assert lock.lost() == "the connection to db:5432 ended"
    lock.release()


@real
def test_a_lock_whose_connection_is_ended_tells_why(server, server_lock):
    turn = step_lock.Turn(server_lock(), str, 60)
    turn.start()
    assert heard(turn).word == step_lock.GO
    server.sql(
        "select pg_terminate_backend(pid) from pg_stat_activity where application_name like 'orchestrator%'"
    )
    told = heard(turn, 5)
    assert told.word == step_lock.LOST
    assert "terminating connection due to administrator command" in told.text


@real
def test_a_server_that_cannot_be_reached_is_asked_again_for_a_time(server):
    wait = WAITS.load("postgres").model_validate(
        {"name": "db", "postgres": "postgresql://app@127.0.0.1:1/app"}
    )
    turn = step_lock.Turn(lock_of("db", Context(environ={}), "migrate", wait), str, 0.5)
    turn.start()
    assert heard(turn).word == step_lock.WAITS
    told = heard(turn)
    assert (told.word, told.outcome.reason) == (step_lock.FAILED, "refused")
    assert told.outcome.summary.startswith("cannot take the lock `db`: ")


@real
def test_what_waiting_cannot_mend_fails_at_once(server):
    server.sql("create role nobody nologin")
    wait = WAITS.load("postgres").model_validate({"name": "db", "postgres": server.url("nobody")})
    turn = step_lock.Turn(lock_of("db", Context(environ={}), "migrate", wait), str, 60)
    turn.start()
    told = heard(turn)
    assert (told.word, told.outcome.reason, told.outcome.final) == (step_lock.FAILED, "auth", True)


@real
def test_a_second_release_in_the_middle_of_the_first_finds_nothing_to_do(server_lock, monkeypatch):
    lock = server_lock()
    assert lock.take()
    asked, ask = [], lock._ask

    def meanwhile(session, text):
        asked.append(text)
        lock.release()
        return ask(session, text)

    monkeypatch.setattr(lock, "_ask", meanwhile)
    lock.release()
    assert asked == ["ROLLBACK"]


def fifty_at_once(server, make_lock):
    server.sql("truncate done")
    ran, barrier, words = [], threading.Barrier(50), []

    def done():
        return "a row is there" if ran else ""

    def one():
        barrier.wait(30)
        words.append(take_turn(make_lock(), done, work))

    def work():
        time.sleep(0.3)
        ran.append(1)

    threads = [threading.Thread(target=one) for _ in range(50)]
    for each in threads:
        each.start()
    for each in threads:
        each.join(60)
    return ran, words


@real
def test_of_fifty_connections_at_once_one_runs_it_and_the_others_skip(server, server_lock):
    ran, words = fifty_at_once(server, server_lock)
    assert len(ran) == 1
    assert sum(step_lock.GO in each for each in words) == 1
    assert sum(each[-1] == step_lock.DONE for each in words) == 49


CONCURRENTLY = "create index concurrently if not exists {name} on item (id)"


def index_under_the_lock(server, make_lock, name, waiters=5):
    """Builds an index while one holds the lock and others poll for it; the words of all."""
    built, words = [], []

    def work():
        time.sleep(0.3)  # the waiters are at it
        server.sql("set statement_timeout = '15s'", CONCURRENTLY.format(name=name))
        built.append(name)

    def one():
        words.append(take_turn(make_lock("index"), lambda: "built" if built else "", work))

    threads = [threading.Thread(target=one) for _ in range(waiters + 1)]
    for each in threads:
        each.start()
    for each in threads:
        each.join(40)
    assert built == [name]
    assert server.sql(f"select indisvalid from pg_index where indexrelid = '{name}'::regclass") == "t"
    return words


@real
def test_an_index_that_is_built_concurrently_waits_neither_for_the_holder_nor_for_the_waiters(
    server, server_lock
):
    began = time.monotonic()
    words = index_under_the_lock(server, server_lock, "item_one")
    assert time.monotonic() - began < 10
    assert sorted(each[-1] for each in words) == [step_lock.DONE] * 5 + [step_lock.GO]


@real
def test_the_same_would_wait_for_a_holder_with_a_snapshot(server):
    """That the test above can fail: a lock that is waited for inside of the server is such a holder."""
    with subprocess.Popen([f"{BIN}/psql", "-q", server.url(), "-c", "begin isolation level repeatable read", "-c", "select 1",
                           "-c", "select pg_sleep(60)"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as holder:  # fmt: skip
        eventually(
            lambda: (
                server.sql(
                    "select count(*) from pg_stat_activity where query like '%pg_sleep(60)%' and state = 'active' and pid <> pg_backend_pid()"
                )
                == "1"
            )
        )
        with pytest.raises(subprocess.CalledProcessError):
            server.sql("set statement_timeout = '700ms'", CONCURRENTLY.format(name="item_late"))
        holder.kill()
    server.sql(
        "select pg_terminate_backend(pid) from pg_stat_activity where query like '%pg_sleep(60)%' and pid <> pg_backend_pid()"
    )


# A pooler that gives a connection to each transaction


@pytest.fixture
def pooler(server):
    running = Pooler(server, size=8)
    yield running
    running.stop()


@pooled
def test_behind_a_transaction_pooler_one_of_fifty_runs_it(server, server_lock, pooler):
    ran, words = fifty_at_once(server, lambda: server_lock(port=pooler.port))
    assert len(ran) == 1
    assert sum(each[-1] == step_lock.DONE for each in words) == 49


@pooled
def test_behind_a_transaction_pooler_an_index_is_built_concurrently(server, server_lock, pooler):
    words = index_under_the_lock(server, lambda step: server_lock(step, port=pooler.port), "item_two")
    assert sorted(each[-1] for each in words) == [step_lock.DONE] * 5 + [step_lock.GO]


@pooled
def test_a_released_lock_leaves_the_pooled_connection_as_it_was(server, server_lock, pooler):
    lock = server_lock(port=pooler.port)
    assert lock.take()
    backend = server.sql("select pid from pg_stat_activity where application_name like 'orchestrator: step%'")
    lock.release()
    eventually(lambda: server.sql(f"select state from pg_stat_activity where pid = {backend}") == "idle")
    assert server.sql("select count(*) from pg_locks where locktype = 'advisory'") == "0"


@pooled
def test_a_pooler_that_ends_takes_the_lock_with_it(server, server_lock, pooler):
    turn = step_lock.Turn(server_lock(port=pooler.port), str, 60)
    turn.start()
    assert heard(turn).word == step_lock.GO
    pooler.process.kill()
    assert heard(turn, 5).word == step_lock.LOST
    turn.end()
