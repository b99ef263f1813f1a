"""Waits as real starts make them: when they ask, what they say, and how they end."""

import itertools
import json
import socket
import threading
import time
from contextlib import contextmanager

from ports import free_port

from orchestrator.testing import full_port, served


class Flapping:
    """A port that does something else at each connection, by `script`; the last for all that follow."""

    def __init__(self, *script):
        self.script = script
        self.times = []

    def __call__(self, connection):
        self.times.append(time.monotonic())
        self.script[min(len(self.times), len(self.script)) - 1](connection)


def hang_up(connection):
    """Accepted, and closed without a word."""


def nonsense(connection):
    connection.recv(4096)
    connection.sendall(b"\x16\x03\x01 what?\r\n\r\n")


def drip(connection):
    connection.recv(4096)
    for byte in b"HTTP/1.1 200 OK\r\n" * 20:
        connection.sendall(bytes([byte]))
        time.sleep(0.05)


def unavailable(connection):
    connection.recv(4096)
    connection.sendall(b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 5\r\n\r\nboot\n")


def well(connection):
    connection.recv(4096)
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")


def attempts(engine):
    """Of each attempt that failed: when it ended (ms since the start), and why."""
    lines = map(json.loads, engine.stderr.splitlines())
    return [each for each in lines if each["event"] == "waiting"]


def waiting(engine, wait, *, level="info"):
    engine.spec(f"telemetry: {{log: {{level: {level}}}}}\nwait_for: [{wait}]", launch="")
    return engine


@contextmanager
def later(port, after, handle):
    """A port on which somebody listens only after a while."""
    stop = threading.Event()

    def serve():
        if stop.wait(after):
            return
        with socket.create_server(("127.0.0.1", port)) as listener:
            listener.settimeout(0.05)
            while not stop.is_set():
                try:
                    connection, _ = listener.accept()
                except TimeoutError:
                    continue
                with connection:
                    connection.settimeout(5)
                    try:
                        handle(connection)
                    except OSError:
                        continue  # who asked has gone

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield
    stop.set()
    thread.join(10)


def test_a_service_that_flaps_is_told_apart_at_each_attempt_and_taken_when_it_is_well(engine):
    flapping = Flapping(hang_up, nonsense, drip, unavailable, hang_up, well)
    port = free_port()
    wait = f"{{name: api, http: 'http://127.0.0.1:{port}/', timeout: 300ms, deadline: 60s}}"
    with later(port, 1.0, flapping):
        done = waiting(engine, wait, level="debug").run("--log-format", "json")
    assert done.returncode == 0, done.stderr
    told = [reason for reason, _ in itertools.groupby(each["reason"] for each in attempts(engine))]
    assert told == ["refused", "protocol", "timeout", "unexpected", "refused"]
    assert engine.item("wait:api")["status"] == "ok"
    assert engine.item("wait:api")["attempts"] == len(attempts(engine)) + 1


def test_a_person_reads_one_line_while_it_waits_and_everything_when_it_is_given_up(engine):
    flapping = Flapping(hang_up, hang_up, hang_up, nonsense)
    with served(flapping) as port:
        wait = f"{{name: api, http: 'http://127.0.0.1:{port}/', deadline: 1s, why: prices come from it}}"
        done = waiting(engine, wait).run()
    assert done.returncode == 75, "its time was up, whatever it heard last"
    assert len(flapping.times) > 4
    assert done.stderr.count("  waiting   wait:api") == 1
    last = done.stderr.split("did not start")[1]
    assert "HTTP" in last
    assert "what?" in last
    assert f"tried:  {len(flapping.times)} times in" in last
    assert "needed: prices come from it" in last


def gaps(times):
    return [later - earlier for earlier, later in itertools.pairwise(times)]


def test_pauses_are_short_and_spread_in_the_first_second_and_grow_with_the_time(engine):
    """Seen by the other side."""
    flapping = Flapping(hang_up)
    with served(flapping) as port:
        wait = f"{{name: db, redis: 'redis://127.0.0.1:{port}', deadline: 5s, retry: {{max: 700ms}}}}"
        assert waiting(engine, wait).run().returncode == 75
    times = flapping.times
    first = sorted(gap for at, gap in zip(times, gaps(times), strict=False) if at - times[0] < 0.9)
    late = [gap for at, gap in zip(times, gaps(times), strict=False) if at - times[0] >= 0.9]
    assert len(first) >= 6
    assert first[len(first) // 2] < 0.15
    assert first[0] < first[-1] / 2, "all the same: many replicas would come back together"
    assert max(late) > 2 * first[len(first) // 2]
    assert sorted(late)[len(late) // 2] < 0.7 + 0.4, "the cap, and what a busy machine adds"


def test_without_jitter_the_pauses_are_those_that_are_written(engine):
    flapping = Flapping(hang_up)
    retry = "{initial: 300ms, factor: 1, jitter: none, times: 4}"
    with served(flapping) as port:
        wait = f"{{name: db, tcp: {{host: 127.0.0.1, port: {port}}}, expect: hello, retry: {retry}}}"
        assert waiting(engine, wait).run().returncode == 75
    assert len(flapping.times) == 4
    assert all(0.3 <= gap < 1 for gap in gaps(flapping.times)), gaps(flapping.times)  # doubled: 0.3, 0.6, 1.2


def test_the_first_attempt_is_made_at_once(engine):
    with served(well) as port:
        done = waiting(engine, f"{{name: api, http: 'http://127.0.0.1:{port}/'}}").run()
    assert done.returncode == 0
    assert engine.item("wait:api")["attempts"] == 1
    assert engine.item("wait:api")["duration_ms"] < 1500


def soonest(once, within):
    """The best of three tries: a busy machine has its bad moments."""
    return any(once() < within for _ in range(3))


def noticed(engine, wait, happen):
    """Seconds from what happens, a little after the start, to the engine's knowing it."""
    waiting(engine, wait).start().says("waiting   wait:it")
    time.sleep(0.3)
    happen()
    happened = time.time()
    assert engine.wait() == 0
    ok = next(each for each in engine.events() if each["event"] == "item" and each["item"] == "wait:it")
    hours, minutes, seconds = ok["time"].partition("T")[2].rstrip("Z").split(":")
    known = int(hours) * 3600 + int(minutes) * 60 + float(seconds)
    return (known - happened % 86400 + 43200) % 86400 - 43200


def test_a_port_that_opens_in_the_first_second_is_noticed_within_100_ms(engine):
    def once():
        port, opened = free_port(), []
        happen = lambda: opened.append(socket.create_server(("127.0.0.1", port)))  # noqa: E731
        took = noticed(engine, f"{{name: it, tcp: {{host: 127.0.0.1, port: {port}}}}}", happen)
        opened[0].close()
        return took

    assert soonest(once, 0.3), "100 ms, and what a busy machine adds"


def test_a_file_that_appears_in_the_first_second_is_noticed_within_100_ms(engine):
    def once():
        (engine.root / "flag").unlink(missing_ok=True)
        return noticed(engine, "{name: it, file: flag}", lambda: engine.write("flag"))

    assert soonest(once, 0.3), "100 ms, and what a busy machine adds"


def test_a_black_hole_is_a_timeout_and_ends_with_75_in_time(engine):
    with full_port() as port:
        wait = f"{{name: db, tcp: {{host: 127.0.0.1, port: {port}}}, timeout: 200ms, retry: {{times: 3}}}}"
        done = waiting(engine, wait).run()
    assert done.returncode == 75
    item = engine.item("wait:db")
    assert (item["reason"], item["attempts"]) == ("timeout", 3)
    assert item["duration_ms"] < 3000
    assert "a firewall" in done.stderr


def test_a_wait_that_is_let_go_keeps_the_others_from_nothing(engine):
    """Side by side: each was begun before another one had ended."""
    with full_port() as hole, served(well) as port:
        done = engine.spec(f"""
            wait_for:
              - {{name: one, tcp: '127.0.0.1:{hole}', deadline: 1s, timeout: 1s, on_failure: warn}}
              - {{name: two, tcp: '127.0.0.1:{hole}', deadline: 1s, timeout: 1s, on_failure: warn}}
              - {{name: api, http: 'http://127.0.0.1:{port}/'}}
        """, launch="").run()  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert engine.statuses() == {"wait:one": "warned", "wait:two": "warned", "wait:api": "ok"}
    assert engine.item("wait:api")["duration_ms"] < 1000
    one, two = engine.item("wait:one"), engine.item("wait:two")
    assert max(one["start_ms"], two["start_ms"]) < min(
        each["start_ms"] + each["duration_ms"] for each in (one, two)
    )
