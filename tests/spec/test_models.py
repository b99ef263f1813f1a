"""The base of every model: short forms, `${…}`, words for its own errors, and what it relies on in pydantic."""

import ast
import os
import subprocess
import sys
from pathlib import Path
from typing import Annotated, Any, Literal

import pydantic
import pytest
from pydantic import AfterValidator, Field, PlainValidator, model_validator

import orchestrator
from orchestrator.document.plain import Template
from orchestrator.spec import load_text, schema
from orchestrator.spec.building import adapter
from orchestrator.spec.errors import problem, validate_each
from orchestrator.spec.model import Model
from orchestrator.spec.schema_fields import name_of
from orchestrator.spec.templated import KeptTemplate, Templated

MODELS = schema.Builder(plugins=False, overlay=False).classes
PENDING = Template("${X}", known=False, secret=False, written="${X}")


def known(text, *, secret=False):
    return Template(text, known=True, secret=secret, written="${X}")


class Shelf(Model):
    """A shelf."""

    shorthand = "name"
    removed_keys = {"wood": "write `colour`"}

    name: Templated[str] = Field(description="The shelf's name.")
    boards: Templated[Annotated[int, Field(ge=1)]] = Field(3, description="How many boards.")
    in_: str | None = Field(None, description="The room.", alias="in")

    @model_validator(mode="after")
    def _no_ladder(self) -> "Shelf":
        if isinstance(self.boards, int) and self.boards > 100:
            raise problem("ORC105", "too high", "", "boards")
        return self


class Locked(Shelf):
    """A shelf with a lock."""

    key: str = Field("none", description="The key.", repr=False)


def errors(model, data):
    with pytest.raises(pydantic.ValidationError) as caught:
        model.model_validate(data)
    return caught.value.errors()


def test_what_was_given_is_told_from_what_is_the_default():
    shelf = Shelf.model_validate({"name": "a", "in": "hall"})
    assert (shelf.name, shelf.boards, shelf.in_) == ("a", 3, "hall")
    assert shelf.model_fields_set == {"name", "in_"}
    assert shelf.given() == {"name": "a", "in": "hall"}


def test_the_short_form_is_the_field_it_stands_for():
    assert Shelf.model_validate("a") == Shelf(name="a")
    assert Shelf.model_validate(known("a")) == Shelf(name="a")
    assert Shelf.model_validate(PENDING).name is PENDING


def test_a_subclass_has_the_fields_of_its_base_first():
    assert Locked.keys() == ["name", "boards", "in", "key"]
    assert "secret" not in repr(Locked(name="a", key="secret"))


def test_a_model_does_not_change():
    shelf = Shelf(name="a")
    with pytest.raises(pydantic.ValidationError, match="frozen"):
        shelf.name = "b"
    assert shelf.model_copy(update={"name": "b"}) == Shelf(name="b")
    assert shelf.name == "a"


def test_all_mistakes_are_told_at_once_with_their_places():
    found = {(each["type"], each["loc"]) for each in errors(Shelf, {"boards": 0, "colour": "a", "x-note": 1})}
    assert found == {("greater_than_equal", ("boards",)), ("ORC104", ("colour",)), ("ORC101", ())}


def test_keys_for_notes_are_dropped():
    assert Shelf.model_validate({"name": "a", "x-note": 1}) == Shelf(name="a")


def test_a_misspelt_key_is_not_missing_as_well():
    assert [each["type"] for each in errors(Shelf, {"nmae": "a"})] == ["ORC104"]


def test_a_removed_key_says_what_to_write():
    (line,) = errors(Shelf, {"name": "a", "wood": "oak"})
    assert line["ctx"]["message"] == "`wood` was removed from shelf"
    assert line["ctx"]["hint"] == "write `colour`"


def test_the_whole_is_judged_when_its_parts_are_well():
    (line,) = errors(Locked, {"name": "a", "boards": 101})
    assert (line["type"], line["ctx"]["key"]) == ("ORC105", "boards")


def test_something_else_than_a_mapping_is_no_model():
    (line,) = errors(Shelf, 5)
    assert (line["type"], line["ctx"]["message"]) == (
        "ORC102",
        "expected a text or a mapping for shelf, got the number `5`",
    )


def test_models_of_one_kind_with_equal_values_are_equal():
    assert Shelf(name="a") == Shelf(name="a", boards=3)
    assert hash(Shelf(name="a")) == hash(Shelf(name="a", boards=3))
    assert Shelf(name="a") != Locked(name="a")


@pytest.mark.parametrize(("annotation", "text", "made"), [
    (int, "8000", 8000), (str, "8000", "8000"), (bool, "true", True), (float, "1.5", 1.5), (Literal["a"], "a", "a"), (str | int, "5", "5"),
    (bool | Literal["a"], "true", True), (Annotated[int, Field(ge=1)] | None, "5", 5), (Any, "5", "5"),
])  # fmt: skip
def test_a_value_from_a_variable_is_text_and_else_what_yaml_makes_of_it(annotation, text, made):
    found = adapter(Templated[annotation]).validate_python(known(text))
    assert (found, type(found)) == (made, type(made))


@pytest.mark.parametrize(
    "annotation", [int, str, Literal["a"], Annotated[int, Field(ge=1)], Annotated[str, AfterValidator(len)]]
)
def test_a_value_that_only_a_start_knows_stays_as_it_is(annotation):
    assert adapter(Templated[annotation]).validate_python(PENDING) is PENDING


