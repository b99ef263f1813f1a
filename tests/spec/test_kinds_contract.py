"""What every kind of every family keeps: it says what it is, and is found by schema, reference and `explain`."""

import re

import jsonschema
import pytest
import yaml

from orchestrator.spec import conditions, load_text
from orchestrator.spec.expect import Expect, Matcher
from orchestrator.spec.explaining import page
from orchestrator.spec.kinds import FALLBACKS, REQUIREMENTS, WAITS
from orchestrator.spec.reference import example_of, topics
from orchestrator.spec.schema import Builder, base_schema, frozen
from orchestrator.spec.schema_fields import name_of
from orchestrator.spec.sections import checks
from orchestrator.spec.spec import Spec
from tools.generate import files

SCHEMA = base_schema()
REFERENCE = "\n".join(text for path, text in files().items() if path.startswith("docs/"))
MODELS = {name_of(each): each for each in Builder(plugins=False, overlay=False).classes}
KINDS = {
    **{f"wait {word}": (word, WAITS.load(word)) for word in WAITS.built_in},
    **{f"action {word}": (word, FALLBACKS.load(word)) for word in FALLBACKS.built_in},
    **{f"check {word}": (word, model) for word, model in checks().items()},
    **{f"condition {word}": (word, model) for word, model in conditions.KINDS.items()},
    **{
        f"section {word}": (word, REQUIREMENTS.load(word))
        for word in REQUIREMENTS.built_in
        if word != "checks"
    },
}


@pytest.mark.parametrize("name", list(MODELS))
def test_every_model_says_what_it_is_in_a_sentence(name):
    text = MODELS[name].__doc__ or ""
    assert re.match(r"[A-Z`]", text), f"{name} has no docstring"
    assert text.strip().endswith("."), f"the docstring of {name} ends without a full stop"
    assert "BaseModel" not in text


@pytest.mark.parametrize("name", list(MODELS))
def test_every_field_says_what_it_is_in_a_sentence(name):
    for field, info in MODELS[name].model_fields.items():
        assert info.description, f"`{field}` of {name} has no description"
        assert info.description.endswith("."), (
            f"the description of `{field}` of {name} ends without a full stop"
        )


@pytest.mark.parametrize("name", list(MODELS))
def test_every_example_of_a_field_is_taken_by_the_schema(name):
    definition = SCHEMA if MODELS[name] is Spec else SCHEMA["$defs"][name]
    mapping = next((each for each in definition.get("anyOf", ()) if "properties" in each), definition)
    for field, info in MODELS[name].model_fields.items():
        one = {**mapping["properties"][info.alias or field], "$defs": SCHEMA["$defs"]}
        for value in info.examples or ():
            assert list(jsonschema.Draft202012Validator(one).iter_errors(value)) == [], f"{field}: {value}"


@pytest.mark.parametrize("kind", list(KINDS))
def test_every_kind_is_in_schema_reference_and_explain(kind):
    word, model = KINDS[kind]
    assert name_of(model) in SCHEMA["$defs"]
    assert word in topics()
    assert model.__doc__.strip().split("\n")[0] in page(word)
    assert f"\n## `{word}`\n" in REFERENCE


@pytest.mark.parametrize("kind", [each for each in KINDS if not each.startswith("section")])
def test_every_kind_has_an_example_that_decodes(kind):
    word, model = KINDS[kind]
    made = example_of(model)
    assert made == word or word in made
    model.model_validate(frozen({word: None} if made == word else made))


@pytest.mark.parametrize("word", list(WAITS.built_in))
def test_every_wait_is_found_by_the_key_of_its_file(word):
    spec = {"version": 1, "service": "shop", "wait_for": [example_of(WAITS.load(word))]}
    loaded = load_text(yaml.safe_dump(spec))
    assert [each for each in loaded.diagnostics if each.severity == "error"] == []
    assert type(loaded.spec.wait_for[0]) is WAITS.load(word)


@pytest.mark.parametrize("model", [Expect, Matcher])
def test_expectations_and_matchers_have_a_page(model):
    assert page(name_of(model))
    assert f"## `{name_of(model)}`" in REFERENCE


@pytest.mark.parametrize("word", [info.alias or name for name, info in Spec.model_fields.items()])
def test_every_section_has_a_page(word):
    assert f"{word} (section)" in page(word)


def test_a_word_may_name_several_things_and_any_case_will_do():
    found = page("Python")
    assert [each for each in found.splitlines() if each.startswith("python (")] == [
        "python (section)",
        "python (wait)",
        "python (check)",
    ]


def test_the_first_half_of_an_id_leads_to_its_section():
    assert page("directory") == page("directories")


def test_there_is_no_page_for_nonsense():
    assert page("nonsense") is None


def test_pages_are_text_without_html_and_end_with_one_line_end():
    for word in topics():
        text = page(word)
        assert text.endswith("\n")
        assert not text.endswith("\n\n")
        assert "| key |" not in text
