"""Where an installed distribution comes from, and whether it is still as it was installed. Asks no index."""

from __future__ import annotations

import os
import re
import shlex
from typing import TYPE_CHECKING

from orchestrator.core.outcome import failed
from orchestrator.diagnostics.patterns import pattern

if TYPE_CHECKING:
    from collections.abc import Iterator

    from packaging.requirements import Requirement as Parsed

    from orchestrator.core.outcome import Outcome
    from orchestrator.requirements._installed import Distribution
    from orchestrator.requirements.packages import Package

_CREDENTIALS = pattern(r"//[^/@]*@")
_SHOWN = 3
_WORDS = {"index": "an index", "vcs": "a repository", "path": "a path", "archive": "an archive at a URL"}


def wrong(asked: Package, wanted: Parsed, found: Distribution) -> Iterator[Outcome]:
    """What is wrong with where it comes from and what is left of it."""
    yield from _url(wanted, found)
    yield from _editable(asked, found)
    yield from _source(asked, found)
    if asked.verify:
        yield from _verified(found)


def hidden(url: str) -> str:
    """The address without a password."""
    return _CREDENTIALS.sub("//", url)


def _url(wanted: Parsed, found: Distribution) -> Iterator[Outcome]:
    """A direct URL is compared where the installer recorded one."""
    recorded = str(found.origin.get("url", ""))
    if wanted.url and recorded and not _same_place(wanted.url, recorded):
        yield failed(
            "ORC413",
            "version",
            f"needs {wanted.name} from {hidden(wanted.url)}, it comes from {hidden(recorded)}",
            f"pip install --force-reinstall {shlex.quote(wanted.name + ' @ ' + hidden(wanted.url))}",
            package=wanted.name,
        )


def _same_place(wanted: str, recorded: str) -> bool:
    """Whether two addresses are the same but for credentials, the tool in front, the revision behind."""
    plain = [hidden(each).partition("#")[0].removeprefix("git+").rstrip("/") for each in (wanted, recorded)]
    short = [re.sub(r"@[^/@]*\Z", "", each) for each in plain]
    return plain[0] == plain[1] or short[0] == short[1]


def _editable(asked: Package, found: Distribution) -> Iterator[Outcome]:
    if asked.editable is None or asked.editable == bool(found.editable):
        return
    if found.editable:
        said = f"{found.name} is an editable install of {found.editable}, and must be none"
        hint = f"pip install --force-reinstall {shlex.quote(found.editable)}, without -e"
    else:
        said = f"{found.name} {found.version} is no editable install, and must be one"
        hint = f"pip install -e, with the source of {found.name}"
    yield failed("ORC417", "editable", said, hint, package=found.name)


def _source(asked: Package, found: Distribution) -> Iterator[Outcome]:
    if asked.source is None:
        return
    wanted = (asked.source,) if isinstance(asked.source, str) else asked.source
    origin = source_of(found)
    if origin in wanted:
        return
    place = hidden(str(found.origin.get("url", "")))
    said = f"{found.name} {found.version} comes from {_WORDS[origin]}{f' ({place})' if place else ''}"
    hint = f"pip install --force-reinstall {found.name}, from {' or '.join(_WORDS[each] for each in wanted)}"
    expected = " or ".join(_WORDS[each] for each in wanted)
    yield failed("ORC417", "source", f"{said}, expected {expected}", hint, package=found.name, source=origin)


def source_of(found: Distribution) -> str:
    """`index`, `vcs`, `path` or `archive`; what recorded nothing came from an index (PEP 610)."""
    origin = found.origin
    if "vcs_info" in origin:
        return "vcs"
    if "dir_info" in origin or str(origin.get("url", "")).startswith("file:"):
        return "path"
    return "archive" if origin else "index"


def _verified(found: Distribution) -> Iterator[Outcome]:
    """The files that were installed, by the digests that were written down then."""
    record = found.record()
    if record is None:
        said = f"{found.name} {found.version} has no RECORD of its files in {found.path}"
        yield failed("ORC417", "no-record", said, _again(found), package=found.name)
        return
    changed = [why for each in record if (why := _changed(found.place, *each))]
    if changed:
        more = f" and {len(changed) - _SHOWN} more" if len(changed) > _SHOWN else ""
        said = f"{found.name} {found.version} is not as it was installed: {', '.join(changed[:_SHOWN])}{more}"
        yield failed(
            "ORC417", "changed", said, _again(found), details="\n".join(changed[:50]), package=found.name
        )


def _again(found: Distribution) -> str:
    return f"pip install --force-reinstall --no-deps {shlex.quote(f'{found.name}=={found.version}')}"


def _changed(place: str, name: str, digest: str) -> str:
    """How a file differs from its line; empty when it does not."""
    import hashlib
    from base64 import urlsafe_b64encode

    kind, _, wanted = digest.partition("=")
    if kind not in hashlib.algorithms_available:
        return ""
    try:
        with open(os.path.join(place, name), "rb") as file:
            value = hashlib.file_digest(file, kind).digest()
    except FileNotFoundError:
        return f"{name} is missing"
    except OSError as error:
        return f"{name} cannot be read ({error.strerror})"
    return (
        "" if urlsafe_b64encode(value).decode().rstrip("=") == wanted.rstrip("=") else f"{name} was changed"
    )
