"""What a database must be like beyond letting somebody in: `expect` of `postgres` and `mysql`. Speaks no protocol."""

from typing import TYPE_CHECKING, Annotated, Any, Literal, Protocol, Self

from pydantic import AfterValidator, Field, model_validator

from orchestrator.spec.errors import problem
from orchestrator.spec.expect import AnyMatcher
from orchestrator.spec.model import Lazy, Model
from orchestrator.spec.templated import Templated
from orchestrator.spec.types import NonEmpty
from orchestrator.waits._failure import Failure
from orchestrator.waits._versions import Least, older

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

    from orchestrator.core.context import Context
    from orchestrator.waits._migrations import Migration
else:
    Migration = Annotated[Any, Lazy("orchestrator.waits._migrations:Migration")]

Names = Annotated[tuple[str, ...], NonEmpty] | str
Privilege = Literal["select", "insert", "update", "delete", "references", "trigger"]


def _some(value: dict[str, Any]) -> dict[str, Any]:
    if not value:
        raise problem("ORC119", "an empty mapping asks for no privilege", "for example {orders: [select]}")
    return value


class Database(Protocol):
    """What one that is logged in to can tell."""

    def rows(self, query: str) -> list[list[Any]]: ...
    def version(self) -> str: ...
    def has_table(self, name: str) -> bool: ...
    def has_schema(self, name: str) -> bool: ...
    def privileges(self, table: str) -> "Collection[str]": ...
    def connections(self) -> tuple[int, int]:
        """How many there may be, and how many there are without this one."""

    def charset(self) -> str: ...
    def timezone(self) -> str: ...


class Expectation(Model):
    """A query and what it must give, and what else the database must be like."""

    noun = "expectation"
    shorthand = "query"

    query: Templated[str] | None = Field(
        None, description="One query, which only reads.", examples=["select count(*) from alembic_version"]
    )
    value: AnyMatcher = Field(
        None, description="A matcher for the first value of the first row of the query."
    )
    rows: AnyMatcher = Field(
        None,
        description="A matcher for the query's number of rows; without `value` and `rows` there must be one.",
    )
    min_version: Templated[Least] | None = Field(
        None, description="The least version of the server.", examples=["15"]
    )
    table: Names | None = Field(
        None, description="A table that must be there, or several.", examples=["orders", ["orders", "lines"]]
    )
    in_schema: Names | None = Field(
        None, description="A schema that must be there, or several.", alias="schema", examples=["app"]
    )
    privileges: (
        Annotated[dict[str, Annotated[tuple[Templated[Privilege], ...], NonEmpty]], AfterValidator(_some)]
        | None
    ) = Field(
        None,
        description="What the user must be allowed to do with which table.",
        examples=[{"orders": ["select"]}],
    )
    headroom: Templated[Annotated[int, Field(ge=1)]] | None = Field(
        None, description="How many more connections the server must take now.", examples=[10]
    )
    pool_size: Templated[Annotated[int, Field(ge=1)]] | None = Field(
        None,
        description="How many connections all replicas together may open: the server must allow so many.",
        examples=[40],
    )
    charset: Templated[str] | None = Field(
        None, description="The character set of the database.", examples=["UTF8", "utf8mb4"]
    )
    timezone: Templated[str] | None = Field(None, description="The time zone of a session.", examples=["UTC"])
    migration: Migration | None = Field(
        None, description="The migrations that must have been applied, and no others."
    )

    @model_validator(mode="after")
    def _some_question(self) -> Self:
        for name in ("value", "rows"):
            if name in self.model_fields_set and self.query is None:
                raise problem("ORC113", f"`{name}` is about the `query`", "write the query", name)
        if not self.model_fields_set:
            raise problem(
                "ORC119", "an empty expectation is met by everything", "for example {table: orders}"
            )
        return self


class OfPostgres(Expectation):
    """What the database must be like, and a query with what it must give. All is asked in a transaction that only reads."""

    extension: Names | None = Field(
        None, description="An extension that must have been created, or several.", examples=["pg_trgm"]
    )


class OfMysql(Expectation):
    """What the database must be like, and a query with what it must give. A schema is a database."""


def judge(target: str, expect: Expectation, database: Database, context: "Context") -> None:
    """Raises Failure for the first that is not as expected."""
    for wrong in _wrong(expect, database):
        raise Failure("unexpected", f"{target}: {wrong[0]}", wrong[1])
    if expect.migration is not None:
        from orchestrator.waits._migrations import judge as judge_migrations

        judge_migrations(target, expect.migration, database, context)
    if expect.query is not None:
        _compare(target, expect, database.rows(expect.query))


def listed(names: tuple[str, ...] | str | None) -> tuple[str, ...]:
    return (names,) if isinstance(names, str) else names or ()


def _wrong(expect: Expectation, database: Database) -> "Iterator[tuple[str, str]]":
    if expect.min_version is not None:
        yield from older(database.version(), expect.min_version)
    yield from _lacking(
        "schema", expect.in_schema, database.has_schema, "CREATE SCHEMA {}, or the migrations"
    )
    yield from _lacking("table", expect.table, database.has_table, "run the migrations")
    for table, wanted in (expect.privileges or {}).items():
        there = database.privileges(table)
        missing = [each for each in wanted if each not in there]
        if missing:
            grant = f"GRANT {', '.join(missing).upper()} ON {table} TO the user"
            yield f"the user may not {' or '.join(missing)} in `{table}`", grant
    yield from _room(expect, database)
    for name, wanted_text, found in (
        ("character set", expect.charset, database.charset),
        ("time zone", expect.timezone, database.timezone),
    ):
        if wanted_text is not None and _plain(now := found()) != _plain(wanted_text):
            yield f"its {name} is {now}, expected {wanted_text}", ""


def _plain(name: str) -> str:
    """UTF8 and utf-8 are one."""
    return name.lower().replace("-", "")


def _lacking(
    noun: str, names: tuple[str, ...] | str | None, there: "Callable[[str], bool]", hint: str
) -> "Iterator[tuple[str, str]]":
    missing = [each for each in listed(names) if not there(each)]
    if missing:
        yield f"it has no {noun} `{'`, `'.join(missing)}`", hint.format(missing[0])


def _room(expect: Expectation, database: Database) -> "Iterator[tuple[str, str]]":
    if expect.headroom is None and expect.pool_size is None:
        return
    limit, used = database.connections()
    if expect.pool_size is not None and limit < expect.pool_size:
        said = f"it allows {limit} connections, the service may open {expect.pool_size}"
        yield said, "raise max_connections there, or make the pools smaller"
    if expect.headroom is not None and limit - used < expect.headroom:
        said = f"{used} of {limit} connections are taken, {expect.headroom} more are needed"
        yield said, "raise max_connections there, or find who holds the connections"


def _compare(target: str, expect: Expectation, rows: list[list[Any]]) -> None:
    from orchestrator.spec.matching import mismatch

    if "rows" in expect.model_fields_set:
        wrong = mismatch(expect.rows, len(rows))
        if wrong:
            raise Failure("unexpected", f"{target}: the number of rows: {wrong}")
    elif not rows:
        raise Failure("unexpected", f"{target}: the query gave no row")
    if "value" in expect.model_fields_set:
        wrong = mismatch(expect.value, rows[0][0]) if rows and rows[0] else "expected a value, got no row"
        if wrong:
            raise Failure("unexpected", f"{target}: {wrong}")
