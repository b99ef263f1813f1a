"""What is told of a server after its launch: why it did not start again, and nothing that nobody is to read."""

import os
import signal

import pytest
from launching import APP, eventually

SECRET = "hunter22"
BROKEN = (
    f"import os\nif os.path.exists('ill'):\n    raise ValueError('cannot open db://{SECRET}@here')\n" + APP
)
AGAIN = {"policy": "always", "attempts": 1, "within": 60}


def state_of(tmp_path):
    state = tmp_path / "state"
    state.mkdir(mode=0o700)
    (state / "probe").write_text("status ready\nreason \nupdated 0\n")
    return state


def said_anywhere(service, state):
    return service.errors() + "".join(path.read_text() for path in state.iterdir())


@pytest.mark.parametrize("workers", [1, 2])
def test_why_a_server_did_not_start_again_is_told_without_its_secrets(launch, tmp_path, workers):
    state = state_of(tmp_path)
    service = launch(
        BROKEN, workers=workers, restart=AGAIN, secrets=[SECRET], state_dir=str(state)
    ).supervised()
    (tmp_path / "ill").touch()
    os.kill(service.event("started")["pid"], signal.SIGKILL)
    assert service.wait(20) == 5
    assert "before it served: ValueError: cannot open db://***@here" in service.errors()
    assert "the server ended with 5 before it served: ValueError" in (state / "events.jsonl").read_text()
    assert SECRET not in said_anywhere(service, state)


def test_what_a_health_command_says_is_told_without_secrets(launch, tmp_path):
    state = state_of(tmp_path)
    command = {
        "kind": "command",
        "argv": ["sh", "-c", f"echo cannot log in with {SECRET}; exit 1"],
        "timeout": 5.0,
    }
    health = {"interval": 0.1, "failures": 2, "successes": 1, "deadline": 20.0, "live": command}
    service = launch(secrets=[SECRET], state_dir=str(state), health=health).supervised()
    assert service.wait(20) == 5
    assert "live failed 2 times: cannot log in with ***" in service.errors()
    assert SECRET not in said_anywhere(service, state)


def test_what_a_server_told_before_it_served_is_not_told_of_its_later_end(launch, tmp_path):
    service = launch(BROKEN, restart={**AGAIN, "attempts": 2}).supervised()
    (tmp_path / "ill").touch()
    os.kill(service.event("started")["pid"], signal.SIGKILL)
    eventually(lambda: "before it served" in service.errors(), 20)
    (tmp_path / "ill").unlink()
    eventually(lambda: "ready again" in service.errors(), 20)
    os.kill(service.answers()["pid"], signal.SIGKILL)
    assert service.wait(20) == 137
    assert "the server was ended by SIGKILL\n" in service.errors().partition("ready again")[2]
