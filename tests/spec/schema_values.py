"""Specs made from their JSON Schema, and specs with one thing wrong. For the tests of the schema."""

from __future__ import annotations

import copy
import re

from hypothesis import strategies as st

from orchestrator.spec.schema_parts import REFERENCE

WORDS = [
    "a",
    "b-1",
    "app.main:app",
    "state/x",
    "/ready",
    "localhost:80",
    "200-299",
    "wait:db",
    "ORC301",
    ">=2",
]
STRANGE = [None, True, 0, 7, -1, 2.5, "", "word", "5", [], ["a"], [1], {}, {"strange": 1}]
PATTERNS = {
    "(ms|s|m|h|d)": ["500ms", "2s", "1m30s"],
    "KiB|MiB": ["200MB", "1GiB"],
    "[0-7]{3,4}": ["0750", "640"],
}


class Values:
    """Strategies for what a schema takes. `depth` keeps them small: below it only what is required."""

    def __init__(self, root):
        self.root = root

    def of(self, schema, depth=4):
        if "$ref" in schema:
            return st.deferred(
                lambda: self.of(self.root["$defs"][schema["$ref"].rpartition("/")[2]], depth - 1)
            )
        if "const" in schema or "enum" in schema:
            return st.sampled_from(schema.get("enum", [schema.get("const")]))
        if "anyOf" in schema and "properties" not in schema:
            branches = schema["anyOf"] if depth > 0 else schema["anyOf"][:1]
            return st.sampled_from(branches).flatmap(lambda each: self.of(each, depth))
        named = schema.get("type", "string")
        named = [named] if isinstance(named, str) else [each for each in named if each != "null"] or ["null"]
        return st.sampled_from(named).flatmap(lambda each: self.typed(each, schema, depth))

    def typed(self, name, schema, depth):
        if name == "string":
            return texts(schema)
        if name == "integer":
            low = schema.get("minimum", 0)
            return st.integers(low, min(schema.get("maximum", low + 9), low + 9))
        if name == "number":
            low = schema.get("minimum", schema.get("exclusiveMinimum", 0))
            return st.sampled_from([low + 1, low + 0.5])
        if name == "boolean":
            return st.booleans()
        if name == "null":
            return st.none()
        if name == "array":
            least = schema.get("minItems", 0)
            return st.lists(
                self.of(schema.get("items", {"type": "string"}), depth - 1),
                min_size=least,
                max_size=max(least, 2 if depth > 0 else 0),
            )
        return self.mapping(schema, depth)

    @st.composite
    @staticmethod
    def _mapping(draw, self, schema, depth):
        properties = schema.get("properties", {})
        keys = list(schema.get("required", ()))
        groups = schema.get("oneOf") or schema.get("then", {}).get("oneOf", [])
        excluded = {key for group in groups for key in group["required"]}
        if groups:
            keys += draw(st.sampled_from(groups))["required"]
        optional = [key for key in properties if key not in keys and key not in excluded]
        if optional and depth > 0:
            keys += draw(st.lists(st.sampled_from(optional), max_size=3, unique=True))
        made = {key: draw(self.of(properties[key], depth - 1)) for key in keys}
        more = schema.get("additionalProperties")
        if isinstance(more, dict):
            names = draw(
                st.lists(
                    st.sampled_from(names_of(schema)),
                    min_size=schema.get("minProperties", 0),
                    max_size=2,
                    unique=True,
                )
            )
            made |= {name: draw(self.of(more, depth - 1)) for name in names}
        return made

    def mapping(self, schema, depth):
        return Values._mapping(self, schema, depth)


def texts(schema):
    """Texts that a schema takes."""
    pattern = schema.get("pattern", "").removesuffix(f"|{REFERENCE}")
    if schema.get("pattern", "") == REFERENCE:
        return st.just("${NUMBER}")
    found = next((each for part, each in PATTERNS.items() if part in pattern), None) or [
        each for each in WORDS if re.search(pattern, each)
    ]
    found = [each for each in found if len(each) <= schema.get("maxLength", len(each))]
    if not found:
        return st.from_regex(re.compile(pattern, re.ASCII)).filter(str.isprintable)
    return st.sampled_from(found).filter(lambda each: each not in schema.get("not", {}).get("enum", ()))


def names_of(schema):
    """Keys that a mapping of names takes."""
    pattern = schema.get("propertyNames", {}).get("pattern", "")
    return [each for each in ("NAME", "other", "ORC301", "a") if re.search(pattern, each)]


def paths(value, at=()):
    """Every place in a document."""
    yield at
    for key, each in (
        value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    ):
        yield from paths(each, (*at, key))


@st.composite
def broken(draw, documents):
    """A document with one change: a value of another kind, a key too many, a key too few."""
    document = copy.deepcopy(draw(documents))
    path = draw(st.sampled_from([each for each in paths(document) if each]))
    holder = document
    for step in path[:-1]:
        holder = holder[step]
    change = draw(st.sampled_from(["replace", "replace", "remove", "add"]))
    if change == "remove":
        del holder[path[-1]]
    elif change == "add" and isinstance(holder[path[-1]], dict):
        holder[path[-1]]["strange"] = 1
    else:
        holder[path[-1]] = draw(st.sampled_from(STRANGE))
    return document
