"""Degraded features after the launch: tried again, on again, off for too long; with the server that runs."""

import contextlib
import json
import os
import shutil
import subprocess
import time

import pytest
from matrices import mostly_long
from starting import APP, alive, cmdline, family

RECHECKED = "{degrade: search, recheck: 200ms}"


def off(engine):
    return engine.get("/")[1]["degraded"]


def state(engine):
    return json.loads((engine.state / "state.json").read_text())


def told(engine, event, **facts):
    return [each for each in engine.events() if each["event"] == event and facts.items() <= each.items()]


def test_a_feature_is_on_again_when_its_item_holds_and_everybody_is_told(engine):
    engine.spec(
        f"files: [{{path: late, on_failure: {RECHECKED}}}]\nhealth: {{ready: /ready}}"
    ).start().serving()
    assert (engine.status(), off(engine)) == ("degraded", ["search"])
    server = engine.get("/")[1]["pid"]
    engine.write("late")
    engine.until(lambda: engine.status() == "ready")
    assert off(engine) == []
    assert engine.get("/")[1]["pid"] == server, "the server was not to be restarted"
    assert (engine.report()["status"], engine.report()["degraded"]) == ("ready", [])
    assert engine.item("file:late")["status"] == "healed"
    (line,) = engine.until(lambda: told(engine, "feature", on=True))
    assert (line["feature"], line["item"]) == ("search", "file:late")
    assert 0 < line["seconds"] < 60
    assert [each["feature"] for each in told(engine, "feature", on=False)] == ["search"]
    assert engine.stop() == 0


def test_a_feature_that_came_back_is_watched_no_further(engine):
    engine.spec("checks: [{name: it, run: [sh, -c, 'echo x >> tries; test -e late'], on_failure: "
                + RECHECKED + "}]").start().serving()  # fmt: skip
    engine.write("late")
    engine.until(lambda: engine.status() == "ready")
    tries = (engine.root / "tries").read_text()
    time.sleep(1)
    assert (engine.root / "tries").read_text() == tries


def test_a_feature_of_several_items_comes_back_with_the_last(engine):
    engine.spec(f"""
        files:
          - {{path: one, on_failure: {RECHECKED}}}
          - {{path: two, on_failure: {RECHECKED}}}
    """).start().serving()
    engine.write("one")
    engine.until(lambda: engine.statuses()["file:one"] == "healed")
    engine.says("file:one holds")
    assert (engine.status(), off(engine)) == ("degraded", ["search"])
    engine.write("two")
    engine.until(lambda: engine.status() == "ready")
    assert off(engine) == []


PHASES = {
    "module": ("modules: [{module: extra, on_failure: %s}]", "extra.py"),
    "wait": ("wait_for: [{name: it, file: late, deadline: 200ms, on_failure: %s}]", "late"),
    "check": ("checks: [{name: it, run: [test, -e, late], on_failure: %s}]", "late"),
    "step": (
        "steps: [{name: it, run: [sh, -c, 'test -e late && touch done'], creates: done, on_failure: %s}]",
        "late",
    ),
    "variable": ("variables: {KEY: {required: true, from_file: true, on_failure: %s}}", "key"),
    "directory": ("directories: [{path: late, create: false, on_failure: %s}]", "late/"),
}


@pytest.mark.parametrize("kind", mostly_long(PHASES, "module", "variable"))
def test_items_of_every_phase_are_tried_again(engine, kind):
    text, mend = PHASES[kind]
    environ = {"KEY_FILE": str(engine.root / "key")} if mend == "key" else {}
    engine.spec(text % RECHECKED).start(env=environ).serving()
    assert engine.status() == "degraded"
    if mend.endswith("/"):
        (engine.root / mend).mkdir()
    else:
        engine.write(mend, "1")
    engine.until(lambda: engine.status() == "ready")
    assert "healed" in engine.statuses().values()


