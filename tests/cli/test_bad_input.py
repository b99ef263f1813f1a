import subprocess
import sys

import pytest
from matrices import crossed

BOMB = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{chr(98 + n)}: &{chr(98 + n)} [{','.join(['*' + chr(97 + n)] * 9)}]\n" for n in range(9)
)


def nothing(command):
    return "startup.yaml"


def directory(command):
    (command.root / "startup.yaml").mkdir()
    return "startup.yaml"


def written(content):
    def write(command):
        (command.root / "startup.yaml").write_bytes(content)
        return "startup.yaml"

    return write


CASES = {
    "no file": nothing,
    "a directory": directory,
    "binary": written(bytes(range(256)) * 20),
    "empty": written(b""),
    "a list at the top": written(b"- version: 1\n"),
    "50 MB": written(b"# " + b"x" * 50_000_000),
    "an alias bomb": written(BOMB.encode()),
}


@crossed(case=CASES, command=["run", "validate", "check"])
def test_what_is_no_spec_gives_one_clear_error_and_78(orchestrator, case, command):
    CASES[case](orchestrator)
    done = orchestrator(command, timeout=20)
    assert done.returncode == 78, done.stderr
    assert done.stderr.count("error[") == 1, done.stderr
    assert "startup.yaml" in done.stderr
    assert len(done.stderr) < 3000


@pytest.mark.parametrize("command", ["run", "validate", "check", "config", "plan", "rehearse"])
def test_an_invalid_spec_ends_every_command_with_78(orchestrator, command):
    orchestrator.spec("lunch: 1\n")
    done = orchestrator(command)
    assert (done.returncode, done.stderr.count("error[ORC104]")) == (78, 1)


def test_an_overlay_that_is_not_there_is_an_error(orchestrator):
    orchestrator.spec("")
    done = orchestrator("--env", "production", "run")
    assert done.returncode == 78
    assert "startup.production.yaml" in done.stderr


@pytest.mark.parametrize("words", [
    ["frobnicate"], ["run", "--frobnicate"], ["check", "--format", "yaml"], ["--env", "UPPER!", "run"], ["-f", "a", "-f", "b", "--env", "x", "validate"],
    ["run", "nonsense-role"], ["check", "--only", "nothing"], [], ["explain", "ORC99999"],
], ids=" ".join)  # fmt: skip
def test_a_usage_error_is_2(orchestrator, words):
    orchestrator.spec("directories: [logs]\nlaunch: main:app\n")
    done = orchestrator(*words)
    assert done.returncode == 2
    assert done.stderr


def test_a_spec_that_is_wrong_is_told_before_what_its_launch_is_not(orchestrator):
    (orchestrator.root / "startup.yaml").write_text(
        "version: 1\nservice: shop\nroles:\n  worker:\n    launch: {command: [sleep, '1'], commnd: x}\n"
    )
    done = orchestrator("run", "worker", "--", "-Q", "high")
    assert done.returncode == 78
    assert "startup.yaml:5:37: error[ORC104]: unknown key `commnd`" in done.stderr


def test_an_unknown_command_is_answered_with_the_one_that_was_meant(orchestrator):
    assert "validate" in orchestrator("validat").stderr


def test_who_stops_reading_gets_no_traceback(orchestrator):
    pipe = f"{sys.executable} -m orchestrator schema | head -1"
    done = subprocess.run(["sh", "-c", pipe], capture_output=True, text=True, cwd=orchestrator.root)
    assert done.stdout == "{\n"
    assert done.stderr == ""


def test_a_log_that_nobody_reads_ends_no_start(orchestrator):
    orchestrator.spec("steps: [{name: hello, run: [touch, done]}]\n")
    pipe = f"{sys.executable} -m orchestrator run 2>&1 >/dev/null | true; sleep 1.5"
    subprocess.run(
        ["sh", "-c", pipe], capture_output=True, text=True, cwd=orchestrator.root, env=orchestrator.environ
    )
    assert (orchestrator.root / "done").exists()


def test_a_state_directory_of_somebody_elses_is_refused_with_a_reason(orchestrator, tmp_path):
    orchestrator.spec("steps: [{name: hello, run: ['true']}]\n")
    place = tmp_path / "open"
    place.mkdir(mode=0o755)
    done = orchestrator("run", env={"ORCHESTRATOR_STATE_DIR": str(place)})
    assert done.returncode == 0
    assert "ORC707" in done.stderr
    assert "0700" in done.stderr
