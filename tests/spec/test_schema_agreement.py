"""The JSON Schema and the validator say the same of structure, both ways."""

import jsonschema
import pytest
import yaml
from hypothesis import HealthCheck, example, given, settings
from schema_values import Values, broken

from orchestrator.spec import load_text
from orchestrator.spec.schema import base_schema

STRUCTURE = frozenset(
    f"ORC{number}" for number in (101, 102, 103, 104, 105, 106, 107, 108, 109, 111, 112, 115)
)
"""Keys, types, words, ranges, units, kinds, empty lists."""
SEMANTIC = frozenset(
    f"ORC{number}"
    for number in (110, 113, 114, 116, 117, 118, 119, 121, 122, 123, 124, 125, 126, 127, 128, 129, 130)
)
"""What two values mean together, and texts in another grammar. The schema may say some of it, the validator all."""
OF_A_WHOLE = (
    "an address needs",  # a URL or its parts
    "a package has exactly one of",
    "there is no capability",  # the kernel's list
    "there is no encoding",  # Python's list
    "the command has an empty name",
)
"""Structure that a model checks as a whole, behind what the schema of its fields can say."""

SCHEMA = base_schema()
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)
# A role is laid over the rest before it is judged: its part of the schema is that of an overlay.
WITHOUT_ROLES = {
    **SCHEMA,
    "properties": {key: each for key, each in SCHEMA["properties"].items() if key != "roles"},
}
SPECS = Values(SCHEMA).of(WITHOUT_ROLES, 5)
SLOW = settings(
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
)


def errors(spec):
    return [each for each in load_text(yaml.safe_dump(spec)).diagnostics if each.severity == "error"]


def of_structure(found):
    told = [each for each in found if each.code in STRUCTURE and not each.message.startswith(OF_A_WHOLE)]
    # A comparison such as ">=256MB" is a text with a grammar of its own.
    return [
        each for each in told if not (each.pointer.startswith("/host/") and each.code in ("ORC103", "ORC107"))
    ]


@SLOW
@given(SPECS)
def test_what_the_schema_takes_has_no_error_of_structure(spec):
    assert list(VALIDATOR.iter_errors(spec)) == []
    assert of_structure(errors(spec)) == []


@SLOW
@given(broken(SPECS))
@example({"version": 1, "service": "a", "strange": 1})
@example({"version": 1, "service": "a", "wait_for": [{"name": "a"}]})
@example({"version": 1, "service": "a", "wait_for": [{"name": "a", "tcp": "a:1", "http": "http://a"}]})
@example({"version": 1, "service": "a", "on_failure": []})
@example({"version": 1, "service": "a", "on_failure": "degrade"})
@example({"version": 1, "service": "a", "health": {"ready": {}}})
@example({"version": 1, "service": "a", "health": {"ready": {"path": None}}})
@example({"version": 1, "service": "a", "health": {"ready": {"path": "/r", "command": None}}})
def test_schema_and_validator_refuse_the_same_structure(spec):
    refused = list(VALIDATOR.iter_errors(spec))
    found = errors(spec)
    if refused:
        assert found, refused[0]
    assert not of_structure(found) or refused, found


@pytest.mark.parametrize("spec", [
    {"version": 1, "service": "a", "launch": {"app": "a:b", "port": 8000.0}},
    {"version": 1, "service": "a", "health": {"ready": "/r", "watch": {"failures": 2.0}}},
])  # fmt: skip
def test_the_one_difference_on_purpose_is_a_whole_number_with_a_decimal_point(spec):
    assert VALIDATOR.is_valid(spec)
    assert [each.code for each in errors(spec)] == ["ORC102"]


def test_the_lists_of_codes_do_not_overlap():
    assert not STRUCTURE & SEMANTIC
