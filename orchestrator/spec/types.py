"""The scalar types of the spec: how each is written, what it becomes, and its JSON Schema."""

import math
import re
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    PlainValidator,
    WithJsonSchema,
)
from pydantic_core import CoreSchema, core_schema

from orchestrator.diagnostics.patterns import pattern
from orchestrator.document.node import words_for
from orchestrator.document.plain import Template
from orchestrator.spec.errors import Problem, problem
from orchestrator.spec.templated import Templated

_DURATION_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_DURATION_PART = pattern(r"([0-9]+(?:\.[0-9]+)?)(ms|s|m|h|d)")
_DURATION = r"^([0-9]+(\.[0-9]+)?(ms|s|m|h|d))+$"
_SIZE_UNITS = {
    "B": 1, "kB": 10**3, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12,
    "KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "TiB": 2**40,
}  # fmt: skip
_SIZE = pattern(r"([0-9]+(?:\.[0-9]+)?)(B|[kK]B|MB|GB|TB|KiB|MiB|GiB|TiB)\Z")
_MODE = pattern(r"0?[0-7]{3,4}\Z")
_PYTHON_NAME = r"[^\W\d]\w*"
_IMPORT_NAME = pattern(rf"{_PYTHON_NAME}(?:\.{_PYTHON_NAME})*\Z")
_APP = pattern(rf"{_PYTHON_NAME}(?:\.{_PYTHON_NAME})*:{_PYTHON_NAME}(?:\.{_PYTHON_NAME})*\Z")
_VARIABLE = pattern(r"[A-Za-z_][A-Za-z0-9_]*\Z")
_SPECIFIERS = pattern(
    r"(?:[<>]=?|==|!=|~=)\s*[0-9]+(?:\.[0-9]+)+(?:\s*,\s*(?:[<>]=?|==|!=|~=)\s*[0-9]+(?:\.[0-9]+)+)*\Z"
)
_ASCII_IMPORT_NAME = r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*"
MAX_DURATION = 366 * 86400.0


def no_number(value: object, what: str, example: str, code: str) -> Problem:
    """The error for a bare number where a unit is needed."""
    if isinstance(value, bool):
        return problem(code, f"expected {what}, got `{str(value).lower()}`", f"for example `{example}`")
    if isinstance(value, int | float) and math.isfinite(value):
        return problem(
            code, f"expected {what}, got the bare number `{value}`", f"write the unit: `{example}`"
        )
    return problem(code, f"expected {what}, got {words_for(value)}", f"for example `{example}`")


def parse_duration(value: object) -> float:
    """Seconds from `500ms`, `2s`, `1m30s`."""
    text = value if isinstance(value, str) else None
    if text is None:
        spelled = f"{value}s" if isinstance(value, int | float) and not isinstance(value, bool) else "5s"
        raise no_number(value, "a duration", spelled, "ORC106")
    parts = _DURATION_PART.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise problem("ORC106", f"expected a duration, got `{text}`", _duration_hint(text))
    seconds = math.fsum(float(number) * _DURATION_UNITS[unit] for number, unit in parts)
    if seconds > MAX_DURATION:
        raise problem("ORC106", f"a duration is at most a year, got `{text}`", "")
    return seconds


def _duration_hint(text: str) -> str:
    if re.fullmatch(r"[0-9.]+", text):
        return f"write the unit: `{text}s`"
    together = text.replace(" ", "")
    if together != text and re.fullmatch(_DURATION, together):
        return f"write it without the space: `{together}`"
    return "for example `500ms`, `2s`, `5m`"


def parse_size(value: object) -> int:
    """Bytes from `200MB`, `1GiB`."""
    if not isinstance(value, str):
        raise no_number(
            value,
            "a size",
            f"{value}MB" if isinstance(value, int) and not isinstance(value, bool) else "200MB",
            "ORC107",
        )
    found = _SIZE.match(value)
    if found is None:
        together = value.replace(" ", "")
        hint = f"write the unit: `{value}MB`" if value.isdigit() else "for example `200MB`, `1GiB`"
        hint = (
            f"write it without the space: `{together}`"
            if together != value and _SIZE.match(together)
            else hint
        )
        raise problem("ORC107", f"expected a size, got `{value}`", hint)
    return int(float(found.group(1)) * _SIZE_UNITS[found.group(2)])


def spelled_duration(seconds: float) -> str:
    """Seconds as a user writes them: `500ms`, `2s`, `5m`."""
    for unit, length in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds >= length and seconds % length == 0:
            return f"{seconds / length:g}{unit}"
    return f"{seconds * 1000:g}ms" if 0 < seconds < 1 else f"{seconds:g}s"