def test_a_step_that_was_tried_and_cannot_say_whether_it_is_done_is_not_run_again(engine):
    engine.spec("steps: [{name: it, run: [sh, -c, 'echo x >> runs; exit 1'], on_failure: " + RECHECKED + "}]")
    engine.start().serving()
    time.sleep(1)
    assert (engine.root / "runs").read_text() == "x\n"


def test_restart_app_starts_the_server_anew_with_what_it_has_now(engine):
    engine.spec("""
        variables: {APP_KEY: {required: true, from_file: true, on_failure: {degrade: search, recheck: 200ms, restart_app: true}}}
        health: {ready: /ready}
    """).start(env={"APP_KEY_FILE": str(engine.root / "key")}).serving()
    before = engine.get("/")[1]
    assert before["at_import"] == "search"
    engine.write("key", "found")
    after = engine.until(lambda: (found := engine.tries()) and found[1]["pid"] != before["pid"] and found[1])
    assert (after["at_import"], after["environ"]["APP_KEY"]) == ("", "found")
    engine.until(lambda: engine.status() == "ready")
    assert engine.stop() == 0


def test_what_is_off_for_too_long_goes_on_with_the_next_action(engine):
    engine.spec(
        "files: [{path: late, on_failure: [{degrade: search, recheck: 100ms, max_degraded: 4s}, {stop: {exit_code: 9}}]}]"
    ).start().serving()
    assert engine.wait() == 9
    assert engine.status() == "failed"


@pytest.mark.long
def test_the_end_of_the_list_stops_with_the_code_of_the_item(engine):
    engine.spec(
        "files: [{path: late, on_failure: [{degrade: search, recheck: 100ms, max_degraded: 4s}]}]"
    ).start().serving()
    assert engine.wait() == 3


def test_a_remedy_behind_degrade_is_tried_beside_the_server(engine):
    engine.spec("""
        files: [{path: late, on_failure: [{degrade: search, recheck: 10s, max_degraded: 4s}, {run: [touch, late]}]}]
    """).start().serving()
    server = engine.get("/")[1]["pid"]
    engine.until(lambda: engine.status() == "ready")
    assert engine.get("/")[1]["pid"] == server
    assert engine.item("file:late")["fallbacks"][-1]["action"] == "run"


@pytest.mark.long
def test_warn_behind_degrade_leaves_the_feature_off(engine):
    engine.spec("""
        files: [{path: late, on_failure: [{degrade: search, recheck: 10s, max_degraded: 4s}, warn]}]
    """).start().serving()
    engine.until(lambda: engine.statuses()["file:late"] == "warned")
    engine.says("going on all the same")
    assert (engine.status(), off(engine)) == ("degraded", ["search"])


def test_another_feature_goes_off_behind_the_first(engine):
    engine.spec("""
        files: [{path: late, on_failure: [{degrade: search, recheck: 10s, max_degraded: 4s}, {degrade: orders, recheck: 200ms}]}]
    """).start().serving()
    engine.until(lambda: off(engine) == ["orders", "search"])
    engine.write("late")
    engine.until(lambda: off(engine) == [])
    assert len(told(engine, "feature", on=True)) == 2


def test_set_behind_degrade_brings_the_engine_back_and_starts_the_server_anew(engine):
    engine.spec("""
        checks: [{name: it, run: [sh, -c, 'test "$APP_MODE" = safe'], on_failure:
                 [{degrade: search, recheck: 10s, max_degraded: 4s}, {set: {APP_MODE: safe}}]}]
    """).start(env={"APP_MODE": "fast"}).serving()
    pid, server = engine.process.pid, engine.get("/")[1]["pid"]
    after = engine.until(lambda: (found := engine.tries()) and found[1]["pid"] != server and found[1])
    assert after["environ"]["APP_MODE"] == "safe"
    engine.serving()
    assert engine.process.pid == pid
    assert (engine.status(), off(engine)) == ("ready", [])
    assert engine.item("check:it")["status"] == "healed"
    assert engine.stop() == 0


