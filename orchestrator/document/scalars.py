"""How YAML 1.1 resolves a plain scalar, and the traps in that.

The rules are those of the type repository of YAML 1.1 (https://yaml.org/type/), as PyYAML applies them.
"""

from __future__ import annotations

from orchestrator.diagnostics.patterns import pattern

_INTEGER = pattern(r"[-+]?(?:0|[1-9][0-9_]*)\Z")
_OCTAL = pattern(r"[-+]?0[0-7_]+\Z")
_OCTAL_12 = pattern(r"0o[0-7]+\Z")
_HEX = pattern(r"[-+]?0x[0-9a-fA-F_]+\Z")
_BINARY = pattern(r"[-+]?0b[01_]+\Z")
_FLOAT = pattern(r"[-+]?(?:[0-9][0-9_]*\.[0-9_]*(?:[eE][-+]?[0-9]+)?|\.[0-9][0-9_]*(?:[eE][-+]?[0-9]+)?)\Z")
_EXPONENT = pattern(r"[-+]?[0-9]+[eE][-+]?[0-9]+\Z")
_SEXAGESIMAL = pattern(r"[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?\Z")
_SPECIAL = pattern(r"[-+]?\.(?:inf|Inf|INF)\Z|\.(?:nan|NaN|NAN)\Z")
_DATE = pattern(r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}(?:(?:[Tt]|[ \t]+)[0-9].*)?\Z")
_NULLS = frozenset({"", "~", "null", "Null", "NULL"})
_TRUE = frozenset({"true", "True", "TRUE"})
_FALSE = frozenset({"false", "False", "FALSE"})
_TRUE_WORDS = frozenset({"yes", "Yes", "YES", "on", "On", "ON"})
_FALSE_WORDS = frozenset({"no", "No", "NO", "off", "Off", "OFF"})
_STARTS = frozenset("-+.0123456789~nNtTfFyYoO")

HUGE_DIGITS = 40
"""No field of a spec needs a longer number, and Python refuses to convert very long ones."""


def resolve(text: str) -> tuple[str | int | float | bool | None, str | None]:
    """The value that YAML 1.1 gives a plain scalar, and the code of the trap, if it is one."""
    if not text:
        return None, None
    if text[0] not in _STARTS:
        return text, None
    return _number(text) if text[0] in "-+.0123456789" else _word(text)


def _word(text: str) -> tuple[str | bool | None, str | None]:
    if text in _NULLS:
        return None, None
    if text in _TRUE or text in _FALSE:
        return text in _TRUE, None
    if text in _TRUE_WORDS or text in _FALSE_WORDS:
        return text in _TRUE_WORDS, "ORC013"
    return text, None


def _number(text: str) -> tuple[str | int | float, str | None]:
    if text.isdecimal() and text.isascii() and (text[0] != "0" or text == "0") and len(text) <= HUGE_DIGITS:
        return int(text), None  # by far the most common
    if _SPECIAL.match(text):
        return float(text.replace(".", "", 1).lower()), "ORC016"
    if _INTEGER.match(text) or _HEX.match(text) or _BINARY.match(text):
        if len(text) > HUGE_DIGITS:
            return text, "ORC016"
        return int(text.replace("_", ""), 10 if _INTEGER.match(text) else 0), None
    if _OCTAL.match(text) and len(text) <= HUGE_DIGITS:
        return int(text.replace("_", ""), 8), "ORC015"
    if _OCTAL_12.match(text):
        return text, "ORC015"
    if _FLOAT.match(text):
        value = float(text.replace("_", ""))
        return value, "ORC016" if value in (float("inf"), float("-inf")) else None
    if _EXPONENT.match(text):
        return text, None  # text to YAML 1.1, a number to YAML 1.2: kept as text
    if _SEXAGESIMAL.match(text) and len(text) <= HUGE_DIGITS:
        return _base_60(text), "ORC014"
    if _DATE.match(text):
        return text, "ORC021"
    return text, None


def _base_60(text: str) -> int | float:
    sign = -1 if text.startswith("-") else 1
    total: float = 0
    for part in text.lstrip("+-").replace("_", "").split(":"):
        total = total * 60 + (float(part) if "." in part else int(part))
    return sign * total if "." in text else sign * int(total)


def explain_trap(code: str, raw: str, value: object) -> tuple[str, str]:
    """The message and the hint for a trap."""
    quoted = f'"{raw}"'
    match code:
        case "ORC013":
            word = "true" if value else "false"
            return f"YAML 1.1 reads `{raw}` as the boolean {word}", f"write {word}, or {quoted} for the text"
        case "ORC014":
            return f"YAML 1.1 reads `{raw}` as the number {value} (base 60)", f"write {quoted}"
        case "ORC015":
            if isinstance(value, int):
                return f"YAML 1.1 reads `{raw}` as the number {value} (octal)", f"write {quoted}"
            return f"`{raw}` is octal to YAML 1.2 and text to YAML 1.1", f'write "0{raw[2:]}" for a file mode'
        case "ORC016":
            shown = raw if len(raw) <= 20 else raw[:17] + "..."
            return (
                f"`{shown}` is not a number a spec can hold",
                "write a finite number of at most 40 digits, or quote it",
            )
        case _:
            return f"YAML 1.1 readers take `{raw}` for a date", f"write {quoted}"
