"""Reads the formats that a file may be asked to have. A problem names line and column, and never quotes a value."""

from __future__ import annotations

import re
from typing import Any

from orchestrator.diagnostics.patterns import pattern

FORMATS = ("json", "yaml", "toml", "ini", "env", "pem")
_ENV_NAME = pattern(r"\s*(?:export\s+)?([^=\s]+)\s*(=?)")
_NAME = pattern(r"[A-Za-z_][A-Za-z0-9_.-]*\Z")
_TOML_PLACE = re.compile(r"\(at (?:line (\d+), column (\d+)|end of document)\)")
_PEM = pattern(r"-----(BEGIN|END) ([A-Z0-9 ]+)-----\Z")


class FormatError(ValueError):
    """A text that is not in its format."""

    def __init__(self, message: str, line: int = 0, column: int = 0) -> None:
        super().__init__(message)
        self.message = message
        self.line = line
        self.column = column


def parse(text: str, form: str) -> Any:
    """The data of a text, as plain values; raises FormatError."""
    return _READERS[form](text)


def _json(text: str) -> Any:
    import json

    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise FormatError(error.msg, error.lineno, error.colno) from None
    except RecursionError:
        raise FormatError("nested too deep") from None


def _yaml(text: str) -> Any:
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        documents = list(yaml.load_all(text, Loader=loader))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        place = (mark.line + 1, mark.column + 1) if mark is not None else (0, 0)
        raise FormatError(error.problem or "not YAML", *place) from None
    except yaml.reader.ReaderError as error:
        raise FormatError(f"{error.reason} (character {error.position})") from None
    except (RecursionError, ValueError) as error:
        raise FormatError("nested too deep" if isinstance(error, RecursionError) else str(error)) from None
    return documents[0] if len(documents) == 1 else documents


def _toml(text: str) -> Any:
    import tomllib

    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        summary = str(error)
        found = _TOML_PLACE.search(summary)
        line, column = (int(found[1] or 0), int(found[2] or 0)) if found else (0, 0)
        at_end = found is not None and not found[1]
        message = _TOML_PLACE.sub("", summary).strip() + (" at the end" if at_end else "")
        raise FormatError(message, line or (text.count("\n") + 1 if at_end else 0), column) from None


def _ini(text: str) -> Any:
    import configparser

    parser = configparser.ConfigParser(interpolation=None)
    try:
        parser.read_string(text)
    except configparser.MissingSectionHeaderError as error:
        raise FormatError("a value before the first [section]", error.lineno) from None
    except (configparser.DuplicateSectionError, configparser.DuplicateOptionError) as error:
        what = getattr(error, "option", None) or f"[{error.section}]"
        raise FormatError(f"{what} appears twice", error.lineno or 0) from None
    except configparser.ParsingError as error:
        raise FormatError("neither a [section] nor `name = value`", error.errors[0][0]) from None
    return {name: dict(parser[name]) for name in parser.sections()}


def _env(text: str) -> Any:
    """Lines of NAME=value, as `docker --env-file` and `.env` files have them."""
    values: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        found = _ENV_NAME.match(line)
        name = found[1] if found else ""
        if found is None or not found[2]:
            raise FormatError("expected NAME=value", number, 1)
        if not _NAME.match(name):
            raise FormatError("the name has characters that no variable has", number, found.start(1) + 1)
        values[name] = _unquoted(line[found.end() :].strip(), number, found.end() + 1)
    return values


def _unquoted(value: str, line: int, column: int) -> str:
    quote = value[:1]
    if quote not in ("'", '"'):
        return value
    end = value.rfind(quote, 1)
    if end < 0:
        raise FormatError("the quote is not closed", line, column)
    return value[1:end]


def _pem(text: str) -> Any:
    """The labels of the blocks: `CERTIFICATE`, `PRIVATE KEY`."""
    labels: list[str] = []
    opened: tuple[str, int] | None = None
    body: list[str] = []
    for number, raw in enumerate(text.splitlines(), 1):
        found = _PEM.match(raw.strip())
        if found is None:
            body.append(raw.strip())
        elif found[1] == "BEGIN":
            if opened:
                raise FormatError(f"`{opened[0]}` of line {opened[1]} is not ended", number, 1)
            opened, body = (found[2], number), []
        else:
            labels.append(_block(opened, found[2], body, number))
            opened = None
    if opened:
        raise FormatError(f"`{opened[0]}` is not ended: the file was cut off", opened[1], 1)
    if not labels:
        raise FormatError("no line -----BEGIN …-----", 1, 1)
    return labels


def _block(opened: tuple[str, int] | None, label: str, body: list[str], line: int) -> str:
    import binascii

    if opened is None or opened[0] != label:
        raise FormatError(f"`END {label}` ends what was not begun", line, 1)
    encoded = [each for each in body if each and ":" not in each]  # headers of encrypted keys have a colon
    try:
        data = binascii.a2b_base64("".join(encoded), strict_mode=True)
    except binascii.Error:
        raise FormatError(f"`{label}` is not base64", opened[1] + 1, 1) from None
    if not data:
        raise FormatError(f"`{label}` is empty", opened[1], 1)
    return label


_READERS = {"json": _json, "yaml": _yaml, "toml": _toml, "ini": _ini, "env": _env, "pem": _pem}


def schema_problems(data: Any, schema: Any, *, most: int = 5) -> list[str]:
    """What is wrong with data by a JSON Schema, without its values. Nothing remote is fetched.

    Raises FormatError for a schema that is none, or that refers to what is not in it.
    """
    import jsonschema
    from referencing import Registry
    from referencing.exceptions import Unresolvable

    kind = jsonschema.validators.validator_for(schema, default=jsonschema.Draft202012Validator)
    try:
        kind.check_schema(schema)
    except jsonschema.SchemaError as error:
        raise FormatError(
            f"no valid JSON Schema: {error.message} at {_dotted(error.absolute_path)}"
        ) from None
    registry: Registry[Any] = Registry()
    try:
        errors = sorted(
            kind(schema, registry=registry).iter_errors(data),
            key=lambda each: list(map(str, each.absolute_path)),
        )
    except Unresolvable as error:
        raise FormatError(f"refers to {error.ref}, and nothing is fetched") from None
    summary = [f"{_dotted(each.absolute_path)}: {_broken(each)}" for each in errors[:most]]
    return [*summary, f"and {len(errors) - most} more"] if len(errors) > most else summary


def _dotted(path: Any) -> str:
    return ".".join(map(str, path)) or "the top level"


def _broken(error: Any) -> str:
    """The rule that is broken. jsonschema's own message quotes the value, and that may be a secret."""
    rule, wanted = error.validator, error.validator_value
    if rule == "required":
        missing = [each for each in wanted if each not in error.instance]
        return f"missing {', '.join(f'`{each}`' for each in missing)}"
    if rule == "additionalProperties":
        strangers = [each for each in error.instance if each not in error.schema.get("properties", {})]
        return f"unknown {', '.join(f'`{each}`' for each in strangers)}"
    if rule == "type":
        return f"expected {wanted if isinstance(wanted, str) else ' or '.join(wanted)}, found {_kind(error.instance)}"
    return f"not as `{rule}: {_short(wanted)}` asks"


def _kind(value: Any) -> str:
    names = {
        bool: "boolean",
        int: "integer",
        float: "number",
        str: "string",
        list: "array",
        dict: "object",
        type(None): "null",
    }
    return names.get(type(value), type(value).__name__)


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 60 else text[:57] + "…"