def test_maintenance_behind_degrade_checks_again_and_hands_over(engine):
    engine.spec("""
        files: [{path: late, on_failure: [{degrade: search, recheck: 10s, max_degraded: 4s}, {serve: maintenance}]}]
    """).start().serving()
    engine.until(lambda: (engine.tries() or (0,))[0] == 503)
    engine.says("the engine is back")
    engine.says("is in maintenance until this is resolved")
    assert "  file:late (startup.yaml:4) [ORC441]" in engine.stderr, "what failed is the file, and no server"
    assert "what it printed is above" not in engine.stderr
    engine.write("late")
    engine.until(lambda: (engine.tries() or (0,))[0] == 200)
    engine.serving()
    assert (engine.status(), off(engine)) == ("ready", [])


def test_what_is_off_comes_back_before_the_launch_as_well(engine):
    engine.spec(f"""
        files: [{{path: late, on_failure: {RECHECKED}}}]
        steps: [{{name: slow, run: [sh, -c, 'touch late; sleep 1.5']}}]
    """).start().serving()
    assert engine.status() == "ready"
    assert engine.get("/")[1]["at_import"] == ""
    assert engine.item("file:late")["status"] == "healed"


def test_a_stop_does_not_wait_for_what_is_tried_again(engine):
    hangs = "test -e hang && echo $$ > pid && sleep 600; exit 1"
    engine.spec(f"checks: [{{name: it, run: [sh, -c, '{hangs}'], timeout: 600s, on_failure: {RECHECKED}}}]")
    engine.start().serving()
    engine.write("hang")
    engine.until((engine.root / "pid").exists)
    below = family(engine.process.pid)
    began = time.monotonic()
    assert engine.stop() == 0
    assert time.monotonic() - began < 10
    assert not [pid for pid in below if alive(pid)]


def test_secrets_are_masked_when_an_item_fails_differently(engine):
    engine.spec("""
        variables: {TOKEN: {secret: true, required: true}}
        checks: [{name: it, run: [sh, -c, 'cat said 2>/dev/null; exit 1'], on_failure: {degrade: search, recheck: 200ms}}]
    """).start(env={"TOKEN": "hunter2-hunter2"}).serving()
    engine.write("said", "no entry for hunter2-hunter2\n")
    engine.says("still fails")
    assert "no entry for ***" in engine.stderr
    assert "hunter2" not in engine.stderr
    assert "hunter2" not in (engine.state / "events.jsonl").read_text()


def test_what_does_not_change_is_not_told_again(engine):
    engine.spec(
        "checks: [{name: it, run: [sh, -c, 'echo x >> tries; exit 1'], on_failure: " + RECHECKED + "}]"
    )
    engine.start().serving()
    engine.until(lambda: (engine.root / "tries").read_text().count("x") >= 3)
    assert "check:it" not in engine.stderr.partition("shop is degraded")[2]


def test_a_spec_that_is_gone_is_told_once_and_the_service_goes_on(engine):
    engine.spec(f"files: [{{path: late, on_failure: {RECHECKED}}}]").start().serving()
    (engine.root / "startup.yaml").unlink()
    engine.says("cannot try file:late again")
    time.sleep(1.5)
    assert engine.stderr.count("cannot try file:late again") == 1
    assert engine.get("/")[0] == 200


def test_the_supervisor_stays_small_beside_what_it_starts(engine):
    engine.write("main.py", APP)
    engine.spec(
        "checks: [{name: it, run: [sh, -c, 'echo x >> tries; exit 1'], on_failure: " + RECHECKED + "}]"
    )
    engine.start().serving()
    engine.until(lambda: (engine.root / "tries").read_text().count("x") >= 4)
    assert b"supervisor.py" in cmdline(engine.process.pid)
    with open(f"/proc/{engine.process.pid}/smaps_rollup") as file:
        pss = next(int(line.split()[1]) for line in file if line.startswith("Pss:"))
    assert pss < 10 * 1024, f"{pss} kB"
    assert len(os.listdir(f"/proc/{engine.process.pid}/fd")) < 20


