"""Whatever may be written in a spec can be explained, and whoever does not know the word is told the nearest."""

import pytest

from orchestrator.cli import main
from orchestrator.spec import explaining, options, reference

KEYS = sorted({key.name for topic in reference.everything() for key in topic.keys})


@pytest.mark.parametrize("word", KEYS)
def test_every_key_is_explained_with_the_places_where_it_stands(word):
    told = explaining.page(word)
    if word in reference.topics():
        assert told == explaining.page(word)
    else:
        assert told.startswith(f"{word} (key)\n")
        assert "\n\nin " in told


def test_a_key_that_means_several_things_is_told_for_each():
    told = explaining.page("mode")
    assert "in directories (section), in files (section): file mode" in told
    assert "in launch (section): `supervise` or `exec`" in told


@pytest.mark.parametrize(("word", "line"), [
    ("conditions", "exists: A path that exists."),
    ("action", "warn: Go on; the failure is said in the log and the report."),
    ("fallback actions", "stop: "),
    ("waits", "tcp: Waits until a port accepts connections."),
])  # fmt: skip
def test_a_family_is_the_list_of_its_members(word, line):
    assert f"\n{line}" in explaining.page(word)


def test_a_server_has_its_own_options_and_those_that_the_launch_decides():
    told = explaining.page("uvicorn")
    assert "\nproxy_headers: default true\n" in told
    decided = told.partition("Decided by the launch:")[2]
    assert [name for name in options.owned("uvicorn") if f"\n{name}: " not in decided] == []


def test_a_server_that_is_not_installed_says_so():
    assert "It is not installed here: pip install hypercorn" in explaining.page("hypercorn")


def test_every_word_of_the_list_has_a_page():
    assert [word for word in explaining.words() if explaining.page(word) is None] == []
    assert "conditions:\n    variable, exists" in explaining.contents()


def test_without_a_word_the_command_lists_all(capsys):
    assert main(["explain"]) == 0
    assert "sections:\n    version, extends, service" in capsys.readouterr().out


@pytest.mark.parametrize(("word", "hint"), [
    ("dedline", "did you mean `deadline`?"), ("ORC10", "did you mean `ORC010`?"), ("zzzz", "lists all topics"), ("\x1b[2J", r"`\x1b[2J`"),
])  # fmt: skip
def test_an_unknown_word_leads_on(word, hint, capsys):
    assert main(["explain", word]) == 2
    said = capsys.readouterr()
    assert (said.out, hint in said.err) == ("", True)
    assert "\x1b" not in said.err
