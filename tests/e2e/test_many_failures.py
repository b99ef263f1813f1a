import socket


def test_one_start_tells_everything_that_is_wrong(engine):
    with socket.create_server(("127.0.0.1", engine.port)):
        done = engine.spec("""
            variables:
              DATABASE_URL: {required: true, why: the orders live there}
              LEVEL: {allowed: [debug, info]}
            packages: [no-such-thing]
            modules: [nowhere]
            directories: [{path: /proc/logs}]
            files: [settings.toml]
            wait_for: [{name: db, tcp: '127.0.0.1:1', deadline: 200ms}]
            checks: [{name: ledger, run: [sh, -c, 'echo it is out of balance; exit 1']}]
            steps:
              - {name: migrate, run: [touch, migrated], needs: [db]}
              - {name: collect, run: [touch, collected]}
        """).run(env={"LEVEL": "loud"})
    assert done.returncode == 3
    failed = {name for name, status in engine.statuses().items() if status == "failed"}
    assert failed == {
        "variable:DATABASE_URL", "variable:LEVEL", "package:no-such-thing", "module:nowhere", "directory:/proc/logs",
        "file:settings.toml", "wait:db", "check:ledger", "port",
    }  # fmt: skip
    for each in (each for each in engine.report()["items"] if each["status"] == "failed"):
        assert each["hint"], each["id"]
        assert each["code"].startswith("ORC"), each["id"]
        assert each["file"] == "startup.yaml", each["id"]
        assert each["line"] > 2, each["id"]
        assert each["summary"] in done.stderr
    assert engine.statuses()["step:migrate"] == engine.statuses()["step:collect"] == "blocked"
    assert "wait:db" in engine.item("step:migrate")["summary"]
    assert not (engine.root / "migrated").exists()
    assert not (engine.root / "collected").exists()
    assert engine.statuses().get("launch") in (None, "blocked")


def test_the_remedies_are_in_the_last_screen(engine):
    done = engine.spec(
        "packages: [no-such-thing]\nvariables: {TOKEN: {required: true, why: the bank asks for it}}"
    ).run()
    last = done.stderr.split("did not start")[1]
    assert "pip install" in last
    assert "TOKEN=" in last
    assert "the bank asks for it" in last
    assert "startup.yaml:3" in last
    assert "orchestrator explain ORC401" in last


def test_what_needs_something_that_failed_is_blocked_by_it_across_phases(engine):
    engine.spec("""
        directories: [{path: /proc/data}]
        wait_for: [{name: db, tcp: '127.0.0.1:1', deadline: 200ms, needs: ['directory:/proc/data']}]
        checks: [{name: ledger, run: ['true'], needs: [db]}]
    """).run()
    assert engine.statuses() | {} == engine.statuses()
    assert engine.item("wait:db")["status"] == "blocked"
    assert "directory:/proc/data" in engine.item("wait:db")["summary"]
    assert engine.item("check:ledger")["status"] == "blocked"
    assert "wait:db" in engine.item("check:ledger")["summary"]


def test_a_requirement_can_need_a_step_and_comes_after_it(engine):
    done = engine.spec("""
        steps: [{name: fetch, run: [touch, model.bin]}]
        files: [{path: model.bin, needs: ['step:fetch']}]
    """, launch="").run()  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert engine.item("file:model.bin")["status"] == "ok"


def test_a_module_can_need_a_wait(engine):
    engine.write("late.py", "assert __import__('os').path.exists('flag')\n")
    engine.spec(
        "modules: [{module: late, needs: [flag]}]\nwait_for: [{name: flag, file: flag, deadline: 20s}]"
    ).start().says("wait:flag")
    engine.write("flag")
    engine.serving()
    assert engine.item("module:late")["attempts"] == 1


def test_a_missing_variable_is_told_with_all_its_places(engine):
    done = engine.spec(
        "directories: [{path: '${DATA}/a'}, {path: '${DATA}/b'}]\nfiles: [{path: '${OTHER}'}]"
    ).run()
    assert done.returncode == 78
    assert done.stderr.count("error[ORC217]") == 2
    assert "startup.yaml:3:" in done.stderr
    assert "also needed at" in done.stderr
    assert not (engine.state / "report.json").exists()


def test_places_in_items_that_are_skipped_need_no_variable(engine):
    done = engine.spec("directories: [{path: '${DATA}/a', when: {variable: DATA, is: set}}]", launch="").run()
    assert done.returncode == 0, done.stderr
    assert engine.item("directory:${DATA}/a")["status"] == "skipped"


def test_a_value_of_the_wrong_type_is_told_with_its_place(engine):
    done = engine.spec("", launch="{app: main:app, port: '${NUMBER}'}").run(env={"NUMBER": "eighty"})
    assert done.returncode == 78
    assert "startup.yaml:4:31: error[ORC218]" in done.stderr
    assert "Traceback" not in done.stderr


def test_an_item_whose_condition_does_not_hold_is_skipped_and_says_why(engine):
    done = engine.spec("""
        files: [{path: nothing, when: {variable: DEBUG, is: true}}]
        wait_for: [{name: db, tcp: '127.0.0.1:1', when: {environment: production}}]
        steps: [{name: seed, run: ['false'], when: {exists: seeds}}]
    """, launch="").run()  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert set(engine.statuses().values()) == {"skipped"}
    assert engine.item("file:nothing")["summary"] == "`DEBUG` is unset"
    assert engine.item("step:seed")["summary"] == "seeds does not exist"


def test_a_condition_that_cannot_be_told_fails_the_item(engine):
    done = engine.spec("files: [{path: nothing, when: {variable: DEBUG, is: true}}]", launch="").run(
        env={"DEBUG": "maybe"}
    )
    assert done.returncode == 3
    assert "neither true nor false" in engine.item("file:nothing")["summary"]


def test_a_port_that_is_none_is_the_only_thing_that_failed_and_the_app_is_still_imported(engine):
    spec = "variables: {NUMBER: {type: port, required: true}}"
    done = engine.spec(spec, launch="{app: main:app, port: '${NUMBER}'}").run(env={"NUMBER": "eighty"})
    assert done.returncode == 3
    assert engine.statuses() == {"variable:NUMBER": "failed", "port": "blocked", "launch": "blocked"}
    assert [each["module"] for each in engine.report()["imports"]] == ["main"]


def test_what_is_written_with_a_variable_that_was_let_go_is_let_go_as_well(engine):
    engine.spec("""
        variables: {CHAT_HOST: {required: true, on_failure: {degrade: chat}}}
        wait_for: [{name: chat, tcp: '${CHAT_HOST}:1'}]
    """).start().serving()  # fmt: skip
    assert engine.statuses()["wait:chat"] == "skipped"
    assert engine.report()["degraded"] == ["chat"]


def test_a_launch_that_is_written_with_a_variable_that_was_let_go_is_not_tried(engine):
    spec = "variables: {NUMBER: {type: port, required: true, on_failure: warn}}"
    done = engine.spec(spec, launch="{app: main:app, port: '${NUMBER}'}").run(env={"NUMBER": "eighty"})
    assert done.returncode in (3, 5)
    assert "`NUMBER`, which has no usable value" in done.stderr
