import pytest
from matrices import mostly_long
from starting import APP


def test_a_missing_optional_module_leaves_a_fresh_import_of_the_app(engine):
    engine.write("main.py", APP + "\nopen('imports', 'a').write(AT_IMPORT + ';')\n")
    engine.spec("modules: [json, {module: assistant, on_failure: {degrade: chat}}, csv]").start().serving()
    assert engine.get("/")[1]["at_import"] == "chat"
    assert (engine.root / "imports").read_text().endswith("chat;")
    assert engine.statuses()["module:json"] == engine.statuses()["module:csv"] == "ok"
    said = engine.err.read_text()
    assert said.count("ok        module:json") == said.count("ok        module:csv") == 1, "told once"


CASES = {
    "hang": ("import time; time.sleep(60)", "timeout", "did not end in time"),
    "exit": ("import sys; sys.exit(3)", "exit", "sys.exit(3)"),
    "crash": ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", "crash", "SIGSEGV"),
    "exception": ("raise ValueError('no good')", "exception", "ValueError: no good"),
    "missing": ("import not_here_at_all", "missing", "not_here_at_all"),
}


@pytest.mark.parametrize("case", mostly_long(CASES, "hang", "crash"))
def test_a_module_that_hangs_ends_or_crashes_is_an_outcome_and_not_the_end(engine, case):
    text, reason, said = CASES[case]
    engine.write("bad.py", text + "\n")
    engine.spec("modules: [{module: bad, deadline: 600ms, on_failure: {degrade: bad}}]").start().serving()
    item = engine.item("module:bad")
    assert (item["status"], item["reason"]) == ("degraded", reason)
    assert said in item["summary"] + item["hint"] + engine.stderr
    assert engine.get("/")[1]["degraded"] == ["bad"]


@pytest.mark.parametrize(
    ("listed", "code"), [("modules: [bad]", 3), ("", 5)], ids=["listed", "the app alone"]
)
def test_a_listed_module_ends_with_3_and_the_app_alone_with_5(engine, listed, code):
    engine.write("bad.py", "raise ValueError('no good')\n")
    engine.write("main.py", "import bad\n" + APP)
    done = engine.spec(listed).run()
    assert done.returncode == code, done.stderr
    assert done.stderr.count("ValueError: no good") >= 1


def test_an_app_whose_import_needs_what_is_waited_for_is_imported_again_afterwards(engine):
    engine.write("main.py", APP + "\nassert os.path.exists('schema'), 'no schema yet'\n")
    engine.spec("steps: [{name: migrate, run: [touch, schema]}]").start().serving()
    assert engine.statuses()["launch"] == "ok"
    assert "no schema yet" not in engine.stderr


def test_a_listed_module_that_fails_until_a_wait_is_over_is_not_blamed(engine):
    engine.write("models.py", "import os\nassert os.path.exists('flag'), 'too early'\n")
    engine.spec("modules: [models]\nwait_for: [{name: flag, file: flag}]").start().says("wait:flag")
    engine.write("flag")
    engine.serving()
    assert engine.statuses()["module:models"] == "ok"


def test_a_wait_that_needs_a_module_that_fails_is_blocked(engine):
    engine.write("bad.py", "raise ValueError('no good')\n")
    done = engine.spec(
        "modules: [bad]\nwait_for: [{name: flag, file: startup.yaml, needs: ['module:bad']}]"
    ).run()
    assert done.returncode == 3
    assert engine.statuses()["wait:flag"] == "blocked"


def test_what_a_step_sets_is_known_when_the_app_is_imported(engine):
    engine.write("main.py", APP + "\nassert os.environ['APP_KEY'] == 'k1'\n")
    engine.spec("""
        variables: {APP_KEY: {required: true}}
        steps: [{name: key, run: [sh, -c, 'echo APP_KEY=k1 > "$ORCHESTRATOR_OUTPUT"'], outputs: [APP_KEY]}]
    """).start().serving()  # fmt: skip
    assert engine.get("/")[1]["environ"]["APP_KEY"] == "k1"
    assert engine.statuses()["variable:APP_KEY"] == "ok"


def test_what_takes_its_value_from_a_step_comes_after_it(engine):
    done = engine.spec("""
        files: [{path: '${WHERE}/model.bin'}]
        steps: [{name: fetch, shell: 'mkdir -p got; touch got/model.bin; echo WHERE=got > "$ORCHESTRATOR_OUTPUT"', outputs: [WHERE]}]
    """, launch="").run()  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert engine.statuses()["step:fetch"] == "ok"
    assert [name for name in engine.statuses() if name.startswith("file:")]


def test_an_import_that_takes_longer_than_it_may_is_ended(engine):
    engine.write("slow.py", "import time; time.sleep(60)\n")
    engine.spec("modules: [{module: slow, max_import_time: 500ms, on_failure: {degrade: slow}}]")
    engine.start().serving()
    assert engine.item("module:slow")["reason"] == "timeout"


def test_an_app_that_cannot_be_called_does_not_serve(engine):
    engine.write("main.py", "app = 3\n")
    done = engine.spec(launch="{app: main:app, port: PORT}").run()
    assert done.returncode == 5, done.stderr
    assert "`main:app` is of type int, which no server can call" in done.stderr
    assert (engine.item("launch")["reason"], engine.item("launch")["status"]) == ("app", "failed")
