"""What a file holds: digests, texts, its format, its schema. Reads it, and changes nothing."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from orchestrator.core.context import current_user
from orchestrator.core.outcome import failed
from orchestrator.requirements._remedies import readable_by, refusal

if TYPE_CHECKING:
    from collections.abc import Iterator

    from orchestrator.core.context import Context
    from orchestrator.core.outcome import Outcome
    from orchestrator.requirements.files import File

_LARGEST = 64 * 2**20
_TEXT = ("contains", "excludes", "regex", "encoding", "format", "schema_")
_DIGESTS = ("sha256", "sha512")


def asked_about(asked: File) -> bool:
    """Whether a file's content matters at all."""
    return any(getattr(asked, each) is not None for each in (*_DIGESTS, *_TEXT))


def wrong(asked: File, path: str, status: os.stat_result, context: Context) -> Iterator[Outcome]:
    """What is wrong with the content of a file that is there."""
    reads_text = any(getattr(asked, each) is not None for each in _TEXT)
    if status.st_size > _LARGEST and reads_text:
        said = f"{path} has {status.st_size // 10**6} MB: too large to be read for its content"
        yield failed("ORC444", "size", said, f"only files up to {_LARGEST // 10**6} MB are", final=True)
        return
    try:
        yield from _digests(asked, path)
        if reads_text:
            yield from _text(asked, path, context)
    except PermissionError:
        return  # said already


def _digests(asked: File, path: str) -> Iterator[Outcome]:
    for name in _DIGESTS:
        wanted = getattr(asked, name)
        if wanted is None:
            continue
        import hashlib

        with open(path, "rb") as file:
            found = hashlib.file_digest(file, name).hexdigest()
        if found != wanted:
            said = f"{path} has the digest {name} {found}, expected {wanted}"
            hint = "it is another version, or damaged: fetch it again"
            yield failed("ORC444", "digest", said, hint, final=True)


def _text(asked: File, path: str, context: Context) -> Iterator[Outcome]:
    encoding = asked.encoding or "utf-8"
    try:
        with open(path, encoding="utf-8-sig" if encoding == "utf-8" else encoding) as file:
            text = file.read()
    except UnicodeError as error:
        name = "UTF-8" if encoding == "utf-8" else encoding
        at = f": byte {error.start}" if isinstance(error, UnicodeDecodeError) else ""
        said = f"{path} is not {name} text{at}"
        yield failed("ORC443", "format", said, f"save it as {name}", final=True)
        return
    yield from _words(asked, path, text)
    yield from _data(asked, path, text, context)


def _words(asked: File, path: str, text: str) -> Iterator[Outcome]:
    for wanted in _listed(asked.contains):
        if wanted not in text:
            said = f"{path} does not contain `{wanted}`"
            yield failed("ORC444", "content", said, "add it, or correct `contains`")
    for unwanted in _listed(asked.excludes):
        if unwanted in text:
            line = text[: text.index(unwanted)].count("\n") + 1
            said = f"{path}:{line}: contains `{unwanted}`, which must not be there"
            yield failed("ORC444", "content", said, "replace it with what is meant", line=line)
    for pattern in _listed(asked.regex):
        yield from _matched(path, pattern, text)


def _matched(path: str, pattern: str, text: str) -> Iterator[Outcome]:
    from orchestrator.system import bounded

    try:
        if bounded.search(pattern, text):
            return
        said = f"nothing in {path} matches `{pattern}`"
    except bounded.TooLong:
        said = f"searching {path} for `{pattern}` took more than {bounded.SECONDS:g} s: simplify the pattern"
    yield failed("ORC444", "content", said, "add what it asks for, or correct `regex`")


def _data(asked: File, path: str, text: str, context: Context) -> Iterator[Outcome]:
    from orchestrator.requirements._formats import FormatError, parse

    form = asked.format or (format_of(path) if asked.schema_ else None)
    if form is None:
        return
    try:
        data = parse(text, form)
    except FormatError as error:
        place = f":{error.line}:{error.column}" if error.column else f":{error.line}" if error.line else ""
        said = f"{path}{place}: cannot read it as {form}: {error.message}"
        hint = f"mend it{f' in line {error.line}' if error.line else ''}"
        yield failed("ORC443", "format", said, hint, final=True)
        return
    if asked.schema_ is not None:
        yield from _by_schema(path, data, asked.schema_, context)


def _by_schema(path: str, data: Any, schema: str, context: Context) -> Iterator[Outcome]:
    from orchestrator.requirements._formats import FormatError, parse, schema_problems

    try:
        with open(context.path(schema), encoding="utf-8") as file:
            text = file.read()
        problems = schema_problems(data, parse(text, format_of(schema)))
    except OSError as error:
        yield no_source(schema, error, context)
        return
    except (FormatError, UnicodeDecodeError) as error:
        yield failed("ORC443", "schema", f"{schema}: {error}", "mend the schema", final=True)
        return
    if problems:
        yield failed(
            "ORC444",
            "schema",
            f"{path} does not satisfy {schema}: {problems[0]}",
            f"mend {path}",
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


def _listed(texts: str | tuple[str, ...] | None) -> tuple[str, ...]:
    return (texts,) if isinstance(texts, str) else texts or ()
