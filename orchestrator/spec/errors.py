"""The models' errors to diagnostics: our words, the place in the file, one finding for each mistake."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from orchestrator.diagnostics import Findings, Place
from orchestrator.document.node import Node, pointer, words_for
from orchestrator.document.overlay import related
from orchestrator.document.plain import Interpolated
from orchestrator.document.scalars import explain_trap

if TYPE_CHECKING:
    from pydantic import ValidationError

    Path = tuple[str | int, ...]

_TYPES = {
    "string_type": "a text", "int_type": "a whole number", "int_from_float": "a whole number", "float_type": "a number",
    "bool_type": "true or false", "list_type": "a list", "tuple_type": "a list", "dict_type": "a mapping",
    "model_type": "a mapping", "none_required": "nothing", "mapping_type": "a mapping",
}  # fmt: skip


def translate(error: ValidationError, tree: Node, data: Any, findings: Findings) -> None:
    """Adds a finding for each error. `data` is what was decoded, to see which values came from variables."""
    by_path: dict[Path, list[Any]] = {}
    for line in error.errors(include_url=False):
        by_path.setdefault(_real_path(line["loc"], tree), []).append(line)
    for path, lines in by_path.items():
        if len(lines) > 1 and all(each["type"] in _TYPES or each["type"] == "literal_error" for each in lines):
            _one_of_types(path, lines, tree, data, findings)
        else:
            for line in lines:
                _add(path, line, tree, data, findings)


def _real_path(loc: tuple[int | str, ...], tree: Node) -> Path:
    """The path in the document: without the steps that only the models have (holders of lists, branches of unions)."""
    path: list[int | str] = []
    node: Node | None = tree
    for at, step in enumerate(loc):
        child = None
        if node is not None:
            if isinstance(node.value, dict) and isinstance(step, str):
                child = node.value.get(step)
            elif isinstance(node.value, list) and isinstance(step, int) and step < len(node.value):
                child = node.value[step]
        if child is not None:
            node = child
            path.append(step)
        elif at == len(loc) - 1 and node is not None and isinstance(node.value, dict) and step != "[key]":
            path.append(step)
    return tuple(path)


def _one_of_types(path: Path, lines: list[Any], tree: Node, data: Any, findings: Findings) -> None:
    """A union: one finding that names all that would have been right."""
    expected = []
    for line in lines:
        words = line["ctx"]["expected"].replace("'", "`") if line["type"] == "literal_error" else _TYPES[line["type"]]
        if words not in expected:
            expected.append(words)
    joined = expected[0] if len(expected) == 1 else f"{', '.join(expected[:-1])} or {expected[-1]}"
    node, _ = tree.at(path)
    _put("ORC102", f"{_subject(path)} expects {joined}, got {words_for(node.value)}", "", path, tree, data, findings)


def _add(path: Path, line: Any, tree: Node, data: Any, findings: Findings) -> None:
    code, message, hint = _words(line, path, tree)
    _put(code, message, hint, path, tree, data, findings)


def _words(line: Any, path: Path, tree: Node) -> tuple[str, str, str]:
    kind, context = line["type"], line.get("ctx", {})
    subject = _subject(path)
    found = words_for(_found(path, tree, line["input"]))
    if kind.startswith("ORC"):
        return kind, _named(kind, context["message"], path, tree), context.get("hint", "")
    if kind in _TYPES:
        return "ORC102", f"{subject} expects {_TYPES[kind]}, got {found}", _type_hint(kind, line["input"])
    if kind in ("literal_error", "enum"):
        return "ORC103", f"{subject} expects {_quoted(context['expected'])}, got {found}", _near(context["expected"], line["input"])
    if kind in ("greater_than", "greater_than_equal", "less_than", "less_than_equal"):
        bound = {"greater_than": ("more than", "gt"), "greater_than_equal": ("at least", "ge"),
                 "less_than": ("less than", "lt"), "less_than_equal": ("at most", "le")}[kind]  # fmt: skip
        return "ORC105", f"{subject} must be {bound[0]} {context[bound[1]]:g}, got {found}", ""
    if kind == "string_pattern_mismatch":
        return "ORC109", f"{subject} cannot be {found}", f"it must match `{context['pattern']}`"
    if kind in ("too_short", "string_too_short"):
        return "ORC115", f"{subject} must not be empty", ""
    if kind == "finite_number":
        return "ORC016", f"{subject} must be a finite number, got {found}", ""
    return "ORC102", f"{subject}: {line['msg'][:1].lower()}{line['msg'][1:]}", ""


def _found(path: Path, tree: Node, value: Any) -> Any:
    node, taken = tree.at(path)
    return value if taken < len(path) or isinstance(node.value, (dict, list)) else node.value


def _named(code: str, message: str, path: Path, tree: Node) -> str:
    """`unknown key … in wait` gets the name of the wait, where it has one."""
    if code not in ("ORC101", "ORC104"):
        return message
    node, _ = tree.at(path[:-1])
    for key in ("name", "path", "module", "requirement"):
        named = node.get(key)
        if named is not None and isinstance(named.value, str):
            return f"{message} `{named.value}`"
    if len(path) > 1 and path[-2] != message.rpartition(" ")[2] and isinstance(path[-2], str) and path[0] in ("variables", "roles"):
        return f"{message} `{path[-2]}`"
    return message


def _subject(path: Path) -> str:
    """What a message is about: the last key on the path."""
    keys = [step for step in path if isinstance(step, str)]
    if not keys:
        return "the spec"
    return f"an item of `{keys[-1]}`" if isinstance(path[-1], int) else f"`{keys[-1]}`"


def _quoted(expected: str) -> str:
    return expected.replace("'", "`")


def _near(expected: str, value: Any) -> str:
    from orchestrator.diagnostics.suggest import closest

    near = closest(str(value), [each.strip("' ") for each in expected.replace(" or ", ",").split(",")])
    return f"did you mean `{near}`?" if near else ""


def _type_hint(kind: str, value: Any) -> str:
    if kind == "string_type" and isinstance(value, int | float) and not isinstance(value, bool):
        return f'write it in quotes: "{value}"'
    if kind in ("int_type", "float_type") and isinstance(value, str) and value.replace(".", "", 1).isdigit():
        return f"write it without quotes: {value}"
    if kind == "int_from_float":
        return "write it without a decimal point" if isinstance(value, float) and value.is_integer() else ""
    if kind == "bool_type" and isinstance(value, str) and value.lower() in ("true", "false"):
        return f"write it without quotes: {value.lower()}"
    if kind in ("list_type", "tuple_type") and isinstance(value, str):
        return f"write [{value}]"
    return ""


def _put(code: str, message: str, hint: str, path: Path, tree: Node, data: Any, findings: Findings) -> None:
    node, taken = tree.at(path)
    if node.trap and node.raw is not None and taken == len(path):
        made, quote = explain_trap(node.trap, node.raw, node.value)
        message, hint = f"{message}: {made}", quote if code != "ORC108" else f'write it in octal and in quotes: "{node.raw}"'
        if code == "ORC108":
            message = f"expected a file mode in quotes, got `{node.raw}`, which YAML 1.1 reads as the number {node.value}"
        findings.found = [each for each in findings.found if not (each.code == node.trap and each.place == node.place)]
    elif node.raw is not None and taken == len(path) and code in ("ORC102", "ORC105", "ORC106", "ORC107"):
        message = message.replace(f"`{node.value}`", f"`{node.raw}`")
        if 'in quotes: "' in hint:
            hint = f'write it in quotes: "{node.raw}"'
    written = _interpolated(path, data)
    if written is not None:
        code, hint = ("ORC218" if code in ("ORC102", "ORC103", "ORC105", "ORC106", "ORC107", "ORC108", "ORC109") else code), hint
        message = f"{message} (from `{written}`)"
    findings.add(code, message, _place(code, node, path, tree), pointer=pointer(path), hint=hint, related=related(node))


def _place(code: str, node: Node, path: Path, tree: Node) -> Place:
    """An unknown key is shown at the key, a missing one at the start of what misses it."""
    if code == "ORC101":
        first = node.place
        return Place(first.file, first.line, first.column, first.line, first.column + 1)
    if code in ("ORC104", "ORC112"):
        return key_or_value(tree, path, key=True)
    return node.place


def key_or_value(tree: Node, path: Path, *, key: bool) -> Place:
    """The place of a value, or of the key it stands under."""
    if key and path and isinstance(path[-1], str):
        return tree.at(path[:-1])[0].key_place(path[-1])
    return tree.at(path)[0].place


def _interpolated(path: Path, data: Any) -> str | None:
    """The text as written when the value at a path came from `${…}`."""
    for step in path:
        try:
            data = data[step]
        except (KeyError, IndexError, TypeError):
            return None
    return data.written if isinstance(data, Interpolated) and data.known and not data.secret else None