def test_a_kept_template_stays_also_where_its_value_is_known():
    template = known("5")
    assert adapter(KeptTemplate[str | int]).validate_python(template) is template


@pytest.mark.parametrize(
    "annotation", [str, int, bool, Literal["a"], str | None, tuple[str, ...], dict[str, str], Shelf | None]
)
def test_a_field_that_is_not_templated_refuses_one(annotation):
    if annotation == Shelf | None:
        annotation = tuple[Shelf, ...]
    with pytest.raises(pydantic.ValidationError):
        adapter(annotation).validate_python(known("a"))


@pytest.mark.parametrize("model", MODELS, ids=name_of)
def test_no_field_has_a_limit_that_a_template_would_meet(model):
    """A limit outside of `Templated` would raise a TypeError: a template has no size."""
    for name, field in model.model_fields.items():
        annotation = field.annotation
        for mark in field.metadata:
            annotation = Annotated[annotation, mark]
        for value in (PENDING, (PENDING,), {"a": PENDING}):
            try:
                adapter(annotation).validate_python(value)
            except pydantic.ValidationError:
                continue
            except TypeError as error:
                pytest.fail(f"{name}: {error}")


def test_a_thousand_mistakes_in_one_list_are_enough():
    with pytest.raises(pydantic.ValidationError) as caught:
        validate_each(enumerate(range(5000)), adapter(str).validate_python)
    *told, last = caught.value.errors()
    assert len(told) == 1000
    assert (last["type"], last["loc"], last["msg"]) == (
        "ORC102",
        (1000,),
        "1000 mistakes in one list: what follows is not looked at",
    )


def test_many_unknown_keys_take_no_time_that_grows_with_their_square():
    assert len(errors(Shelf, {"name": "a"} | {f"strange{at}": 1 for at in range(20_000)})) <= 1001


def nested(value):
    return validate_each(enumerate(value), Shelf.model_validate)


def test_errors_of_a_validation_within_a_validator_keep_their_places():
    """pydantic merges a ValidationError, and a PydanticCustomError's subclass, that a validator raises."""
    validate = adapter(dict[str, Annotated[Any, PlainValidator(nested)]]).validate_python
    with pytest.raises(pydantic.ValidationError) as caught:
        validate({"hall": ({"name": "a"}, {"name": 1, "boards": 101})})
    assert [(each["type"], each["loc"]) for each in caught.value.errors()] == [
        ("string_type", ("hall", 1, "name"))
    ]
    with pytest.raises(pydantic.ValidationError) as caught:
        validate({"hall": ({"name": "a", "boards": 101},)})
    (line,) = caught.value.errors()
    assert (line["type"], line["loc"], line["ctx"]["key"]) == ("ORC105", ("hall", 0), "boards")


def test_an_error_as_text_shows_no_value():
    with pytest.raises(pydantic.ValidationError) as caught:
        Shelf.model_validate({"name": ("hunter2",)})
    assert "hunter2" not in str(caught.value)


def modules():
    for path in Path(orchestrator.__file__).parent.rglob("*.py"):
        tree = ast.parse(path.read_text())
        names = {
            f"orchestrator.{path.relative_to(Path(orchestrator.__file__).parent)}"[:-3].replace("/", ".")
        }
        if names & {each.__module__ for each in MODELS}:
            yield pytest.param(tree, id=names.pop())


@pytest.mark.parametrize("tree", list(modules()))
def test_modules_of_models_have_real_annotations(tree):
    """pydantic evaluates every inherited string annotation again in each subclass."""
    assert not any(isinstance(each, ast.ImportFrom) and each.module == "__future__" for each in tree.body)


def test_plug_ins_of_pydantic_stay_out_of_the_engine(tmp_path):
    (tmp_path / "spying.py").write_text("raise SystemExit('loaded')\n")
    info = tmp_path / "spying-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: spying\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[pydantic]\nspying = spying:plugin\n")
    code = (
        "import os; from orchestrator.spec import load_text; "
        "text = '{version: 1, service: a, wait_for: [{name: b, tcp: [1]}], steps: [{name: c, run: [d], unless: {exists: e}}]}'; "
        "assert load_text(text).diagnostics; assert 'PYDANTIC_DISABLE_PLUGINS' not in os.environ"
    )
    environ = {**os.environ, "PYTHONPATH": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", code], env=environ, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_plugins_find_what_kinds_are_made_of():
    from orchestrator import plugins

    assert {"Model", "Templated", "problem"} <= set(plugins.__all__)


def test_a_short_form_from_variables_is_judged_by_its_text():
    spec = "{version: 1, service: a, variables: {N: {default: many}}, wait_for: [{name: db, tcp: 'db:${N}'}]}"
    found = [(each.code, each.message) for each in load_text(spec).diagnostics]
    assert found == [("ORC218", "expected host:port, got `db:many` (from `db:${N}`)")]


@pytest.mark.parametrize(
    "part",
    [
        "wait_for: '${X}'",
        "variables: '${X}'",
        "version: '${X}'",
        "steps: [{name: a, run: [b], when: '${X}'}]",
        "defaults: '${X}'",
    ],
)
def test_what_is_no_value_cannot_be_left_to_variables(part):
    codes = {each.code for each in load_text(f"{{service: a, {part}}}").diagnostics}
    assert "ORC219" in codes
