import os

SECRET = "s3cr3t-0f-th3-l3dg3r/x"
QUOTED = "s3cr3t-0f-th3-l3dg3r%2Fx"

SPEC = """
variables:
  TOKEN: {secret: true, required: true}
  DATABASE_URL: {secret: true, type: url, schemes: [postgresql]}
  BROKEN: {secret: true, pattern: '^never$', on_failure: warn}
checks:
  - {name: prints, run: [sh, -c, 'echo the token is $TOKEN; exit 1'], on_failure: warn}
  - {name: told, python: 'tell:it', on_failure: warn}
wait_for:
  - {name: db, postgres: '${DATABASE_URL}', deadline: 300ms, on_failure: warn}
  - {name: web, http: 'http://127.0.0.1:1/${TOKEN}', deadline: 300ms, on_failure: warn}
files:
  - {path: nothing, on_failure: [{run: [sh, -c, 'echo mending with $TOKEN; exit 1']}, warn]}
steps:
  - {name: prints, run: [sh, -c, 'echo $TOKEN; echo "$DATABASE_URL" >&2']}
  - {name: fails, run: [sh, -c, 'echo $TOKEN; exit 1'], on_failure: warn}
modules:
  - {module: raises, on_failure: warn}
health: {ready: /ready}
"""


def everything(engine):
    """All that the engine has written or shown."""
    texts = {"stderr": engine.stderr, "stdout": engine.out.read_text()}
    for folder, _, names in os.walk(engine.state):
        for name in names:
            with open(os.path.join(folder, name), errors="replace") as file:
                texts[name] = file.read()
    for command in (
        ["status"],
        ["status", "--format", "json"],
        ["report"],
        ["report", "--format", "json"],
        ["report", "--format", "junit"],
        ["health"],
    ):
        done = engine.command(*command)
        texts[" ".join(command)] = done.stdout + done.stderr
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{name}/cmdline", errors="replace") as file:
                texts[f"argv of {name}"] = file.read()
        except OSError:
            continue
    return texts


def leaks(engine):
    return [where for where, text in everything(engine).items() if SECRET in text or QUOTED in text]


def secret_environment():
    return {"TOKEN": SECRET, "DATABASE_URL": f"postgresql://u:{QUOTED}@127.0.0.1:1/db", "BROKEN": SECRET}


def prepared(engine):
    engine.write("tell.py", "import os\ndef it():\n    raise RuntimeError('with ' + os.environ['TOKEN'])\n")
    engine.write("raises.py", "import os\nraise RuntimeError('with ' + os.environ['TOKEN'])\n")
    return engine.spec(SPEC)


def test_the_value_of_a_secret_is_nowhere(engine):
    prepared(engine).start(env=secret_environment()).serving()
    assert engine.get("/")[0] == 200
    assert "***" in engine.stderr
    assert leaks(engine) == []


def test_the_value_of_a_secret_is_nowhere_in_a_json_log(engine):
    prepared(engine).start("--log-format", "json", env=secret_environment()).serving()
    assert "***" in engine.stderr
    assert leaks(engine) == []


def test_the_value_of_a_secret_is_not_in_a_failed_start(engine):
    prepared(engine)
    engine.write("startup.yaml", (engine.root / "startup.yaml").read_text().replace(", on_failure: warn", ""))
    engine.start(env=secret_environment())
    assert engine.wait() == 3
    assert leaks(engine) == []


def test_a_secret_that_does_not_fit_its_field_is_not_shown(engine):
    engine.spec("variables: {TOKEN: {secret: true}}", launch="{app: main:app, port: '${TOKEN}'}").start(
        env={"TOKEN": SECRET}
    )
    assert engine.wait() == 78
    assert SECRET not in engine.stderr
