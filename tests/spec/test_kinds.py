"""Kinds are found by their word; plug-ins through entry points of really importable distributions."""

import subprocess
import sys
import textwrap

import pytest

from orchestrator.spec.kinds import FALLBACKS, REQUIREMENTS, WAITS

PLUGIN = """
from typing import ClassVar
from orchestrator.core.outcome import ok
from orchestrator.requirements._base import Requirement
from orchestrator.spec.item import Action
from pydantic import Field
from orchestrator.waits._base import Wait

class Memcached(Wait):
    '''Waits until a memcached answers.'''

    example: ClassVar = {"name": "cache", "memcached": "cache:11211"}
    memcached: str = Field(description="Its address.", examples=["cache:11211"])

class Page(Action):
    '''Calls somebody.'''

    page: str = Field(description="Whom.", examples=["ops"])

class Licence(Requirement):
    '''A licence that is valid.'''

    kind = "check"
    identity_field = "name"
    name: str = Field(description="The check's name.", examples=["ours"])
    licence: str = Field(description="The file.", examples=["licence.txt"])

class NoWait:
    pass
"""
SPEC = """
from orchestrator.spec import load_text
loaded = load_text('''
version: 1
service: shop
wait_for:
  - {wait}
''')
print([(each.code, each.message, each.hint) for each in loaded.diagnostics])
if loaded.spec:
    print(type(loaded.spec.wait_for[0]).__name__)
"""


@pytest.fixture
def installed(tmp_path):
    """Makes a distribution with entry points, and runs code where it is installed."""

    def run(code, entry_points, *, name="shop-kinds"):
        (tmp_path / "shop_kinds.py").write_text(PLUGIN)
        (tmp_path / "shop_broken.py").write_text("import nothing_like_this\n")
        info = tmp_path / f"{name.replace('-', '_')}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(textwrap.dedent(entry_points))
        done = subprocess.run(
            [sys.executable, "-c", code], env={"PYTHONPATH": str(tmp_path)}, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


def test_the_file_is_the_word():
    assert "tcp" in WAITS.built_in
    assert "degrade" in FALLBACKS.built_in
    assert "packages" in REQUIREMENTS.built_in
    assert WAITS.load("tcp").__module__ == "orchestrator.waits.tcp"


def test_a_word_that_nobody_has_is_a_key_error():
    with pytest.raises(KeyError):
        WAITS.load("nobody")


def test_a_plug_in_is_a_kind_like_any_other(installed):
    entry_points = """
        [orchestrator.waits]
        memcached = shop_kinds:Memcached
        [orchestrator.fallbacks]
        page = shop_kinds:Page
        [orchestrator.requirements]
        licence = shop_kinds:Licence
    """
    code = SPEC.replace(
        "{wait}", "{name: cache, memcached: cache:11211, on_failure: {page: ops}}"
    ) + textwrap.dedent("""
        loaded = load_text('{version: 1, service: a, checks: [{name: ours, licence: licence.txt}]}')
        print(type(loaded.spec.checks[0]).__name__)
        from orchestrator.spec.explaining import page
        from orchestrator.spec.schema import base_schema
        definitions = base_schema(plugins=True)["$defs"]
        print("memcached" in str(definitions["wait_for"]), "page" in str(definitions["action"]), "licence" in str(definitions["checks"]))
        print("memcached" in str(base_schema()["$defs"]))
        import jsonschema
        good = {"wait_for": [{"name": "a", "memcached": "b:1", "on_failure": [{"page": "ops"}]}], "checks": [{"name": "c", "licence": "d"}]}
        validator = jsonschema.Draft202012Validator(base_schema(plugins=True))
        print(validator.is_valid({"version": 1, "service": "a", **good}), validator.is_valid({"version": 1, "service": "a", "wait_for": [{"name": "a", "memcache": "b:1"}]}))
        print([page(word).splitlines()[0] for word in ("memcached", "page", "licence")])
    """)
    assert installed(code, entry_points).splitlines() == [
        "[]", "Memcached", "Licence", "True True True", "False", "True False",
        "['memcached (wait)', 'page (fallback action)', 'licence (check)']",
    ]  # fmt: skip


@pytest.mark.parametrize(("entry", "said", "hint"), [
    ("shop_broken:Memcached", "cannot be loaded: ModuleNotFoundError: No module named 'nothing_like_this'", "update or reinstall shop-kinds 1.0"),
    ("shop_kinds:Nobody", "cannot be loaded: AttributeError: module 'shop_kinds' has no attribute 'Nobody'", "update or reinstall shop-kinds 1.0"),
    ("shop_kinds:NoWait", "`shop_kinds:NoWait` is no subclass of orchestrator.waits._base.Wait", "report it to the authors of shop-kinds 1.0"),
    ("shop_kinds:Page", "`shop_kinds:Page` is no subclass of orchestrator.waits._base.Wait", "report it to the authors of shop-kinds 1.0"),
])  # fmt: skip
def test_a_plug_in_that_cannot_be_used_is_a_diagnostic(installed, entry, said, hint):
    found = installed(
        SPEC.replace("{wait}", "{name: a, memcached: b}"), f"[orchestrator.waits]\nmemcached = {entry}\n"
    )
    assert "ORC112" in found
    assert said in found
    assert hint in found


def test_a_plug_in_without_the_field_of_its_name_says_so(installed):
    found = installed(
        SPEC.replace("{wait}", "{name: a, other: b}"), "[orchestrator.waits]\nother = shop_kinds:Memcached\n"
    )
    assert "has no field `other`" in found


def test_two_distributions_with_the_same_word_are_an_error(installed, tmp_path):
    info = tmp_path / "second-2.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: second\nVersion: 2.0\n")
    (info / "entry_points.txt").write_text("[orchestrator.waits]\nmemcached = second:Memcached\n")
    found = installed(
        SPEC.replace("{wait}", "{name: a, memcached: b}"),
        "[orchestrator.waits]\nmemcached = shop_kinds:Memcached\n",
    )
    assert "is offered by" in found
    assert "second 2.0" in found


def test_a_plug_in_cannot_take_a_built_in_word(installed):
    found = installed(
        SPEC.replace("{wait}", "{name: a, tcp: 'b:1'}"), "[orchestrator.waits]\ntcp = shop_kinds:Memcached\n"
    )
    assert found.splitlines() == ["[]", "Tcp"]
