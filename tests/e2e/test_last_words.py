"""What the platform finds in its termination log, for each kind of end; and what a log of JSON lines says then."""

import json
import os

import pytest

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="a termination log of one's own needs a mount")

DEVICES = """
mkdir -p {new} && mount -t tmpfs none {new} && cd {new}
for name in null zero full random urandom tty; do touch $name && mount --bind /dev/$name $name; done
mkdir shm && ln -s /proc/self/fd fd && touch termination-log && mount --bind {log} termination-log
mount --rbind {new} /dev && cd {root} && exec "$@"
"""


@pytest.fixture
def ended(engine, tmp_path):
    """A start to its end, with a termination log: its code, what stood on stderr, and the last words."""
    log = tmp_path / "termination"

    def ended(*words, env=None):
        log.write_text("")
        script = DEVICES.format(new=tmp_path / "dev", log=log, root=engine.root)
        engine.start(*words, env=env, prefix=("unshare", "--mount", "sh", "-e", "-c", script, "sh"))
        return engine.wait(), engine.stderr, log.read_text()

    return ended


def test_the_cause_and_the_hint_are_there(engine, ended):
    engine.spec("files: [{path: flag, why: the shop is closed without it}, nothing]")
    code, _, words = ended()
    assert code == 3
    first, second = words.splitlines()
    assert first.startswith("shop did not start (exit 3): file:flag (startup.yaml:3): ")
    assert "hint: " in first
    assert second.startswith("file:nothing (startup.yaml:3): ")


def test_a_cause_that_is_too_long_keeps_its_beginning_and_its_hint(engine, ended):
    engine.write("main.py", "raise RuntimeError('ä' * 9000)\n")
    engine.spec("")
    code, _, words = ended()
    assert code == 5
    assert 3500 < len(words.encode()) <= 4096
    assert words.startswith("shop did not start (exit 5): launch (startup.yaml:4): cannot import the app")
    assert words.endswith("hint: fix main.py:1: the traceback says what led there\n")


@pytest.mark.parametrize(
    ("text", "words", "code", "said"),
    [
        ("lunch: 1\n", (), 78, "startup.yaml:3:1: unknown key `lunch` in spec; hint: did you mean `launch`?"),
        ("", ("-f", "nowhere.yaml"), 78, "cannot read nowhere.yaml: no such file or directory"),
        ("files: ['${NOPE}']\n", (), 78, "startup.yaml:3:10: the variable `NOPE` is not set"),
        ("default_role: web\nroles: {web: {}}\n", ("-f", "startup.yaml", "--env", "UP"), 2, "must be lower-case letters"),
    ],
    ids=["invalid", "nowhere", "variable", "usage"],
)  # fmt: skip
def test_what_ends_a_start_before_it_began_is_there_as_well_and_in_a_line_of_json(
    engine, ended, text, words, code, said
):
    engine.spec(text)
    assert ended(*words)[0] == code
    ended_with, lines, last = ended("--log-format", "json", *words)
    assert ended_with == code
    assert last.startswith(("shop did not start", "the service did not start"))
    assert f"(exit {code}): " in last
    assert said in last
    records = [json.loads(line) for line in lines.splitlines()]
    assert records[-1]["event"] == "last_words"
    assert (records[-1]["level"], records[-1]["exit_code"]) == ("error", code)
    assert said.partition(";")[0] in records[-1]["cause"]


def test_findings_of_the_spec_are_lines_of_json_where_the_log_is_json(engine, ended):
    """A warning is no failure; it must not break what reads the log."""
    engine.spec("files: [{path: flag, on_failure: [{stop: {exit_code: 9}}, warn]}]")
    code, lines, _ = ended("--log-format", "json")
    assert code == 9
    records = [json.loads(line) for line in lines.splitlines()]
    (found,) = [each for each in records if each["event"] == "diagnostic"]
    assert (found["level"], found["file"], found["line"]) == ("warning", "startup.yaml", 3)


def test_a_dependency_of_the_engine_that_is_gone_is_named(engine, ended):
    engine.write("broken/yaml.py", "raise ModuleNotFoundError(\"No module named 'yaml'\", name='yaml')\n")
    engine.spec("")
    code, said, words = ended(env={"PYTHONPATH": str(engine.root / "broken")})
    assert code == 3
    assert "pip install PyYAML" in said
    assert words.startswith("the service did not start (exit 3): error[ORC902]: the engine needs `yaml`")


def test_a_service_that_ends_later_says_so_there_as_well(engine, ended):
    engine.spec("", launch="{command: [sh, -c, 'sleep 1; exit 7']}")
    code, _, words = ended()
    assert code == 7
    assert words.startswith("shop ended (exit 7): launch (startup.yaml:4): the server ended with 7; hint: ")


def test_a_log_of_json_lines_says_what_the_service_has_come_to(engine):
    engine.spec(
        "files: [{path: flag, on_failure: [{serve: maintenance}]}, {path: late, on_failure: {degrade: late}}]"
    )
    engine.start("--log-format", "json")
    engine.until(lambda: engine.status() == "maintenance")
    engine.write("flag")
    engine.serving()
    records = [json.loads(line) for line in engine.stderr.splitlines() if line.startswith("{")]
    told = [(each["status"], each["level"]) for each in records if each["event"] == "service"]
    assert told == [("maintenance", "warning"), ("degraded", "warning")]
