"""The requirements that a file lists: requirements.txt and its includes, pyproject.toml. Checks nothing."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from orchestrator.diagnostics.patterns import pattern
from orchestrator.requirements._installed import normalise
from orchestrator.system.reading import open_for

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from orchestrator.core.context import User

_COMMENT = pattern(r"(^|\s+)#.*$")
_INCLUDE = pattern(r"(?:-r|--requirement)(?:\s+|=|(?=\S))(?P<file>.+)\Z")
_OPTION = pattern(r"\s+--?[A-Za-z].*$")
_VARIABLE = pattern(r"\$\{([A-Z0-9_]+)\}")
_NAMED_URL = pattern(r"[A-Za-z0-9][A-Za-z0-9._-]*\s*(?:\[[^\]]*\])?\s*@\s*[a-z+]+:")
_PLACE = pattern(r"\A(?:[a-z+]+://|\.{0,2}/|[A-Za-z0-9_.-]+/)|\.(?:whl|zip|tar\.gz)(?:\s|#|\Z)")


@dataclass
class Listed:
    """What was read: requirements with their places, and what is wrong."""

    user: User
    """Whom they are read for."""
    requirements: list[tuple[str, str]] = field(default_factory=list)
    """A PEP 508 text and `file:line` (or the file)."""
    problems: list[tuple[str, str, str]] = field(default_factory=list)
    """A diagnostic code, what is wrong, and the remedy."""


def read(path: str, shown: str, user: User, extras: Sequence[str] = (), groups: Sequence[str] = ()) -> Listed:
    """The requirements of a file; `shown` is what messages call it. Extras and groups are a pyproject.toml's."""
    listed = Listed(user)
    if path.endswith(".toml"):
        _project(path, shown, listed, extras, groups)
    else:
        _requirements(path, shown, listed, frozenset())
    return listed


def _requirements(path: str, shown: str, listed: Listed, above: frozenset[str]) -> None:
    text = _text(path, shown, listed)
    if text is None:
        return
    for number, line in _lines(text):
        include = _INCLUDE.match(line)
        if include is not None:
            _include(path, shown, include["file"].strip().strip("\"'"), listed, above | {path})
        elif not line.startswith("-") and (_NAMED_URL.match(line) or not _PLACE.search(line)):
            _requirement(_OPTION.sub("", line), f"{shown}:{number}", listed)


def _include(path: str, shown: str, name: str, listed: Listed, above: frozenset[str]) -> None:
    if "://" in name:
        return  # nothing is fetched
    target = os.path.normpath(os.path.join(os.path.dirname(path), name))
    if target not in above:
        _requirements(target, os.path.normpath(os.path.join(os.path.dirname(shown), name)), listed, above)


def _lines(text: str) -> Iterator[tuple[int, str]]:
    """The lines without comments, continued ones put together, with the number each began at."""
    begun, parts = 0, [""]
    for number, line in enumerate(text.splitlines(), 1):
        begun = begun or number
        comment = line.lstrip().startswith("#")
        if line.endswith("\\") and not comment:
            parts.append(line[:-1])
            continue
        parts.append("" if comment else line)
        whole = _COMMENT.sub("", "".join(parts)).strip()
        if whole:
            yield begun, whole
        begun, parts = 0, [""]
    if whole := _COMMENT.sub("", "".join(parts)).strip():
        yield begun, whole


def _requirement(text: str, place: str, listed: Listed) -> None:
    from packaging.requirements import InvalidRequirement, Requirement

    text = _VARIABLE.sub(lambda found: os.environ.get(found.group(1), found.group()), text).strip()
    try:
        Requirement(text)
    except InvalidRequirement as error:
        summary = str(error).splitlines()[0]
        listed.problems.append(
            ("ORC110", f"{place}: cannot read the requirement: {summary}", "write it as in `name>=1.2`")
        )
    else:
        listed.requirements.append((text, place))


