import http.client
import os
import signal
import threading
import time
import urllib.error
import urllib.request

import pytest
from ports import free_port
from starting import cmdline, eventually, family

GONE = (ConnectionRefusedError, ConnectionResetError, BrokenPipeError, http.client.BadStatusLine)


class Client:
    """Asks without a pause until it is told to stop; notes every answer and every connection that was lost."""

    def __init__(self, engine):
        self.engine, self.answers, self.lost, self.over = engine, [], [], threading.Event()
        self.thread = threading.Thread(target=self._ask, daemon=True)
        self.thread.start()

    def _ask(self):
        while not self.over.is_set():
            try:
                self.answers.append(self.engine.get("/x")[0])
            except GONE as error:
                self.lost.append(repr(error))
            time.sleep(0.002)

    def stop(self):
        self.over.set()
        self.thread.join(10)


def test_maintenance_answers_and_hands_over_without_losing_a_connection(engine):
    engine.spec(
        "files: [{path: flag, on_failure: {serve: maintenance}}]\nhealth: {live: /live, ready: /ready}"
    ).start()
    engine.until(lambda: engine.tries("/x"))
    assert engine.get("/x")[0] == 503
    assert engine.get("/live")[0] == 200
    assert engine.get("/ready")[0] == 503
    engine.until(lambda: engine.status() == "maintenance")
    engine.until((engine.state / "report.json").exists)
    engine.until(lambda: engine.report()["status"] == "maintenance")
    assert engine.command("health", "live").returncode == 0
    assert engine.command("health", "ready").returncode == 1
    client = Client(engine)
    engine.write("flag")
    engine.serving()
    eventually(lambda: client.answers[-1] == 200)
    client.stop()
    assert client.lost == []
    assert set(client.answers) == {200, 503}
    assert engine.item("file:flag")["status"] == "healed"
    assert engine.report()["status"] == "ready"
    assert engine.stop() == 0


def test_a_failed_check_is_told_once_while_maintenance_goes_on(engine):
    engine.spec(
        "checks: [{name: slow, run: [sh, -c, 'echo x >> tries; exit 1'], on_failure: {serve: maintenance}}]"
    ).start()
    engine.until(
        lambda: (engine.root / "tries").exists() and (engine.root / "tries").read_text().count("x") >= 3
    )
    assert engine.stderr.count("failed    check:slow") == 1
    assert engine.stderr.count("fallback  check:slow") == 1
    assert len(engine.item("check:slow")["fallbacks"]) == 1


def test_what_is_decided_is_served_while_other_things_are_still_waited_for(engine):
    engine.spec("""
        files: [{path: flag, on_failure: {serve: maintenance}}]
        wait_for: [{name: db, file: late, deadline: 60s}]
        health: {live: /live, ready: /ready}
    """).start()  # fmt: skip
    engine.until(lambda: engine.tries("/x"))
    assert engine.get("/x")[0] == 503
    assert engine.get("/live")[0] == 200
    assert engine.status() == "starting"
    assert "waiting   wait:db" in engine.stderr
    client = Client(engine)
    engine.write("late")
    engine.until(lambda: engine.status() == "maintenance")
    engine.write("flag")
    engine.serving()
    eventually(lambda: client.answers[-1] == 200)
    client.stop()
    assert client.lost == []
    assert engine.stop() == 0


def test_maintenance_that_began_early_ends_with_a_start_that_stops(engine):
    done = engine.spec("""
        files: [{path: flag, on_failure: {serve: maintenance}}]
        wait_for: [{name: db, file: late, deadline: 1s, on_failure: {stop: {exit_code: 9}}}]
    """).run()  # fmt: skip
    assert done.returncode == 9
    assert engine.tries("/") is None


def test_when_its_time_is_over_the_next_action_follows(engine):
    began = time.monotonic()
    done = engine.spec(
        "files: [{path: flag, on_failure: [{serve: maintenance, for: 1s}, {stop: {exit_code: 9}}]}]"
    ).run()
    assert done.returncode == 9
    assert 0.9 < time.monotonic() - began < 5


