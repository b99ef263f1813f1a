import os
import time

import pytest
from starting import APP


def test_a_service_that_never_becomes_ready_ends_with_5(engine):
    engine.write("broken-ready")
    done = engine.spec("health: {ready: /ready, deadline: 700ms}").run()
    assert done.returncode == 5
    assert engine.item("health:ready")["code"] == "ORC703"
    assert "500" in engine.item("health:ready")["summary"]


@pytest.mark.parametrize(
    ("status", "reason", "remedy"),
    [
        (503, "unexpected", "its own log says what it waits for"),
        (404, "unexpected", "knows no GET /ready: is that what it calls its endpoint?"),
        (401, "auth", "a health endpoint answers without a login"),
        (307, "unexpected", "it points to /ready/"),
    ],
)
def test_the_remedy_fits_what_the_app_answers(engine, status, reason, remedy):
    engine.write("main.py", f"""
async def app(scope, receive, send):
    await send({{"type": "http.response.start", "status": {status}, "headers": [(b"location", b"/ready/")]}})
    await send({{"type": "http.response.body", "body": b""}})
""")  # fmt: skip
    done = engine.spec("health: {ready: /ready, deadline: 700ms}").run()
    assert done.returncode == 5
    item = engine.item("health:ready")
    assert item["reason"] == reason
    assert remedy in item["hint"]
    assert item["summary"].startswith(
        "not well and never will be: " if reason == "auth" else "not well within 0.7 s: "
    )


def test_restarts_are_counted_and_then_the_next_action_follows(engine):
    engine.write("broken-ready")
    engine.write("main.py", APP + "\nopen('starts', 'a').write('x')\n")
    began = time.monotonic()
    done = engine.spec(
        "health: {ready: /ready, deadline: 500ms, on_failure: [{restart: {times: 2}}, {stop: {exit_code: 12}}]}"
    ).run()
    assert done.returncode == 12
    assert (engine.root / "starts").read_text() == "xxx"
    assert time.monotonic() - began < 15
    assert [each["action"] for each in engine.item("health:ready")["fallbacks"]] == ["restart", "restart"]


def test_a_restart_that_helps_heals(engine):
    engine.write("main.py", APP.replace("broken =", "broken = not os.path.exists('second') or") + "\nopen('starts', 'a').write('x')\n"
                 "if open('starts').read() == 'xx': open('second', 'w').close()\n")  # fmt: skip
    engine.spec(
        "health: {ready: /ready, deadline: 700ms, on_failure: {restart: {times: 3}}}"
    ).start().serving()
    assert engine.item("health:ready")["status"] == "healed"
    assert engine.stop() == 0


def test_what_the_answer_must_look_like_is_verified_at_the_start(engine):
    done = engine.spec(
        "health: {ready: {path: /ready, expect: {json: {path: {matches: ^/other}}}}, deadline: 700ms}"
    ).run()
    assert done.returncode == 5
    assert "path" in engine.item("health:ready")["summary"]
    engine.spec("health: {ready: {path: /ready, expect: {json: {path: /ready}}}}").start().serving()
    assert engine.command("health").returncode == 0


def test_one_more_endpoint_that_fails_ends_it(engine):
    engine.write("broken-orders")
    done = engine.spec("health: {ready: /ready, endpoints: {orders: /orders}, deadline: 1s}").run()
    assert done.returncode == 5
    assert engine.statuses()["health:ready"] == "ok"
    assert engine.statuses()["health:orders"] == "failed"


def test_warn_keeps_a_server_that_is_not_ready(engine):
    engine.write("broken-ready")
    engine.spec("health: {ready: /ready, deadline: 500ms, on_failure: warn}").start().serving()
    assert engine.item("health:ready")["status"] == "warned"
    assert engine.get("/x")[0] == 200


def test_a_command_that_mends_is_followed_by_another_look_at_the_same_server(engine):
    engine.write("broken-ready")
    engine.write("main.py", APP + "\nopen('starts', 'a').write('x')\n")
    engine.spec(
        "health: {ready: /ready, deadline: 600ms, on_failure: {run: [rm, broken-ready]}}"
    ).start().serving()
    assert engine.item("health:ready")["status"] == "healed"
    assert (engine.root / "starts").read_text() == "x"


def test_a_server_that_dies_while_it_is_asked_ends_with_5_at_once(engine):
    engine.write("broken-ready")
    engine.write("main.py", APP + "\nimport threading\nthreading.Timer(0.7, lambda: os._exit(0)).start()\n")
    began = time.monotonic()
    done = engine.spec("health: {ready: /ready, deadline: 60s}").run()
    assert done.returncode == 5
    assert time.monotonic() - began < 10
    assert "ended with 0" in engine.item("health:ready")["summary"]


