"""Our decoders beside pydantic's: the same values pass, become the same, and fail in the same way."""

from importlib import import_module
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, get_args, get_origin

import pydantic
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from orchestrator.document.plain import Interpolated
from orchestrator.spec import fields, schema
from orchestrator.spec.decoding import decoder, of_field
from orchestrator.spec.fields import AfterValidator, Field, described, model_validator
from orchestrator.spec.mistakes import ValidationError
from orchestrator.spec.model import Model, problem
from orchestrator.spec.twins import of_type, twin

STRICT = pydantic.ConfigDict(strict=True)
TYPES = [
    str, int, float, bool, Any, str | int, int | float, float | int, str | None, bool | Literal["a", "b"] | None, Literal["a"], Literal["a", "b", "c"],
    tuple[str, ...], tuple[int | None, ...], dict[str, int], dict[str, str | None], dict[str, tuple[str, ...]],
    Annotated[int, Field(ge=1, le=10)], Annotated[float, Field(gt=0, lt=1.5)], Annotated[str, Field(min_length=2, max_length=3)],
    Annotated[tuple[int, ...], Field(min_length=1, max_length=2)], Annotated[dict[str, int], Field(min_length=1)],
    Annotated[str, Field(pattern="^[a-c]+$")], dict[Annotated[str, Field(pattern="^[a-c]+$")], int],
    Annotated[int, Field(ge=1)] | None, str | Annotated[tuple[str, ...], AfterValidator(lambda value: value[:1])],
]  # fmt: skip
SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(-3, 12), st.floats(-2, 3), st.just(10**400),
    st.text("abcd\n", max_size=4), st.sampled_from(["a", "b", "c"]),
)  # fmt: skip
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3).map(tuple)
        | st.dictionaries(st.text("abd", max_size=2), inner, max_size=3)
    ),
    max_leaves=6,
)
BRANCHES = frozenset({"str", "int", "float", "bool"})


def ours(decode, value):
    try:
        return "well", shown(decode(value))
    except ValidationError as error:
        return "wrong", sorted({(line["type"], line["loc"]) for line in error.errors()}, key=repr)


def theirs(adapter, value):
    try:
        return "well", shown(adapter.validate_python(value))
    except pydantic.ValidationError as error:
        return "wrong", sorted({(kind(line), plain(line["loc"], value)) for line in own(error)}, key=repr)


def kind(line):
    """To pydantic a word that is a number may be too long to be looked at; to us it is another word."""
    return "literal_error" if line["type"] == "int_parsing_size" else line["type"]


def own(error):
    """Its lines without what only follows: to pydantic a list is too short when its elements are wrong."""
    return [line for line in error.errors() if line["type"] != "too_short" or not line["input"]]


def shown(value):
    return repr(value)  # 1 is not 1.0, and not True


def plain(loc, value):
    """The way through the value alone: pydantic also names the branch of a union."""
    way = []
    for step in loc:
        inside = (isinstance(value, dict) and step in value) or (
            isinstance(value, tuple) and isinstance(step, int)
        )
        if inside or step == "[key]":
            way.append(step)
            value = value[step] if inside else None
    return tuple(way)


@pytest.mark.parametrize("annotation", TYPES, ids=range(len(TYPES)))
@given(value=VALUES)
def test_a_type_decodes_as_in_pydantic(annotation, value):
    adapter = pydantic.TypeAdapter(of_type(annotation), config=STRICT)
    assert ours(decoder(annotation), value) == theirs(adapter, value)


def simple(annotation):
    """Whether no function and no model of ours has a say in it."""
    if get_origin(annotation) is Annotated:
        return all(isinstance(each, Field) for each in annotation.__metadata__) and simple(
            get_args(annotation)[0]
        )
    if get_origin(annotation) is Literal or annotation in (..., NoneType):
        return True
    inner = get_args(annotation)
    return all(map(simple, inner)) if inner else annotation in (str, int, float, bool)


FIELDS = [
    pytest.param(model, name, id=f"{schema.name_of(model)}.{name}")
    for model in schema.Builder(plugins=False, overlay=False).classes
    for name, field in model.model_fields.items()
    if simple(field.annotation) and (get_origin(field.annotation) not in (None, UnionType) or field.limits)
]


@pytest.mark.parametrize(("model", "name"), FIELDS)
@given(value=VALUES)
def test_a_field_of_the_spec_decodes_as_in_its_twin(model, name, value):
    field = model.model_fields[name]
    # To pydantic the number 1 is the word true; to us it is not.
    assume(not (isinstance(value, int | float) and "Literal[True]" in str(field.annotation)))
    theirs_field = twin(model).model_fields[name]
    adapter = pydantic.TypeAdapter(
        Annotated[(theirs_field.annotation, *theirs_field.metadata)] if theirs_field.metadata else theirs_field.annotation,
        config=STRICT,
    )  # fmt: skip
    assert ours(of_field(field), value) == theirs(adapter, value)