def test_time_that_is_over_ends_a_wait_that_would_go_on(engine):
    began = time.monotonic()
    done = engine.spec(
        "wait_for: [{name: db, tcp: '127.0.0.1:1', deadline: 1s, on_failure: [{serve: maintenance, for: 2s}, warn]}]",
        launch="",
    ).run()
    assert done.returncode == 0, done.stderr
    assert time.monotonic() - began < 8
    assert engine.item("wait:db")["status"] == "warned"


def test_when_the_time_is_over_while_a_wait_goes_on_nothing_is_said_twice(engine):
    began = time.monotonic()
    done = engine.spec("""
        wait_for: [{name: db, tcp: '127.0.0.1:1', deadline: 4s, on_failure: [{serve: maintenance, for: 3s}, stop]}]
        steps: [{name: migrate, run: ['true'], needs: [db]}]
    """).run()  # fmt: skip
    assert done.returncode == 75, done.stderr
    assert 6.9 < time.monotonic() - began < 15
    assert done.stderr.count("is in maintenance until this is resolved") == 1
    assert done.stderr.count("blocked   step:migrate") == 1
    assert "serving maintenance instead, for 3 s at most" in done.stderr
    db = engine.item("wait:db")
    assert db["duration_ms"] > 6_500, "the attempts of the whole start are counted, and so is their time"


def test_a_step_that_was_tried_is_not_tried_again(engine):
    engine.spec("""
        steps:
          - {name: once, run: [sh, -c, 'echo x >> once; exit 1'], on_failure: [{serve: maintenance, for: 3s}, warn]}
    """).start().serving(30)  # fmt: skip
    assert (engine.root / "once").read_text() == "x\n"
    assert engine.item("step:once")["status"] == "warned"


def test_a_step_that_can_tell_whether_it_is_done_is_tried_again(engine):
    engine.spec("""
        steps:
          - {name: again, run: [sh, -c, 'test -e flag && touch made'], creates: made, on_failure: {serve: maintenance}}
          - {name: behind, run: [touch, behind]}
    """).start()  # fmt: skip
    engine.until(lambda: engine.status() == "maintenance")
    assert not (engine.root / "behind").exists()
    engine.write("flag")
    engine.serving()
    assert engine.item("step:again")["status"] == "healed"
    assert (engine.root / "behind").exists()


def test_another_app_can_be_served_meanwhile(engine):
    engine.write("closed.py", """
        async def app(scope, receive, send):
            if scope["type"] == "http":
                await send({"type": "http.response.start", "status": 418, "headers": []})
                await send({"type": "http.response.body", "body": b"closed"})
    """)  # fmt: skip
    engine.spec("files: [{path: flag, on_failure: {serve: 'closed:app'}}]").start()
    engine.until(lambda: engine.tries("/"))
    assert engine.get("/")[0] == 418
    client = Client(engine)
    engine.write("flag")
    engine.serving()
    eventually(lambda: client.answers[-1] == 200)
    client.stop()
    assert client.lost == []
    assert engine.stop() == 0


def test_another_app_that_does_not_come_up_gives_way_to_maintenance(engine):
    engine.spec("files: [{path: flag, on_failure: {serve: 'nothing:app'}}]").start()
    engine.until(lambda: engine.tries("/"))
    assert engine.get("/")[0] == 503
    assert "cannot serve nothing:app instead" in engine.stderr


def test_an_app_that_does_not_import_is_maintained_until_it_does(engine):
    engine.write("main.py", "raise RuntimeError('half of a deployment')\n")
    engine.spec(
        launch="{app: main:app, host: 127.0.0.1, port: PORT, on_failure: {serve: maintenance}}"
    ).start()
    engine.until(lambda: engine.tries("/"))
    assert engine.get("/")[0] == 503
    from starting import APP

    engine.write("main.py", APP)
    engine.serving(30)
    assert engine.get("/")[0] == 200


def test_a_service_that_never_becomes_ready_is_maintained(engine):
    engine.write("broken-ready")
    engine.spec("health: {ready: /ready, deadline: 1s, on_failure: {serve: maintenance}}").start()
    engine.until(lambda: engine.status() == "maintenance")
    engine.until(lambda: (engine.tries("/ready") or (0,))[0] == 503)
    (engine.root / "broken-ready").unlink()
    engine.serving(30)
    assert engine.item("health:ready")["status"] == "healed"


