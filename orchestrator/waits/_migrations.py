"""Whether a database is where the migrations of this image lead. Reads their files, and runs none of them."""

import os
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from orchestrator.spec.model import Model, exactly_one
from orchestrator.spec.templated import Templated
from orchestrator.spec.types import NonEmpty, PathText
from orchestrator.waits._failure import Failure

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from orchestrator.core.context import Context
    from orchestrator.waits._database import Database

_TABLES = {"alembic": "alembic_version", "django": "django_migrations", "yoyo": "_yoyo_migration"}
_REMEDIES = {
    "alembic": "alembic upgrade head",
    "django": "python manage.py migrate",
    "yoyo": "yoyo apply",
}
_QUERIES = {
    "alembic": "SELECT version_num FROM alembic_version",
    "django": "SELECT app, name FROM django_migrations",
    "yoyo": "SELECT migration_id FROM _yoyo_migration",
}
_MOST = 3


class Migration(Model):
    """The state that migrations leave a database in."""

    noun = "migration"

    tool: Templated[Literal["alembic", "django", "yoyo"]] = Field(description="What keeps count of them.")
    directory: Templated[PathText] | Annotated[tuple[Templated[PathText], ...], NonEmpty] | None = Field(
        None,
        description="Where the migrations of this image are, or several places: all of them must have been applied. "
        "Of Django it is the `migrations` of an app, which is called like the directory above.",
        examples=["migrations/versions", ["counting/migrations"]],
    )
    head: Templated[str] | Annotated[tuple[Templated[str], ...], NonEmpty] | None = Field(
        None,
        description="The last one that must have been applied, or several: a revision; of Django `app.0001_initial`.",
        examples=["3f2a9c01d4be"],
    )

    @model_validator(mode="after")
    def _one(self) -> Self:
        exactly_one(self, "a migration", "directory", "head")
        return self


def judge(target: str, asked: Migration, database: "Database", context: "Context") -> None:
    """Raises Failure where migrations are missing, or are of a newer image."""
    applied = _applied(asked, database)
    remedy = _REMEDIES[asked.tool]
    if applied is None:
        raise Failure(
            "unexpected", f"{target}: there is no table {_TABLES[asked.tool]}: nothing was migrated", remedy
        )
    if asked.head is not None:
        wanted, known = _listed(asked.head), None
    else:
        wanted, known = _of_image(asked, context)
    missing = [each for each in wanted if each not in applied]
    if asked.tool == "alembic" and known is not None:
        _not_newer(target, applied, known)
    if missing:
        more = f" and {len(missing) - _MOST} more" if len(missing) > _MOST else ""
        at = f", it is at {', '.join(sorted(applied)) or 'nothing'}" if asked.tool == "alembic" else ""
        said = f"{target}: not migrated to {', '.join(missing[:_MOST])}{more}{at}"
        raise Failure("unexpected", said, remedy)


def _not_newer(target: str, applied: "Collection[str]", known: "Collection[str]") -> None:
    strangers = sorted(each for each in applied if each not in known)
    if strangers:
        said = f"{target}: it is at {', '.join(strangers)}, which this image does not know"
        raise Failure(
            "unexpected", said, "a newer image has migrated it: run that one, or migrate back with it"
        )


def _applied(asked: Migration, database: "Database") -> set[str] | None:
    """What was applied; None where no table says so."""
    if not database.has_table(_TABLES[asked.tool]):
        return None
    return {".".join(map(str, row)) for row in database.rows(_QUERIES[asked.tool])}


def _of_image(asked: Migration, context: "Context") -> "tuple[tuple[str, ...], Collection[str]]":
    """What must have been applied, and all there is."""
    found: list[str] = []
    known: set[str] = set()
    for place in _listed(asked.directory):
        path = context.path(place)
        try:
            heads, names = _READERS[asked.tool](path)
        except OSError as error:
            raise Failure("unexpected", f"cannot read the migrations in {place}: {(error.strerror or '').lower()}",
                          "COPY them into the image, or correct `directory`", final=True) from None  # fmt: skip
        if not names:
            said = f"there are no migrations in {place}"
            raise Failure("unexpected", said, "correct `directory`", final=True)
        found += heads
        known |= names
    return tuple(found), known


def _alembic(path: str) -> tuple[list[str], set[str]]:
    """The revisions that nothing comes after, and all of them."""
    revisions: set[str] = set()
    passed: set[str] = set()
    for name, values in _assigned(path, ("revision", "down_revision")):
        if isinstance(values.get("revision"), str):
            revisions.add(values["revision"])
            down = values.get("down_revision")
            passed |= {down} if isinstance(down, str) else set(down or ())
        del name
    return sorted(revisions - passed), revisions


def _django(path: str) -> tuple[list[str], set[str]]:
    """All of an app; what only sums others up is applied when those are."""
    app = os.path.basename(os.path.dirname(path.rstrip("/")))
    found = [
        (f"{app}.{name}", "replaces" in values)
        for name, values in _assigned(path, ("replaces",))
        if name != "__init__"
    ]
    return [name for name, sums_up in found if not sums_up], {name for name, _ in found}


def _yoyo(path: str) -> tuple[list[str], set[str]]:
    names = {
        os.path.splitext(each)[0]
        for each in os.listdir(path)
        if each.endswith((".py", ".sql")) and not each.startswith("_") and not each.endswith(".rollback.sql")
    }
    return sorted(names), names


_READERS = {"alembic": _alembic, "django": _django, "yoyo": _yoyo}


def _assigned(path: str, wanted: "Collection[str]") -> "Iterator[tuple[str, dict[str, Any]]]":
    """The Python files of a directory, each with the plain values that it gives to some names, also within a class."""
    import ast

    for each in sorted(os.listdir(path)):
        if not each.endswith(".py"):
            continue
        with open(os.path.join(path, each), encoding="utf-8") as file:
            try:
                tree = ast.parse(file.read())
            except SyntaxError:
                continue  # the tool itself will stumble over it, and say where
        yield each[:-3], dict(_values(tree, wanted))


def _values(tree: Any, wanted: "Collection[str]") -> "Iterator[tuple[str, Any]]":
    import ast

    for node in ast.walk(tree):
        if isinstance(node, ast.Assign):
            targets, value = node.targets, node.value
        elif isinstance(node, ast.AnnAssign) and node.value is not None:
            targets, value = [node.target], node.value
        else:
            continue
        for target in targets:
            if isinstance(target, ast.Name) and target.id in wanted:
                try:
                    yield target.id, ast.literal_eval(value)
                except ValueError:
                    continue


def _listed(names: tuple[str, ...] | str | None) -> tuple[str, ...]:
    return (names,) if isinstance(names, str) else names or ()
