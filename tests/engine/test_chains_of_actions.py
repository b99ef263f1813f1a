"""Lists of actions of any order and nesting: each is applied once, in order, until one decides; none loops."""

import os
import time
from collections import Counter

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestrator.engine import events
from orchestrator.engine.report import Report
from orchestrator.engine.run import Start
from orchestrator.spec.loading import load_files
from orchestrator.system.signals import Notes

REMEDIES = [
    {"run": ["true"]},
    {"run": ["false"]},
    {"run": ["/nowhere"]},
    {"set": {"APP_A": "b"}},
    {"use": {"path": "other"}},
]
VERDICTS = ["warn", {"degrade": "search"}, {"stop": {"exit_code": 9}}, {"serve": "maintenance"}]
LEAVES = st.sampled_from([*REMEDIES, *VERDICTS])
TREES = st.recursive(LEAVES, lambda inner: st.lists(inner, min_size=1, max_size=4), max_leaves=8)


def leaves(tree):
    return [each for branch in tree for each in leaves(branch)] if isinstance(tree, list) else [tree]


def named(tree, fallbacks):
    """The tree as a spec writes it: what is nested has a name."""
    written = []
    for branch in tree:
        if isinstance(branch, list):
            name = f"named{len(fallbacks)}"
            fallbacks[name] = None
            fallbacks[name] = named(branch, fallbacks)
            written.append(name)
        else:
            written.append(branch)
    return written


def word(action):
    return action if isinstance(action, str) else next(iter(action))


def started(folder, tree):
    import json

    fallbacks = {}
    actions = named(tree if isinstance(tree, list) else [tree], fallbacks)
    spec = {"version": 1, "service": "shop", "files": [{"path": "nowhere", "on_failure": actions}]}
    path = os.path.join(folder, "startup.yaml")
    with open(path, "w") as file:
        json.dump(spec | ({"fallbacks": fallbacks} if fallbacks else {}), file)
    loaded = load_files([path], environment="")
    assert not loaded.failed, loaded.diagnostics
    stream = events.Stream(time.monotonic)
    report, told = Report(), []
    stream.listeners = [report, told.append]
    start = Start(loaded, stream, Notes(), environ=dict(os.environ))
    start.prepare()
    start.settle()
    return start.by_id["file:nowhere"], [event for event in told if event.name == events.FALLBACK], start


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(tree=TREES)
def test_actions_are_applied_in_order_until_one_decides(tmp_path, monkeypatch, tree):
    monkeypatch.chdir(tmp_path)
    flat = leaves(tree)
    decides = next((at for at, each in enumerate(flat) if each in VERDICTS), len(flat))
    work, told, start = started(str(tmp_path), tree)
    try:
        words = [event.data["action"] for event in told if event.data.get("helped") is not False]
        expected = [word(each) for each in flat[: decides + 1]]
        assert words == [each for each in expected if each != "stop"]
        last = flat[decides] if decides < len(flat) else "stop"
        assert work.status == {"warn": "warned", "degrade": "degraded"}.get(word(last), "failed")
        assert start.degraded == (["search"] if word(last) == "degrade" else [])
        # A remedy is followed by one look; so nothing is looked at more often than there are remedies.
        assert work.attempts <= 1 + decides
        assert work.cursor <= len(flat)
    finally:
        start.close()
        start.notes.restore()


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(remedies=st.lists(st.sampled_from(REMEDIES), max_size=6), last=st.sampled_from(VERDICTS))
def test_no_action_is_applied_twice(tmp_path, monkeypatch, remedies, last):
    monkeypatch.chdir(tmp_path)
    work, told, start = started(str(tmp_path), [*remedies, last])
    try:
        applied = Counter(event.data["action"] for event in told if event.data.get("helped") is not False)
        listed = Counter(word(each) for each in [*remedies, last])
        assert applied <= listed
        assert work.settled
    finally:
        start.close()
        start.notes.restore()