def _project(path: str, shown: str, listed: Listed, extras: Sequence[str], groups: Sequence[str]) -> None:
    text = _text(path, shown, listed)
    if text is None:
        return
    import tomllib

    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        listed.problems.append(("ORC443", f"{shown} is not TOML: {error}", "fix the file"))
        return
    if "lock-version" in data and isinstance(data.get("packages"), list):
        for each in data["packages"]:
            _requirement(_locked(each), shown, listed)
        return
    project = data.get("project")
    if isinstance(project, dict) and "dependencies" in project:
        for each in project["dependencies"]:
            _requirement(str(each), shown, listed)
    elif not extras and not groups:
        listed.problems.append(_no_dependencies(shown, data))
    _tables(data, shown, listed, extras, groups)


def _tables(
    data: dict[str, Any], shown: str, listed: Listed, extras: Sequence[str], groups: Sequence[str]
) -> None:
    optional = data.get("project", {}).get("optional-dependencies", {})
    for name in extras:
        for each in _table(optional, name, "project.optional-dependencies", shown, listed):
            _requirement(str(each), shown, listed)
    for name in groups:
        _group(data.get("dependency-groups", {}), name, shown, listed, ())


def _group(tables: Any, name: str, shown: str, listed: Listed, above: tuple[str, ...]) -> None:
    """A group (PEP 735) with those that it includes."""
    if normalise(name) in above:
        summary = f"{shown}: the group {name} includes itself"
        listed.problems.append(("ORC443", summary, "take one `include-group` out"))
        return
    for each in _table(tables, name, "dependency-groups", shown, listed):
        if isinstance(each, dict):
            inner = (*above, normalise(name))
            _group(tables, str(each.get("include-group", "")), shown, listed, inner)
        else:
            _requirement(str(each), shown, listed)


def _table(tables: Any, name: str, where: str, shown: str, listed: Listed) -> list[Any]:
    """The list of that name, however it is spelt."""
    known = tables if isinstance(tables, dict) else {}
    found = next((known[each] for each in known if normalise(each) == normalise(name)), None)
    if isinstance(found, list):
        return found
    from orchestrator.core.suggest import did_you_mean

    hint = did_you_mean(name, known) or f"it has {', '.join(known) or 'none'}"
    listed.problems.append(("ORC443", f"{shown} has no `{name}` in [{where}]", hint))
    return []


def _locked(package: dict[str, Any]) -> str:
    """A package of a pylock.toml (PEP 751)."""
    pinned = (
        f"{package.get('name', '')}=={package['version']}"
        if "version" in package
        else str(package.get("name", ""))
    )
    return f"{pinned} ; {package['marker']}" if "marker" in package else pinned


def _no_dependencies(shown: str, data: dict[str, Any]) -> tuple[str, str, str]:
    project = data.get("project")
    if isinstance(project, dict) and "dependencies" in project.get("dynamic", ()):
        hint = (
            "its dependencies are dynamic: name the file that has them, for example {from: requirements.txt}"
        )
    elif "poetry" in data.get("tool", {}):
        hint = "it has [tool.poetry.dependencies] only: poetry export -o requirements.txt, and name that file"
    else:
        hint = "add `dependencies = [...]` to its [project] table, or name the file that lists them"
    return "ORC443", f"{shown} has no [project] dependencies", hint


def _text(path: str, shown: str, listed: Listed) -> str | None:
    try:
        with open(open_for(path, listed.user), encoding="utf-8-sig") as file:
            return file.read()
    except FileNotFoundError:
        name = os.path.basename(path)
        listed.problems.append(
            ("ORC441", f"{shown} does not exist", f"COPY {name} into the image before the start, at {path}")
        )
    except UnicodeDecodeError as error:
        listed.problems.append(
            ("ORC443", f"{shown} is not UTF-8 text: byte {error.start}", "save it as UTF-8")
        )
    except OSError as error:
        listed.problems.append(("ORC441", f"{shown} cannot be read: {error.strerror}", f"ls -l {path}"))
    return None
