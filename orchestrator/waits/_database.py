"""`expect` of `postgres` and `mysql`: what a database must be like beyond accepting a login."""

from typing import Any, ClassVar, Self

from pydantic import Field, model_validator

from orchestrator.spec.errors import problem
from orchestrator.spec.expect import AnyMatcher
from orchestrator.spec.model import Model
from orchestrator.spec.templated import Templated
from orchestrator.waits._failure import Failure

_ROWS = "use `query`: `{{query: {}, rows: {{ge: 1}}}}`"
_VALUE = "use `query`: `{{query: {}, value: {}}}`"


class Expectation(Model):
    """Whether the database takes writes, and a query with what it must return."""

    noun = "expectation"
    shorthand = "query"
    removed_keys: ClassVar = {
        "table": "use `query`: `{query: select count(*) from orders, rows: {ge: 1}}`",
        "schema": _ROWS.format("\"select 1 from information_schema.schemata where schema_name = 'app'\""),
        "privileges": _VALUE.format("\"select has_table_privilege('orders', 'insert')\"", "true"),
        "headroom": _VALUE.format("select count(*) from pg_stat_activity", "{lt: 80}"),
        "pool_size": _VALUE.format(
            "\"select setting::int from pg_settings where name = 'max_connections'\"", "{ge: 40}"
        ),
        "charset": _VALUE.format("show server_encoding", "UTF8"),
        "timezone": _VALUE.format("show timezone", "UTC"),
        "extension": _ROWS.format("\"select 1 from pg_extension where extname = 'pg_trgm'\""),
        "min_version": _VALUE.format("\"select current_setting('server_version_num')::int\"", "{ge: 150000}"),
        "migration": "a wait of its own asks the tool: `command: [alembic, current, --check-heads]` or "
        "`command: [python, manage.py, migrate, --check]`",
    }

    writable: Templated[bool] = Field(False, description="Whether it must take writes: a standby does not.")
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

    @model_validator(mode="after")
    def _some_question(self) -> Self:
        for name in ("value", "rows"):
            if name in self.model_fields_set and self.query is None:
                raise problem("ORC113", f"`{name}` is about the `query`", "write the query", name)
        if not self.model_fields_set:
            raise problem(
                "ORC119", "an empty expectation is met by everything", "for example {writable: true}"
            )
        return self


class OfMysql(Expectation):
    """Whether the database takes writes, and a query with what it must return. A schema is a database."""

    removed_keys: ClassVar = Expectation.removed_keys | {
        "privileges": "use `query`: `{query: select 1 from orders limit 1, rows: {ge: 0}}`",
        "headroom": _VALUE.format("select count(*) from information_schema.processlist", "{lt: 80}"),
        "pool_size": _VALUE.format("select @@max_connections", "{ge: 40}"),
        "charset": _VALUE.format("select @@character_set_database", "utf8mb4"),
        "timezone": _VALUE.format("select @@time_zone", "'+00:00'"),
        "min_version": _VALUE.format("select version()", '{matches: "^8[.]"}'),
    }


def compare(target: str, expect: Expectation, first: list[Any] | None, count: int) -> None:
    """Raises Failure where the first row of the query, or the number of all rows, is not as expected."""
    from orchestrator.spec.matching import mismatch

    if "rows" in expect.model_fields_set:
        wrong = mismatch(expect.rows, count)
        if wrong:
            raise Failure("unexpected", f"{target}: number of rows: {wrong}")
    elif not count:
        raise Failure("unexpected", f"{target}: the query returned no rows")
    if "value" in expect.model_fields_set:
        wrong = mismatch(expect.value, first[0]) if first else "expected a value, got no row"
        if wrong:
            raise Failure("unexpected", f"{target}: {wrong}")
