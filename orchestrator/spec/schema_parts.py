"""JSON Schema to JSON Schema: shorter unions, `${…}` beside other types, what overlays may leave out. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

Schema = dict[str, Any]

REFERENCE = r"(^|[^$])(\$\$)*\$\{"
"""A text that holds `${…}`; `$$` before it is a dollar sign."""
_OF_STRINGS = frozenset({"pattern", "minLength", "maxLength", "format"})
_OF_TYPES = {
    "string": _OF_STRINGS,
    "integer": frozenset({"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"}),
    "number": frozenset({"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"}),
    "array": frozenset({"items", "minItems", "maxItems", "uniqueItems"}),
    "object": frozenset({"properties", "patternProperties", "propertyNames", "additionalProperties", "minProperties", "required"}),
    "boolean": frozenset[str](),
    "null": frozenset[str](),
}  # fmt: skip
"""The keywords that speak of values of one type, and of no others: schemas of several types can be laid together."""
NOTES = frozenset({"description", "markdownDescription", "examples", "default", "title", "errorMessage"})


def types(schema: Schema) -> list[str]:
    """The types a schema names; empty where it names none."""
    named = schema.get("type", [])
    return [named] if isinstance(named, str) else list(named)


def union(*branches: Schema) -> Schema:
    """Any of the branches, in as few words as possible: editors are at their best without alternatives."""
    flat: list[Schema] = []
    for branch in branches:
        for each in branch["anyOf"] if set(branch) == {"anyOf"} else [branch]:
            if each not in flat:
                flat.append(each)
    merged: list[Schema] = []
    for each in flat:
        at = next((index for index, other in enumerate(merged) if _together(other, each) is not None), None)
        if at is None:
            merged.append(each)
        else:
            merged[at] = _together(merged[at], each) or {}
    return merged[0] if len(merged) == 1 else {"anyOf": merged}


def _together(one: Schema, two: Schema) -> Schema | None:
    """Both in one schema; None where that would mean something else."""
    if not (_by_types(one) and _by_types(two)):
        return None
    mine, its = types(one), types(two)
    plain = not (set(one) | set(two)) - {"type"}
    if set(mine) & set(its) or {"integer", "number"} <= set(mine) | set(its):
        return {"type": _names([*mine, *its])} if plain else None
    result = {**one, **{key: value for key, value in two.items() if key != "examples"}}
    if examples := [*one.get("examples", []), *two.get("examples", [])]:
        result["examples"] = examples
    result["type"] = _names([*mine, *its])
    return result


def _by_types(schema: Schema) -> bool:
    """Whether every keyword speaks of one of the schema's types alone."""
    known = set().union(*(_OF_TYPES[each] for each in types(schema)), {"type", "examples"})
    return bool(types(schema)) and set(schema) <= known


def _names(found: list[str]) -> str | list[str]:
    order = [each for each in _OF_TYPES if each in found and not (each == "integer" and "number" in found)]
    return order[0] if len(order) == 1 else order


def templated(schema: Schema) -> Schema:
    """The schema, and a text with `${…}` where it does not take every text already."""
    branches = schema.get("anyOf", [schema])
    if any(_any_text(each) for each in branches) or not any(
        _scalar(each) or _words(each) for each in branches
    ):
        return union(*branches)
    made = [_with_reference(each) if _scalar(each) else each for each in branches]
    if not any(_scalar(each) for each in branches):
        made.append({"type": "string", "pattern": REFERENCE})
    return union(*made)


def _any_text(schema: Schema) -> bool:
    return "string" in types(schema) and not set(schema) & {"pattern", "enum", "const", "not", "minLength"}


def _scalar(schema: Schema) -> bool:
    """Whether it takes scalars by their type."""
    return bool(set(types(schema)) & {"string", "integer", "number", "boolean"}) and not _words(schema)


def _words(schema: Schema) -> bool:
    return "enum" in schema or "const" in schema


def _with_reference(schema: Schema) -> Schema:
    if "string" not in types(schema):
        return {**schema, "type": _names([*types(schema), "string"]), "pattern": REFERENCE}
    if "pattern" in schema and not schema["pattern"].endswith(REFERENCE):
        return {**schema, "pattern": f"{schema['pattern']}|{REFERENCE}"}
    return schema


def simplified(schema: Any) -> Any:
    """A schema as pydantic makes it, with unions in few words."""
    if isinstance(schema, list):
        return [simplified(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    made: Schema = {}
    for key, value in schema.items():
        if key in ("properties", "patternProperties", "$defs"):
            made[key] = {name: simplified(each) for name, each in value.items()}
        else:
            made[key] = value if key in ("default", "examples", "enum", "const") else simplified(value)
    if "anyOf" in made:
        made = {**union(*made.pop("anyOf")), **made}
    if types(made) == ["string"] and ("enum" in made or "const" in made):
        del made["type"]
    return made


def removable(schema: Schema) -> Schema:
    """The schema, or nothing: `KEY: !remove` is null or an empty text to an editor."""
    notes = {key: value for key, value in schema.items() if key in NOTES}
    bare = {key: value for key, value in schema.items() if key not in notes}
    if not bare:
        return schema
    branches = bare["anyOf"] if set(bare) == {"anyOf"} else [bare]
    made = [_or_empty(each) if "string" in types(each) and not _words(each) else each for each in branches]
    if not any("string" in types(each) and not _words(each) for each in made):
        made.append({"type": ["string", "null"], "maxLength": 0})
    return {**union(*made), **notes}


def _or_empty(schema: Schema) -> Schema:
    made = {key: value for key, value in schema.items() if key != "minLength"}
    if "pattern" in made:
        made["pattern"] += "|^$"
    return {**made, "type": _names([*types(made), "null"])}


def explained(schema: Schema, examples: Sequence[Any]) -> Schema:
    """The schema with the words an editor shows for a value that it does not take."""
    if "pattern" not in schema:
        return schema
    others = [each for each in types(schema) if each not in ("string", "null")]
    like = f"something like {', '.join(map(str, examples))}" if examples else " or ".join(others)
    late = "" if REFERENCE not in schema["pattern"] else ", or ${NAME} for the value of a variable"
    return {**schema, "errorMessage": f"expected {like}{late}"} if like else schema


def text_part(schema: Schema) -> Schema:
    """What a schema says of texts: the short form of a mapping whose field it is."""
    for each in schema.get("anyOf", [schema]):
        if "string" in types(each):
            return {"type": "string", **{key: value for key, value in each.items() if key in _OF_STRINGS}}
        if "enum" in each:
            return {"enum": [word for word in each["enum"] if isinstance(word, str)]}
    return {"type": "string"}
