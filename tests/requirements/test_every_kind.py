import subprocess
import sys

import pytest

from orchestrator.core.outcome import Outcome
from orchestrator.diagnostics.catalogue import CODES
from orchestrator.requirements import checks, directories, files, host, modules, packages
from orchestrator.requirements._base import judged
from orchestrator.requirements.host import HostItem

KINDS = [
    packages.KIND,
    modules.KIND,
    directories.KIND,
    files.KIND,
    host.KIND,
    *HostItem.__subclasses__(),
    *checks.KINDS.values(),
]
FAILING = [
    (packages.KIND, "no-such-package"),
    (packages.KIND, {"from": "no.txt"}),
    (modules.KIND, "no_such_module"),
    (directories.KIND, {"path": "no", "create": False}),
    (files.KIND, "no.txt"),
    (checks.KINDS["run"], {"name": "x", "run": ("false",)}),
    (checks.KINDS["run"], {"name": "x", "run": ("no-such-command",)}),
    (checks.KINDS["python"], {"name": "x", "python": "no_such:x"}),
    (checks.KINDS["holds"], {"name": "x", "holds": {"exists": "no"}}),
]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_kind_and_field_is_described_for_users(kind):
    assert kind.__doc__
    for name, field in kind.model_fields.items():
        assert field.description, name
        assert field.description.endswith("."), name


@pytest.mark.parametrize(("kind", "spec"), FAILING, ids=[f"{kind.__name__}-{spec}" for kind, spec in FAILING])
def test_every_failure_has_a_known_code_a_reason_and_a_remedy(project, kind, spec):
    outcome = kind.model_validate(spec).attempt(project.context())
    assert not outcome.ok
    assert outcome.code in CODES
    assert outcome.reason
    assert outcome.hint
    assert outcome.summary[:1].islower() or not outcome.summary[:1].isalpha()
    assert "\n" not in outcome.summary
    assert not outcome.summary.endswith(".")


def test_several_failures_become_one_that_keeps_all_of_them():
    first = Outcome(
        ok=False, summary="one", code="ORC431", reason="a", hint="do one", final=True, data={"x": 1}
    )
    second = Outcome(ok=False, summary="two", code="ORC432", reason="b", hint="do two", data={"x": 2, "y": 2})
    both = judged([first, second], "well")
    assert (both.code, both.reason, both.hint, both.summary) == ("ORC431", "a", "do one", "one; two")
    assert both.details == "two: do two"
    assert not both.final
    assert both.data == {"x": 1, "y": 2}
    assert judged([], "well", z=1).summary == "well"


HEAVY = (
    "packaging",
    "tomllib",
    "json",
    "jsonschema",
    "subprocess",
    "importlib.metadata",
    "asyncio",
    "yaml",
    "hashlib",
)


@pytest.mark.parametrize("name", ["packages", "modules", "directories", "files", "host", "checks"])
def test_importing_a_kind_imports_no_more_than_the_models_need(name):
    code = (
        "import sys, orchestrator.requirements._base\n"
        "before = set(sys.modules)\n"
        f"import orchestrator.requirements.{name}\n"
        "print(*(set(sys.modules) - before))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not set(HEAVY) & set(done.stdout.split())
