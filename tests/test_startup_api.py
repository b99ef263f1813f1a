"""`from orchestrator import startup`: what the app sees, with an engine's files and without."""

import pytest

from orchestrator import startup
from orchestrator.status.state import StateDirectory


@pytest.fixture(autouse=True)
def alone(monkeypatch):
    for name in ("ORCHESTRATOR_STATE_DIR", "ORCHESTRATOR_DEGRADED"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def state(tmp_path, monkeypatch):
    monkeypatch.setenv("ORCHESTRATOR_STATE_DIR", str(tmp_path))
    return StateDirectory(str(tmp_path))


def test_without_an_engine_all_is_well():
    assert not startup.degraded("assistant")
    assert startup.degraded_features() == ()
    assert startup.status() is None
    assert startup.report() is None


def test_what_the_launch_said_holds_where_there_is_no_state(monkeypatch):
    monkeypatch.setenv("ORCHESTRATOR_DEGRADED", "search, assistant,")
    assert startup.degraded_features() == ("assistant", "search")
    assert startup.degraded("search")
    assert not startup.degraded("sear")


def test_the_state_is_live_and_wins_over_the_launch(state, monkeypatch):
    monkeypatch.setenv("ORCHESTRATOR_DEGRADED", "search")
    state.write_state({"status": "degraded", "degraded": ["assistant"]})
    assert startup.degraded_features() == ("assistant",)
    assert startup.status() == "degraded"
    state.set_status("ready", degraded=())
    assert startup.degraded_features() == ()
    assert startup.status() == "ready"


def test_while_the_start_goes_on_the_launch_is_believed(state, monkeypatch):
    """An app asks while it is imported, before any verdict is written."""
    monkeypatch.setenv("ORCHESTRATOR_DEGRADED", "search")
    state.write_state({"status": "starting", "degraded": []})
    assert startup.degraded_features() == ("search",)


def test_the_state_is_read_once_while_it_does_not_change(state, monkeypatch):
    state.write_state({"status": "ready"})
    reads = []
    real = startup._read
    monkeypatch.setattr(startup, "_read", lambda path: reads.append(path) or real(path))
    for _ in range(3):
        startup.status()
    assert len(reads) == 1
    state.set_status("stopping")
    assert startup.status() == "stopping"
    assert len(reads) == 2


def test_the_report_is_the_one_of_the_last_start(state):
    assert startup.report() is None
    state.write_report({"schema": 1, "status": "ready"})
    assert startup.report() == {"schema": 1, "status": "ready"}


@pytest.mark.parametrize("content", ["", "{", "[]", "\x00"])
def test_a_broken_state_is_as_none(state, content, monkeypatch):
    monkeypatch.setenv("ORCHESTRATOR_DEGRADED", "search")
    with open(f"{state.path}/state.json", "w") as file:
        file.write(content)
    assert startup.status() is None
    assert startup.degraded_features() == ("search",)


def off(name, item, recheck=None, since=1_700_000_000):
    return {"name": name, "item": item, "summary": f"{item} failed", "since": since, "recheck": recheck}


def test_why_a_feature_is_off_and_since_when(state):
    told = [
        off("search", "wait:a", 30.0),
        off("search", "wait:b", 10.0, 1_600_000_000),
        off("chat", "module:c"),
    ]
    state.write_state({"status": "degraded", "degraded": ["search", "chat"], "features": told})
    found = startup.degradation("search")
    assert (found.name, found.since, found.recheck) == ("search", 1_600_000_000, 10.0)
    assert found.causes == (("wait:a", "wait:a failed"), ("wait:b", "wait:b failed"))
    assert startup.degradation("chat").recheck is None
    assert "wait:a" in repr(found)
    assert startup.degradation("cart") is None
    state.set_status("degraded", degraded=("chat",))
    assert startup.degradation("search") is None


def test_of_a_feature_that_only_the_launch_knows_no_more_is_known(monkeypatch):
    monkeypatch.setenv("ORCHESTRATOR_DEGRADED", "search")
    found = startup.degradation("search")
    assert (found.name, found.since, found.recheck, found.causes) == ("search", None, None, ())