def spelled_size(size: int) -> str:
    """Bytes as a user writes them: `200MB`, `1GiB`."""
    for unit in ("GiB", "GB", "MiB", "MB", "KiB", "kB"):
        length = _SIZE_UNITS[unit]
        if size >= length and size % length == 0:
            return f"{size // length}{unit}"
    return f"{size}B"


def parse_mode(value: object) -> int:
    """A file mode from quoted octal."""
    if isinstance(value, str) and _MODE.match(value):
        return int(value, 8)
    if isinstance(value, int) and not isinstance(value, bool):
        octal = 0 <= value <= 7777 and not set(str(value)) & {"8", "9"}
        spelled = str(value).rjust(4, "0") if octal else f"{abs(value) & 0o7777:04o}"
        raise problem(
            "ORC108",
            f"expected a file mode in quotes, got the number `{value}`",
            f'write it in octal and in quotes: "{spelled}"',
        )
    raise problem(
        "ORC108", f"expected a file mode, got {words_for(value)}", 'write it in octal and in quotes: "0750"'
    )


def _port(value: object, lowest: int = 1) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        if lowest <= value <= 65535:
            return value
        raise problem("ORC105", f"a port is {lowest} to 65535, got `{value}`", "for example 8000")
    if isinstance(value, str) and value.isdigit():
        raise problem(
            "ORC102", f'expected a port number, got the text "{value}"', f"write it without quotes: {value}"
        )
    raise problem("ORC102", f"expected a port number, got {words_for(value)}", "for example 8000")


def _import_name(value: str) -> str:
    if _IMPORT_NAME.match(value):
        return value
    if "/" in value or value.endswith(".py"):
        name = value.removesuffix(".py").strip("./").replace("/", ".").removesuffix(".__init__")
        raise problem("ORC122", f"expected an import name, got the path `{value}`", f"write `{name}`")
    raise problem("ORC122", f"expected an import name, got `{value}`", "for example `package.module`")


def _app(value: str) -> str:
    if _APP.match(value):
        return value
    meant = f"{value.removesuffix('.py').replace('/', '.')}:app"
    if ":" not in value and _APP.match(meant):
        raise problem("ORC122", f"expected `module:attribute`, got `{value}`", f"write `{meant}`")
    raise problem("ORC122", f"expected `module:attribute`, got `{value}`", "for example `package.module:app`")


def _function(value: str) -> str:
    if _APP.match(value):
        return value
    module, dot, name = value.removesuffix(".py").replace("/", ".").rpartition(".")
    hint = f"write `{module}:{name}`" if dot and ":" not in value else "for example `package.module:function`"
    raise problem("ORC122", f"expected `module:function`, got `{value}`", hint)


def variable_name(value: str) -> str:
    if _VARIABLE.match(value):
        return value
    raise problem(
        "ORC109", f"`{value}` cannot be the name of a variable", "letters, digits and `_`, no digit first"
    )


def _pattern(value: str) -> str:
    try:
        re.compile(value)
    except (re.error, OverflowError, RecursionError) as error:
        raise problem(
            "ORC116", f"invalid regular expression `{value}`: {error}", "the syntax is that of Python's `re`"
        ) from None
    return value


def _specifier(value: str) -> str:
    if _SPECIFIERS.match(value):  # the commonest forms cost no import
        return value
    from packaging.specifiers import InvalidSpecifier, SpecifierSet

    try:
        SpecifierSet(value)
    except InvalidSpecifier:
        bare = re.fullmatch(r"[0-9][0-9.]*", value)
        hint = f'write ">={value}"' if bare else 'for example ">=3.11" or "~=3.12.0" (PEP 440)'
        raise problem("ORC110", f"expected a version specifier, got `{value}`", hint) from None
    return value


def as_words(command: str) -> str:
    """A command line as the list to write, such as `[sh, -c, "a && b"]`."""
    import shlex

    from orchestrator.document.dump import in_a_list

    try:
        words = shlex.split(command)
    except ValueError:  # an open quote
        words = command.split()
    return f"[{', '.join(map(in_a_list, words))}]"


def shell_text(value: Any) -> Any:
    """A text for /bin/sh: without templates, since a value could become code."""
    if isinstance(value, Template):
        raise problem("ORC219", "`shell` cannot hold `${…}`: a value could become code",
                      'hand it over in `environment` and write "$NAME"')  # fmt: skip
    return value


_SHELL_SIGNS = frozenset("|&;<>*?$`~()\n")


