import pytest

from orchestrator.status.state import StateDirectory


class Engine:
    """What an engine writes: the state, with features off and why."""

    def __init__(self, path):
        self.directory = StateDirectory(path)

    def degraded(self, name, recheck=None, summary="connection to db:5432 refused"):
        told = {
            "name": name,
            "item": "wait:db",
            "summary": summary,
            "since": 1_700_000_000,
            "recheck": recheck,
        }
        self.directory.write_state({"status": "degraded", "degraded": [name], "features": [told]})

    def well(self):
        """As the supervisor has it: one line of the file is another, and the rest stays."""
        self.directory.set_status("ready", degraded=())


@pytest.fixture
def alone(monkeypatch):
    """No engine here."""
    for name in ("ORCHESTRATOR_STATE_DIR", "ORCHESTRATOR_DEGRADED"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def engine(alone, tmp_path, monkeypatch):
    monkeypatch.setenv("ORCHESTRATOR_STATE_DIR", str(tmp_path))
    return Engine(str(tmp_path))
