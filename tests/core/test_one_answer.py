"""A plan, a rehearsal and a start come to the same answer where all of them know enough."""

import pytest

from orchestrator.core.context import Context
from orchestrator.engine.estimate import planned
from orchestrator.rehearsal.simulate import simulated
from orchestrator.requirements._conditions import answer
from orchestrator.spec.loading import load_text
from orchestrator.spec.values import RunValues

SPEC = """
version: 1
service: shop
variables: {STAGE: {}}
directories:
  - path: data
    when: WHEN
"""


@pytest.mark.parametrize(
    ("when", "expected"),
    [
        ('{environment: "${STAGE}"}', True),
        ('{environment: [other, "${STAGE}"]}', True),
        ('{not: {environment: "${STAGE}"}}', False),
        ('{variable: STAGE, equals: "${STAGE}"}', True),
        ("{all: [{variable: STAGE, is: set}, {environment: other}]}", False),
    ],
)
def test_a_condition_written_with_a_variable_has_one_answer(when, expected):
    loaded = load_text(SPEC.replace("WHEN", when), environment="prod")
    environ = {"STAGE": "prod"}

    (item,) = [item for item in planned(loaded, environ).items if item.id == "directory:data"]
    skipped = [row.skipped for row in simulated(loaded, environ, ["directory:data"])]
    resolved = loaded.resolve(RunValues(loaded.spec.variables, environ)).spec
    tried, _ = answer(resolved.directories[0].when, Context(environ, environment="prod"))

    assert tried is expected
    assert (item.when == "") is expected
    assert (skipped == [True]) is not expected