def test_a_crash_of_the_server_does_not_end_the_trying(engine):
    engine.spec(
        "checks: [{name: it, run: [sh, -c, 'echo x >> tries; sleep 0.3; test -e late'], on_failure: "
        + RECHECKED
        + "}]",
        launch="{app: main:app, host: 127.0.0.1, port: PORT, restart: on-failure}",
    ).start().serving()
    for _ in range(2):
        before = engine.tries()[1]["pid"]
        tries = len((engine.root / "tries").read_text())
        engine.until(lambda: len((engine.root / "tries").read_text()) > tries)  # noqa: B023 -- asked at once
        os.kill(before, 9)
        engine.until(lambda: (found := engine.tries()) and found[1]["pid"] != before)  # noqa: B023
    engine.write("late")
    engine.until(lambda: engine.status() == "ready")
    assert engine.stop() == 0


def test_it_is_tried_with_the_same_files_environment_and_words(engine):
    engine.spec(
        """
        variables: {APP_WORD: {default: other}}
        files: [{path: "${APP_WORD}", on_failure: {degrade: search, recheck: 200ms}}]
        """,
        name="else.yaml",
    )
    engine.spec("files: [{path: '${APP_WORD}', on_failure: warn}]", name="startup.yaml")
    engine.start("-f", "else.yaml", "--log-format", "json", env={"APP_WORD": "mine"}).serving()
    engine.write("other")
    engine.write("mine")
    engine.until(lambda: engine.status() == "ready")
    assert '"event": "feature"' in engine.stderr


def test_what_is_off_is_tried_again_in_maintenance_too(engine):
    engine.spec(f"""
        files: [{{path: flag, on_failure: {{serve: maintenance}}}}, {{path: late, on_failure: {RECHECKED}}}]
    """).start()
    engine.until(lambda: (engine.tries() or (0,))[0] == 503)
    engine.until(lambda: state(engine)["degraded"] == ["search"])
    engine.write("late")
    engine.until(lambda: state(engine)["degraded"] == [])
    engine.until(lambda: engine.status() == "maintenance")  # reported behind the first round of imports
    engine.write("flag")
    engine.serving()
    assert engine.get("/")[1]["at_import"] == ""
    assert engine.status() == "ready"


def test_a_variable_alone_is_no_order_of_the_supervisor(engine):
    engine.spec().start(env={"ORCHESTRATOR_ORDERS": "1"}).serving()
    assert "ORCHESTRATOR_ORDERS" not in engine.get("/")[1]["environ"]


def test_a_state_directory_that_was_swept_away_keeps_no_feature_from_coming_back(engine):
    """Who cleans /tmp knows nothing of us."""
    engine.spec(f"files: [{{path: late, on_failure: {RECHECKED}}}]").start().serving()
    shutil.rmtree(engine.state)
    engine.write("late")
    engine.says("file:late holds")
    engine.says("search is on again")
    assert "internal error" not in engine.stderr
    assert engine.stop() == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount")
def test_a_disk_that_was_full_is_written_again(engine):
    engine.state.mkdir(mode=0o700)
    subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=256k,mode=700", "none", str(engine.state)], check=True
    )
    try:
        engine.spec(f"""
            files: [{{path: one, on_failure: {RECHECKED}}}, {{path: two, on_failure: {{degrade: mail, recheck: 200ms}}}}]
        """).start().serving()
        with contextlib.suppress(OSError), (engine.state / "filler").open("wb", buffering=0) as filler:
            while True:
                filler.write(bytes(1024))
        engine.write("one")
        engine.says("search is on again")
        engine.says("cannot write the state directory")
        (engine.state / "filler").unlink()
        engine.write("two")
        engine.until(lambda: engine.status() == "ready")
        assert off(engine) == []
        assert engine.stderr.count("cannot write the state directory") == 1
        assert engine.stop() == 0
    finally:
        engine.end()
        subprocess.run(["umount", "--lazy", str(engine.state)], check=True)
