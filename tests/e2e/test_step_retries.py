import json


def flaky(engine, times):
    """A step that fails until it was tried so often."""
    return engine.write("flaky.sh", f"echo x >> tries; test $(wc -l < tries) -ge {times}")


def tries(engine):
    return len((engine.root / "tries").read_text().splitlines())


def test_a_step_that_says_retry_is_tried_again_until_it_is_well(engine):
    flaky(engine, 3)
    engine.spec("steps: [{name: m, run: [sh, flaky.sh], retry: {initial: 10ms, times: 5}}]", launch="")
    done = engine.run()

    assert done.returncode == 0, done.stderr
    assert tries(engine) == 3
    assert engine.item("step:m")["attempts"] == 3


def test_a_step_that_stays_unwell_has_no_more_attempts_than_it_says(engine):
    flaky(engine, 9)
    engine.spec("steps: [{name: m, run: [sh, flaky.sh], retry: {initial: 10ms, times: 2}}]", launch="")

    assert engine.run().returncode == 3
    assert tries(engine) == 2


def test_a_step_without_retry_is_tried_once(engine):
    flaky(engine, 9)
    engine.spec("steps: [{name: m, run: [sh, flaky.sh]}]\ndefaults: {retry: {times: 5}}", launch="")

    assert engine.run().returncode == 3
    assert tries(engine) == 1


def test_the_timeout_is_an_attempts_and_the_deadline_is_for_all(engine):
    engine.write("slow.sh", "echo x >> tries; exec sleep 30")
    engine.spec(
        "steps: [{name: m, run: [sh, slow.sh], timeout: 100ms, deadline: 10s, retry: {initial: 10ms, times: 3}}]",
        launch="",
    )

    assert engine.run().returncode == 3
    assert tries(engine) == 3
    assert "did not end within 0.1 s" in engine.item("step:m")["summary"]


def test_a_schema_is_found_beside_the_spec_that_names_it(engine):
    (engine.root / "deploy").mkdir()
    (engine.root / "deploy/settings.schema.json").write_text(json.dumps({"required": ["currency"]}))
    (engine.root / "settings.json").write_text("{}")
    (engine.root / "deploy/startup.yaml").write_text(
        "version: 1\nservice: shop\nfiles: [{path: settings.json, schema: settings.schema.json}]\n"
    )
    done = engine.command("-f", "deploy/startup.yaml", "check")

    assert done.returncode == 3
    assert "currency" in done.stderr