def test_there_are_fields_to_compare():
    assert len(FIELDS) > 10


def test_what_is_no_number_is_within_no_limits():
    with pytest.raises(ValidationError):
        decoder(Annotated[float, Field(ge=1)])(float("nan"))


def test_a_thousand_mistakes_in_one_list_are_enough():
    with pytest.raises(ValidationError) as caught:
        decoder(tuple[str, ...])(tuple(range(5000)))
    *told, last = caught.value.errors()
    assert len(told) == 1000
    assert (last["type"], last["loc"], last["msg"]) == (
        "ORC102",
        (1000,),
        "1000 mistakes in one list: what follows is not looked at",
    )


def test_a_text_made_from_variables_becomes_a_plain_one():
    made = Interpolated("abc", known=True, secret=False, written="${X}")
    assert type(decoder(str)(made)) is str
    assert type(decoder(Literal["abc"])(made)) is str
    assert [type(each) for each in decoder(tuple[str, ...])((made,))] == [str]


class Shelf(Model):
    """A shelf."""

    shorthand = "name"

    name: str = described(..., "The shelf's name.")
    boards: Annotated[int, Field(ge=1)] = described(3, "How many boards.")
    in_: str | None = described(None, "The room.", alias="in")

    @model_validator(mode="after")
    def _no_ladder(self) -> "Shelf":
        if self.boards > 100:
            raise problem("ORC105", "too high", "", "boards")
        return self


class Locked(Shelf):
    """A shelf with a lock."""

    key: str = described("none", "The key.", repr=False)


def test_what_was_given_is_told_from_what_is_the_default():
    shelf = Shelf.model_validate({"name": "a", "in": "hall"})
    assert (shelf.name, shelf.boards, shelf.in_) == ("a", 3, "hall")
    assert shelf.model_fields_set == {"name", "in_"}


def test_the_short_form_is_the_field_it_stands_for():
    assert Shelf.model_validate("a") == Shelf(name="a")


def test_a_subclass_has_the_fields_of_its_base_first():
    assert Locked.keys() == ["name", "boards", "in", "key"]
    assert "secret" not in repr(Locked(name="a", key="secret"))


def test_a_model_does_not_change():
    shelf = Shelf(name="a")
    with pytest.raises(AttributeError, match="does not change"):
        shelf.name = "b"
    assert shelf.model_copy(update={"name": "b"}) == Shelf(name="b")
    assert shelf.name == "a"


def test_all_mistakes_are_told_at_once_with_their_places():
    with pytest.raises(ValidationError) as caught:
        Shelf.model_validate({"boards": 0, "colour": "a", "x-note": 1})
    found = {(line["type"], line["loc"]) for line in caught.value.errors()}
    assert found == {("greater_than_equal", ("boards",)), ("ORC104", ("colour",)), ("ORC101", ("name",))}
    assert "boards" in str(caught.value)


def test_a_misspelt_key_is_not_missing_as_well():
    with pytest.raises(ValidationError) as caught:
        Shelf.model_validate({"nmae": "a"})
    assert [line["type"] for line in caught.value.errors()] == ["ORC104"]


def test_the_whole_is_judged_when_its_parts_are_well():
    with pytest.raises(ValidationError) as caught:
        Locked.model_validate({"name": "a", "boards": 101})
    (line,) = caught.value.errors()
    assert (line["type"], line["ctx"]["key"]) == ("ORC105", "boards")


def test_models_of_one_kind_with_equal_values_are_equal():
    assert Shelf(name="a") == Shelf(name="a", boards=3)
    assert hash(Shelf(name="a")) == hash(Shelf(name="a", boards=3))
    assert Shelf(name="a") != Locked(name="a")


@pytest.mark.parametrize(
    "annotation", [list[str], set[str], tuple[int, int], Annotated[str, "words"], object]
)
def test_a_type_that_no_spec_is_made_of_is_refused(annotation):
    with pytest.raises((TypeError, KeyError)):
        decoder(annotation)


def test_a_limit_that_does_not_exist_is_refused():
    with pytest.raises(TypeError, match="multiple_of"):
        Field(multiple_of=2)


def test_every_mark_has_a_twin():
    marks = [fields.PlainValidator(str), fields.BeforeValidator(str), fields.AfterValidator(str), fields.WithJsonSchema({"type": "string"}), Field(ge=1)]  # fmt: skip
    for mark in marks:
        assert type(of_type(Annotated[int, mark]).__metadata__[0]).__module__.startswith("pydantic")


def test_plugins_find_what_fields_are_made_of():
    plugins = import_module("orchestrator.plugins")
    assert {"Field", "AfterValidator", "model_validator"} <= set(plugins.__all__)