def needs_a_shell(command: str) -> bool:
    """Whether a command line has signs that only a shell understands."""
    return bool(_SHELL_SIGNS & set(command))


def argv_given(value: Any) -> Any:
    """An argument vector: a list, because a string would need a shell; no secrets, because every user can read it."""
    if isinstance(value, str):
        words = as_words(value)
        if needs_a_shell(value):
            from orchestrator.document.dump import in_a_list

            words = f"[sh, -c, {in_a_list(value)}]: only a shell understands what stands there"
        raise problem("ORC102", f"expected a list of arguments, got the text `{value}`", f"write {words}")
    if isinstance(value, tuple):
        if not value:
            raise problem(
                "ORC115", "expected a command, got an empty list", "for example [python, -m, app.migrate]"
            )
        for at, each in enumerate(value):
            if isinstance(each, Template) and each.secret:
                raise problem("ORC216", f"a secret would stand in an argument vector: `{each.written}`",
                              "hand it over in `environment`: arguments can be read by every user of the host", at)  # fmt: skip
        if value[0] == "":
            raise problem(
                "ORC115", "the name of the command is empty", "for example [python, -m, app.migrate]", 0
            )
    return value


def _no_empty(value: tuple[Any, ...]) -> tuple[Any, ...]:
    if not value:
        raise problem(
            "ORC115",
            "an empty list would never fail and never match",
            "list at least one value, or take the line out",
        )
    return value


def _path(value: str) -> str:
    if not value or "\0" in value:
        found = "an empty text" if not value else "a text with a NUL character"
        raise problem(
            "ORC130", f"expected a path, got {found}", "a relative path is from the working directory"
        )
    return value


def version_text(example: str) -> AfterValidator:
    """A version (PEP 440), and no comparison with one."""

    def check(value: str) -> str:
        from packaging.version import InvalidVersion, Version

        try:
            Version(value)
        except InvalidVersion:
            raise problem(
                "ORC110", f"expected a version, got `{value}`", f'for example "{example}"'
            ) from None
        return value

    return AfterValidator(check)


class Keywords:
    """What a function asks for, in the words of JSON Schema: stands behind it in `Annotated`."""

    def __init__(self, **keywords: Any) -> None:
        self.keywords = keywords

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return {**handler(schema), **self.keywords}


class _NonEmpty:
    """Stands behind a list that may not be empty."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(_no_empty, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return {**handler(schema), "minItems": 1}


def text(pattern: str, *examples: str, description: str = "") -> WithJsonSchema:
    schema: dict[str, Any] = {"type": "string", "pattern": pattern, "examples": list(examples)}
    if description:
        schema["description"] = description
    return WithJsonSchema(schema)


Duration = Annotated[float, PlainValidator(parse_duration), text(_DURATION, "500ms", "2s", "5m")]
Size = Annotated[
    int,
    PlainValidator(parse_size),
    text(r"^[0-9]+(\.[0-9]+)?(B|[kK]B|MB|GB|TB|KiB|MiB|GiB|TiB)$", "200MB", "1GiB"),
]
Mode = Annotated[int, PlainValidator(parse_mode), text(r"^0?[0-7]{3,4}$", "0750", "0640")]
Port = Annotated[
    int, PlainValidator(_port), WithJsonSchema({"type": "integer", "minimum": 1, "maximum": 65535})
]
AnyPort = Annotated[
    int,
    PlainValidator(lambda value: _port(value, 0)),
    WithJsonSchema({"type": "integer", "minimum": 0, "maximum": 65535}),
]
"""A port, or 0 for whichever is free."""
ImportName = Annotated[str, AfterValidator(_import_name), Keywords(pattern=rf"^{_ASCII_IMPORT_NAME}$")]
AppReference = Annotated[
    str, AfterValidator(_app), Keywords(pattern=rf"^{_ASCII_IMPORT_NAME}:{_ASCII_IMPORT_NAME}$")
]
FunctionReference = Annotated[str, AfterValidator(_function)]
VariableName = Annotated[str, AfterValidator(variable_name), Keywords(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]
Pattern = Annotated[str, AfterValidator(_pattern), Keywords(format="regex")]
Specifier = Annotated[str, AfterValidator(_specifier)]
PathText = Annotated[str, AfterValidator(_path), Keywords(minLength=1)]
Argv = Annotated[tuple[Templated[str], ...], BeforeValidator(argv_given), Keywords(minItems=1)]
"""A command and its arguments."""
# What waits and steps are called: the second half of their ids.
ItemName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")]
Scalar = str | int | float | bool
NonEmpty = _NonEmpty()
