"""What a file holds: digests, texts, its format, its schema. Reads it, and changes nothing."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Protocol

from orchestrator.core.context import current_user
from orchestrator.core.outcome import failed
from orchestrator.requirements._remedies import readable_by, refusal
from orchestrator.system.reading import open_for

if TYPE_CHECKING:
    from collections.abc import Iterator

    from orchestrator.core.context import Context, User
    from orchestrator.core.outcome import Outcome

_LARGEST = 64 * 2**20
_TEXT = ("contains", "format", "schema_")


class Content(Protocol):
    """What a `files` item asks of a content."""

    @property
    def sha256(self) -> str | None: ...
    @property
    def contains(self) -> str | tuple[str, ...] | None: ...
    @property
    def format(self) -> str | None: ...
    @property
    def schema_(self) -> str | None: ...


def asked_about(asked: Content) -> bool:
    """Whether a file's content matters at all."""
    return any(getattr(asked, each) is not None for each in ("sha256", *_TEXT))


def wrong(asked: Content, path: str, status: os.stat_result, context: Context) -> Iterator[Outcome]:
    """What is wrong with the content of a file that is there."""
    reads_text = any(getattr(asked, each) is not None for each in _TEXT)
    if status.st_size > _LARGEST and reads_text:
        summary = f"{path} has {status.st_size // 10**6} MB: too large to be read for its content"
        yield failed("ORC444", "size", summary, f"only files up to {_LARGEST // 10**6} MB are", final=True)
        return
    try:
        yield from _digest(asked, path, context.user)
        if reads_text:
            yield from _text(asked, path, context)
    except PermissionError:
        return  # reported already


def _digest(asked: Content, path: str, user: User) -> Iterator[Outcome]:
    if asked.sha256 is None:
        return
    import hashlib

    with open(open_for(path, user), "rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != asked.sha256:
        summary = f"{path} has the digest sha256 {found}, expected {asked.sha256}"
        hint = "it is another version, or damaged: fetch it again"
        yield failed("ORC444", "digest", summary, hint, final=True)


def _text(asked: Content, path: str, context: Context) -> Iterator[Outcome]:
    try:
        with open(open_for(path, context.user), encoding="utf-8-sig") as file:
            text = file.read()
    except UnicodeDecodeError as error:
        summary = f"{path} is not UTF-8 text: byte {error.start}"
        yield failed("ORC443", "format", summary, "save it as UTF-8", final=True)
        return
    for wanted in (asked.contains,) if isinstance(asked.contains, str) else asked.contains or ():
        if wanted not in text:
            summary = f"{path} does not contain `{wanted}`"
            yield failed("ORC444", "content", summary, "add it, or correct `contains`")
    yield from _data(asked, path, text, context)


def _data(asked: Content, path: str, text: str, context: Context) -> Iterator[Outcome]:
    from orchestrator.requirements._formats import FormatError, parse

    form = asked.format or (format_of(path) if asked.schema_ else None)
    if form is None:
        return
    try:
        data = parse(text, form)
    except FormatError as error:
        place = f":{error.line}:{error.column}" if error.column else f":{error.line}" if error.line else ""
        summary = f"{path}{place}: cannot read it as {form}: {error.message}"
        hint = f"fix it{f' in line {error.line}' if error.line else ''}"
        yield failed("ORC443", "format", summary, hint, final=True)
        return
    if asked.schema_ is not None:
        yield from _by_schema(path, data, asked.schema_, context)


def _by_schema(path: str, data: Any, schema: str, context: Context) -> Iterator[Outcome]:
    from orchestrator.requirements._formats import FormatError, parse, schema_problems

    try:
        with open(open_for(context.path(schema), context.user), encoding="utf-8") as file:
            text = file.read()
        problems = schema_problems(data, parse(text, format_of(schema)))
    except OSError as error:
        yield no_source(schema, error, context)
        return
    except (FormatError, UnicodeDecodeError) as error:
        yield failed("ORC443", "schema", f"{schema}: {error}", "fix the schema", final=True)
        return
    if problems:
        yield failed(
            "ORC444",
            "schema",
            f"{path} does not satisfy {schema}: {problems[0]}",
            f"fix {path}",
            details="\n".join(problems),
            final=True,
        )


def no_source(source: str, error: OSError, context: Context) -> Outcome:
    """A file that another one is made from or judged by is not there, or cannot be read."""
    if isinstance(error, FileNotFoundError):
        hint = f"COPY {source} in the Dockerfile, and no line of .dockerignore against it"
        return failed("ORC441", "missing", f"{source} does not exist", hint)
    path = context.path(source)
    me = current_user()
    found = refusal(error, path, me, "cannot read", "ORC441")
    hint = readable_by(path, me) if isinstance(error, PermissionError) else found.hint
    return failed("ORC441", "unreadable", found.summary, hint)


def format_of(path: str) -> str:
    """The format that a file's name promises; JSON where it promises none."""
    ending = os.path.splitext(path)[1].lstrip(".").lower()
    return {"yml": "yaml", "cfg": "ini", "conf": "ini"}.get(
        ending, ending if ending in ("yaml", "toml", "ini", "env") else "json"
    )
