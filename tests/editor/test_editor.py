"""What an editor makes of the schemas: the real YAML language server completes, explains and complains."""

import os
import shutil
from pathlib import Path

import npm
import pytest
from language_server import LanguageServer

from tools.generate import ROOT

HERE = Path(__file__).parent
SERVER = Path("yaml-language-server") / "bin" / "yaml-language-server"
TAGS = [f"!{word} {kind}" for word in ("replace", "remove") for kind in ("scalar", "sequence", "mapping")]


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    place, reason = npm.install(HERE, SERVER, "the YAML language server")
    if reason:
        pytest.skip(reason)
    folder = tmp_path_factory.mktemp("project")
    schemas = {
        f"file://{ROOT}/schema/startup.schema.json": "startup.yaml",
        f"file://{ROOT}/schema/startup.overlay.schema.json": "startup.*.yaml",
    }
    yaml = {
        "validate": True,
        "hover": True,
        "completion": True,
        "schemas": schemas,
        "customTags": TAGS,
        "schemaStore": {"enable": False},
    }
    command = [os.path.realpath(shutil.which("node")), str(place / "node_modules" / SERVER), "--stdio"]
    running = LanguageServer(command, str(folder), {"yaml": yaml})
    yield running
    running.close()


@pytest.fixture
def opened(server, tmp_path):
    """Opens a text as `startup.yaml` of a project of its own: its URI and the diagnostics."""

    def open_it(text, name="startup.yaml"):
        uri = f"file://{tmp_path}/{name}"
        return uri, server.open(uri, text)

    return open_it


HEAD = "version: 1\nservice: shop\n"


def completed(server, opened, text):
    """The labels that are offered at the end of a text."""
    uri, _ = opened(HEAD + text)
    lines = (HEAD + text).split("\n")
    return server.complete(uri, len(lines) - 1, len(lines[-1]))


def test_sections_are_completed_with_what_they_mean(server, opened):
    found = completed(server, opened, "wa")
    assert "Things that must answer." in str(found["wait_for"]["documentation"])


@pytest.mark.parametrize(("text", "key"), [
    ("wait_for:\n  - name: db\n    tcp: db:5432\n    de", "deadline"),
    ("wait_for:\n  - name: db\n    ht", "http"),
    ("directories:\n  - path: state\n    mo", "mode"),
    ("launch:\n  app: a.b:c\n  wor", "workers"),
    ("launch:\n  workers:\n    memory_", "memory_each"),
    ("health:\n  ready:\n    path: /ready\n    ex", "expect"),
    ("roles:\n  worker:\n    launch:\n      com", "command"),
    ("steps:\n  - name: a\n    run: [a]\n    when:\n      varia", "variable"),
])  # fmt: skip
def test_keys_are_completed(server, opened, text, key):
    assert key in completed(server, opened, text)


def test_keys_of_another_kind_are_not_offered_inside_a_wait(server, opened):
    found = completed(server, opened, "wait_for:\n  - name: db\n    tcp: db:5432\n    ")
    assert "deadline" in found
    assert "redis" not in found


def test_fallback_actions_are_completed_by_name(server, opened):
    found = completed(server, opened, "on_failure:\n  - ")
    assert {"degrade", "serve", "stop"} <= set(found)


def test_hovering_a_key_tells_what_it_is(server, opened):
    text = HEAD + "wait_for:\n  - name: db\n    tcp: db:5432\n    deadline: 5s\n"
    uri, found = opened(text)
    assert found == []
    assert "How long all attempts together may take." in server.hover(uri, 5, 6)


@pytest.mark.parametrize(("text", "said", "line"), [
    ("wait_for:\n  - name: db\n    tcp: db:5432\n    timout: 5s\n", "timout", 5),
    ("launch:\n  app: a.b:c\n  prot: 8000\n", "prot", 4),
    ("wait_for:\n  - name: db\n    tcp: db:5432\n    deadline: 5\n", "something like 60s", 5),
    ("launch:\n  app: a.b:c\n  port: http\n", "expected integer", 4),
    ("defaults: {deadline: 5 minutes}\n", "or ${NAME}", 2),
])  # fmt: skip
def test_a_mistake_is_marked_where_it_stands(opened, text, said, line):
    _, found = opened(HEAD + text)
    assert [each["range"]["start"]["line"] for each in found] == [line]
    assert said in found[0]["message"]


def test_an_overlay_with_tags_has_no_complaints(opened):
    text = "launch: {port: !remove }\nwait_for:\n  - name: db\n    deadline: 10s\ndirectories: !replace [state]\nhealth: !remove\n"
    _, found = opened(text, "startup.production.yaml")
    assert found == []


def test_the_specs_of_this_repository_have_no_complaints(opened):
    for name in ("startup.yaml", "digest.yaml", "examples/arkalia/startup.yaml", "startup.production.yaml"):
        text = (Path(ROOT) / name).read_text().replace("# yaml-language-server:", "#")
        _, found = opened(text, Path(name).name if "production" in name else "startup.yaml")
        assert found == [], name
