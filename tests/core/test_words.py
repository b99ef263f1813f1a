"""Every action lowers itself to plain data of one of six words."""

import marshal

import pytest

from orchestrator.core import words
from orchestrator.spec.item import validate_action
from orchestrator.spec.kinds import FALLBACKS

SIX = {words.WARN, words.DEGRADE, words.SERVE, words.STOP, words.RESTART, words.REMEDY}
ACTIONS = {
    "warn": {"warn": None},
    "degrade": {"degrade": "search", "recheck": "30s"},
    "serve": {"serve": "maintenance", "for": "60s"},
    "stop": {"stop": {"exit_code": 9}},
    "restart": {"restart": {"times": 2}},
    "run": {"run": ("true",)},
    "set": {"set": {"A": "b"}},
    "use": {"use": {"path": "/tmp/x", "export": "X"}},
    "install": {"install": {"from": "wheels"}},
}


def lowered(action):
    return validate_action(action).lowered()


def test_every_action_is_here():
    assert set(ACTIONS) == set(FALLBACKS.built_in)


@pytest.mark.parametrize("name", ACTIONS)
def test_an_action_is_one_of_six_words(name):
    found = lowered(ACTIONS[name])

    assert found["do"] in SIX
    assert found["name"] == name
    assert marshal.loads(marshal.dumps(found)) == found


@pytest.mark.parametrize("name", ACTIONS)
def test_what_changes_or_ends_the_server_is_not_done_beside_it(name):
    beside = {"warn", "degrade", "run"}

    assert words.needs_the_server(lowered(ACTIONS[name])) is (name not in beside)


@pytest.mark.parametrize("name", ACTIONS)
def test_without_a_socket_or_a_server_nothing_goes_on(name):
    action = validate_action(ACTIONS[name])

    assert action.tolerates is (lowered(ACTIONS[name])["do"] in (words.WARN, words.DEGRADE))
    assert action.stands_on("launch") is (name not in {"warn", "degrade", "install"})
