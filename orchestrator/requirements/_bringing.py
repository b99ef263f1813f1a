"""Puts a file where it should be: copied from a pristine source, or rendered from a template."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING, Protocol

from orchestrator.core.outcome import failed
from orchestrator.requirements._contents import no_source
from orchestrator.requirements._places import Owner, SymlinkError, guarded, reach, refuse_link
from orchestrator.requirements._remedies import refusal
from orchestrator.requirements._template import TemplateError, render
from orchestrator.requirements._writing import write
from orchestrator.system.reading import read_for

if TYPE_CHECKING:
    from orchestrator.core.context import Context
    from orchestrator.core.outcome import Outcome


class Source(Protocol):
    """What a `files` item says of where its content comes from."""

    @property
    def template(self) -> str | None: ...
    @property
    def copy_from(self) -> str | None: ...
    @property
    def mode(self) -> int | None: ...
    @property
    def private(self) -> bool: ...


def bring(asked: Source, path: str, owner: Owner, context: Context) -> Outcome | str | None:
    """What was done in words, or what prevented it; None where nothing was to be done."""
    if asked.template is not None:
        return _rendered(asked, path, asked.template, owner, context)
    if asked.copy_from is not None and not os.path.lexists(path):
        return _copied(asked, path, asked.copy_from, owner, context)
    return None


def _copied(asked: Source, path: str, source: str, owner: Owner, context: Context) -> Outcome | str:
    try:
        content = read_for(context.path(source), context.user)
        mode = stat.S_IMODE(os.stat(context.path(source)).st_mode)
    except OSError as error:
        return no_source(source, error, context)
    wanted = asked.mode if asked.mode is not None else 0o600 if asked.private else mode
    return _put(path, content, wanted, owner, context, "copied", replace=False)


def _rendered(asked: Source, path: str, source: str, owner: Owner, context: Context) -> Outcome | str:
    try:
        content = render(read_for(context.path(source), context.user).decode(), context).encode()
    except OSError as error:
        return no_source(source, error, context)
    except UnicodeDecodeError as error:
        summary = f"{source} is not UTF-8 text: byte {error.start}"
        return failed("ORC443", "format", summary, "save it as UTF-8", final=True)
    except TemplateError as error:
        summary = f"{source}:{error.line}: {error.message}"
        return failed("ORC443", "template", summary, error.hint, final=True)
    if _is_current(path, content):
        return " (rendered, unchanged)"
    wanted = 0o600 if asked.mode is None else asked.mode
    return _put(path, content, wanted, owner, context, "rendered", replace=True)


def _is_current(path: str, content: bytes) -> bool:
    try:
        if not stat.S_ISREG(os.lstat(path).st_mode):
            return False
        with open(path, "rb") as file:
            return file.read() == content
    except OSError:
        return False


def _put(
    path: str, content: bytes, mode: int, owner: Owner, context: Context, word: str, *, replace: bool
) -> Outcome | str:
    folder, name = os.path.split(path)
    try:
        directory, _ = reach(folder)
        try:
            refuse_link(name, path, directory)
            write(directory, name, content, _new_owner(owner, context), mode, replace=replace)
        finally:
            os.close(directory)
    except FileNotFoundError as error:
        hint = f"list {folder} under `directories`: it is made before files are"
        summary = f"{path} cannot be {word}: there is no {error.filename or folder}"
        return failed("ORC441", "missing", summary, hint)
    except OSError as error:
        error.filename = error.filename if isinstance(error, SymlinkError) else folder
        return _not_written(refusal(error, path, context.user, "cannot write", "ORC441"), path)
    return f" ({word})"


def _new_owner(named: Owner, context: Context) -> Owner:
    """What root makes belongs to the service's user where the spec names nobody."""
    if not guarded():
        return named
    uid = context.user.uid if named.uid is None else named.uid
    return Owner(uid, context.user.gid if named.gid is None else named.gid)


def _not_written(found: Outcome, path: str) -> Outcome:
    """A whole directory made writable for one file would hide what else the image has in it."""
    if found.reason != "read-only":
        return found
    folder, name = os.path.split(path)
    hint = f"put {name} into a directory of its own that is writable: a volume or a tmpfs; {folder} is none"
    return failed(found.code, found.reason, found.summary, hint)