def test_an_app_whose_start_up_fails_ends_with_5_and_says_where_to_look(engine):
    engine.write(
        "main.py",
        "async def app(scope, receive, send):\n    if scope['type'] == 'lifespan':\n        raise RuntimeError('no ledger')\n",
    )
    done = engine.spec(launch="{app: main:app, host: 127.0.0.1, port: PORT, options: {lifespan: 'on'}}").run()
    assert done.returncode == 5
    assert engine.item("launch")["status"] == "failed"


@pytest.mark.parametrize(
    "kind",
    ["command: [test, -e, beat]", "heartbeat: {file: beat, max_age: 60s}"],
    ids=["command", "heartbeat"],
)
def test_a_service_without_http_is_asked_by_a_command_or_a_heartbeat(engine, kind):
    engine.write("work.py", "import time\ntime.sleep(0.3)\nopen('beat', 'w').close()\ntime.sleep(60)\n")
    engine.spec(f"health: {{ready: {{{kind}}}}}", launch="{command: [python, work.py]}").start().serving()
    assert engine.item("health:ready")["status"] == "ok"
    asked = engine.command("health")
    assert asked.returncode == 0, asked.stdout
    assert engine.stop() in (0, 143)


def test_a_heartbeat_that_stops_is_seen_by_the_probe(engine):
    engine.write("work.py", "import time\nopen('beat', 'w').close()\ntime.sleep(60)\n")
    engine.spec(
        "health: {ready: {heartbeat: {file: beat, max_age: 30s}}}", launch="{command: [python, work.py]}"
    ).start().serving()
    os.utime(engine.root / "beat", (1, 1))
    assert engine.command("health").returncode == 1


def test_a_heartbeat_from_before_the_launch_says_nothing(engine):
    engine.write("beat")
    engine.write("work.py", "import time\ntime.sleep(60)\n")
    engine.spec(
        "health: {ready: {heartbeat: {file: beat, max_age: 60s}}, deadline: 1s}",
        launch="{command: [python, work.py]}",
    )
    assert engine.run().returncode == 5
    assert "from before the launch" in engine.item("health:ready")["summary"]


def test_a_heartbeat_of_the_server_before_says_nothing_about_the_next(engine):
    engine.write("work.py", """
        import os, time
        first = not os.path.exists("beat")
        if not first:
            time.sleep(1.5)
        open("beat", "w").close()
        while not (first and os.path.exists("crash")):
            time.sleep(0.02)
        os._exit(9)
    """)  # fmt: skip
    engine.spec(
        "health: {ready: {heartbeat: {file: beat, max_age: 60s}}, deadline: 20s}",
        launch="{command: [python, work.py], restart: on-failure}",
    ).start().serving()
    engine.write("crash")
    engine.says("restarting in")
    before = os.stat(engine.root / "beat").st_mtime
    engine.says("the server is ready again")
    assert os.stat(engine.root / "beat").st_mtime > before


def test_how_the_workers_came_to_have_the_app_is_in_the_report(engine):
    engine.write(
        "main.py",
        APP
        + "\nimport threading, time\nthreading.Thread(target=time.sleep, args=(600,), daemon=True).start()\n",
    )
    engine.spec(launch="{app: main:app, host: 127.0.0.1, port: PORT, workers: 2}").start().serving()
    (said,) = [each["message"] for each in engine.report()["notes"] if "workers" in each["message"]]
    assert said.startswith("2 workers, each imports for itself: ")
    assert "thread" in said


@pytest.mark.parametrize("action", ["warn", "{degrade: all}"], ids=["warn", "degrade"])
def test_nothing_goes_on_without_a_server(engine, action):
    engine.write("broken-ready")
    engine.write("main.py", APP + "\nimport threading\nthreading.Timer(0.5, lambda: os._exit(0)).start()\n")
    assert engine.spec(f"health: {{ready: /ready, on_failure: {action}}}").run().returncode == 5
    assert engine.item("health:ready")["status"] == "failed"
    assert engine.report()["degraded"] == []


@pytest.mark.parametrize("server", ["uvicorn", "gunicorn"])
def test_a_server_that_hangs_before_it_is_ready_shows_where(engine, server):
    pytest.importorskip(server)
    engine.write(
        "main.py",
        "import time\n\ndef stuck():\n    time.sleep(600)\n\nasync def app(scope, receive, send):\n    stuck()\n",
    )
    where = f"{{app: main:app, host: 127.0.0.1, port: PORT, server: {server}, shutdown: {{grace: 300ms}}}}"
    done = engine.spec("health: {ready: /ready, deadline: 3s}", launch=where).run()
    assert done.returncode == 5
    assert " in stuck\n" in done.stderr
