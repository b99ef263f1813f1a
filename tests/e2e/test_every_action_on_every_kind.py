"""Every fallback action on every kind of item that it may stand on: derived from the models, run by real starts.

An item fails and goes on failing. Whatever the action, the start comes to an end that the action's own class foretells.
"""

import json

import pytest
from matrices import sparse

from orchestrator.core.phases import PHASES
from orchestrator.spec.kinds import FALLBACKS

ACTIONS = {
    "degrade": {"degrade": "search"},
    "install": {"install": "wheels"},
    "restart": {"restart": {"times": 1}},
    "run": {"run": ["true"]},
    "serve": {"serve": "maintenance", "for": "300ms"},
    "set": {"set": {"APP_A": "b"}},
    "stop": {"stop": {"exit_code": 9}},
    "use": {"use": {}},
    "warn": "warn",
}
OTHERS = {
    "directory": {"path": "/proc/other"}, "file": {"path": "other"}, "wait": {"url": "127.0.0.1:1"}, "port": {"port": 1},
    "launch": {"app": "other:app"}, "module": {"app": "other:app"},
}  # fmt: skip
FAILING = {
    "variable": ("variables", {"APP_A": {"type": "integer"}}),
    "python": ("python", {"version": "<3"}),
    "package": ("packages", [{"requirement": "nothing-of-the-kind"}]),
    "host": ("host", {"memory": {"is": ">=900TB"}}),
    "directory": ("directories", [{"path": "/proc/nowhere"}]),
    "file": ("files", [{"path": "nowhere"}]),
    "module": ("modules", [{"module": "nowhere"}]),
    "wait": ("wait_for", [{"name": "it", "tcp": "127.0.0.1:1", "deadline": "100ms"}]),
    "check": ("checks", [{"name": "it", "run": ["false"]}]),
    "step": ("steps", [{"name": "it", "run": ["false"]}]),
    "port": ("launch", {"app": "main:app", "host": "192.0.2.1", "port": 8000}),
    "launch": ("launch", {"app": "nowhere:app", "host": "127.0.0.1"}),
    "health": ("health", {"ready": "/broken", "deadline": "500ms"}),
}


def allowed(word, kind):
    return FALLBACKS.load(word).stands_on(kind)


PAIRS = [(word, kind) for word in ACTIONS for kind in FAILING if allowed(word, kind)]


def test_the_tables_know_every_action_and_every_kind():
    assert set(ACTIONS) == set(FALLBACKS.built_in), "give the new action an example here"
    assert set(FAILING) == {*PHASES, "variable"}, "make the new kind fail here"


def spec_of(engine, word, kind):
    section, content = FAILING[kind]
    action = {"use": OTHERS[kind]} if word == "use" else ACTIONS[word]
    spec = {"version": 1, "service": "shop", section: content}
    if kind in ("health", "port"):
        launch = {"app": "main:app", "host": "127.0.0.1", "port": engine.port}
        spec["launch"] = launch | spec.get("launch", {})
    if kind == "launch":
        content["port"] = engine.port
    if kind == "port":  # a port has no list of its own
        spec["on_failure"] = action
    else:
        item = (
            content
            if kind in ("python", "launch", "health")
            else next(iter(content.values() if isinstance(content, dict) else content))
        )
        item["on_failure"] = action
    return json.dumps(spec)


@pytest.mark.parametrize(("word", "kind"), sparse(PAIRS))
def test_an_action_comes_to_its_end_on_a_kind(engine, word, kind):
    engine.write("broken-broken")
    (engine.root / "wheels").mkdir(mode=0o755)
    engine.write("startup.yaml", spec_of(engine, word, kind))
    action = FALLBACKS.load(word)
    goes_on = word in ("warn", "degrade")
    if goes_on and kind == "health":
        engine.start().serving()
        assert engine.stop() == 0
    else:
        done = engine.run(timeout=30, env={"APP_A": "x"})
        expected = (0,) if goes_on else (9,) if word == "stop" else (3, 5, 75)
        assert done.returncode in expected, done.stderr
    (item,) = [
        each
        for each in engine.report()["items"]
        if each["kind"] == kind and each["status"] not in ("ok", "skipped")
    ]
    assert item["status"] == {"warn": "warned", "degrade": "degraded"}.get(word, "failed")
    told = [each["action"] for each in item["fallbacks"]]
    assert told == ([] if action.ends and word != "warn" else [word])