def test_maintenance_for_a_command_binds_its_port_until_it_runs(engine):
    engine.spec("files: [{path: flag, on_failure: {serve: maintenance}}]\nhealth: {ready: /}",
                launch="{command: [python, -m, http.server, 'PORT', --bind, 127.0.0.1], host: 127.0.0.1, port: PORT}").start()  # fmt: skip
    engine.until(lambda: engine.tries("/"))
    assert engine.get("/")[0] == 503
    engine.write("flag")
    engine.serving()
    assert engine.get("/")[0] == 200


def test_maintenance_that_was_killed_is_begun_again(engine):
    import os

    from starting import cmdline, family

    engine.spec(
        "files: [{path: flag, on_failure: {serve: maintenance}}]",
        launch=f"{{app: main:app, host: 127.0.0.1, port: {free_port()}}}",
    )
    engine.spec("files: [{path: flag, on_failure: {serve: maintenance}}]").start()
    engine.until(lambda: engine.tries("/"))
    served = [pid for pid in family(engine.process.pid) if b"maintenance" in cmdline(pid)]
    os.kill(served[0], signal.SIGKILL)
    engine.until(
        lambda: [
            pid for pid in family(engine.process.pid) if b"maintenance" in cmdline(pid) and pid != served[0]
        ]
    )
    engine.until(lambda: engine.tries("/"))


def retry_after(engine):
    """What a 503 says; None as long as nobody answers."""
    try:
        urllib.request.urlopen(f"http://127.0.0.1:{engine.port}/").close()
    except urllib.error.HTTPError as error:
        with error:
            return int(error.headers["Retry-After"])
    except OSError:
        return None


def test_retry_after_is_the_time_until_the_next_check(engine):
    engine.spec("files: [{path: flag, on_failure: {serve: maintenance}}]").start()
    engine.until(lambda: retry_after(engine) == 5)  # within the next seconds, which is said as five
    engine.until(lambda: engine.status() == "maintenance")
    assert retry_after(engine) == 5
    # The pauses grow: 1, 2, 4, 8, 16 s.
    engine.until(lambda: 6 <= retry_after(engine) <= 16, 60)


def test_retry_after_may_be_said_in_the_spec(engine):
    engine.spec("files: [{path: flag, on_failure: {serve: maintenance, retry_after: 2m}}]").start()
    engine.until(lambda: retry_after(engine))
    assert retry_after(engine) == 120
    engine.until(lambda: engine.status() == "maintenance")
    time.sleep(1.5)  # past the first check
    assert retry_after(engine) == 120


def test_visitors_are_told_what_the_spec_says_and_no_secret(engine):
    engine.spec("""
        variables: {PW: {secret: true, required: true}}
        files: [{path: flag, on_failure: {serve: maintenance, message: "Moving <b>house</b>, not telling ${PW}."}}]
    """).start(env={"PW": "swordfish"})  # fmt: skip
    engine.until(engine.tries)
    assert engine.get()[1]["detail"] == "Moving <b>house</b>, not telling ***."
    asked = urllib.request.Request(f"http://127.0.0.1:{engine.port}/", headers={"Accept": "text/html"})
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(asked)
    with caught.value as answer:
        page = answer.read().decode()
    assert "Moving &lt;b&gt;house&lt;/b&gt;, not telling ***." in page
    assert "There is nothing you need to do" not in page


def test_what_answers_meanwhile_is_begun_again_at_once_when_it_was_killed(engine):
    """The socket listens on: until somebody answers, who knocks would wait in its queue, the probe of liveness too."""
    engine.spec("files: [{path: flag, on_failure: {serve: maintenance}}]\nhealth: {live: /live}").start()
    engine.until(lambda: (retry_after(engine) or 0) > 6, 60)  # the next check is some seconds away
    (pid,) = [each for each in family(engine.process.pid) if b"maintenance.py" in cmdline(each)]
    os.kill(pid, signal.SIGKILL)
    began = time.monotonic()
    engine.until(lambda: engine.tries("/live"))
    assert engine.get("/live")[0] == 200
    assert time.monotonic() - began < 5
    engine.write("flag")
    engine.serving(60)
    assert engine.stop() == 0
