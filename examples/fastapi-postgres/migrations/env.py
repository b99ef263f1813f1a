"""How Alembic reaches the database. Every revision that is applied is noted in the table `migrations_applied`."""

import socket

from alembic import context
from orders.database import engine
from orders.models import Base
from sqlalchemy import text

NOTED = """
CREATE TABLE IF NOT EXISTS migrations_applied (
    revision text NOT NULL, host text NOT NULL, at timestamptz NOT NULL DEFAULT clock_timestamp())
"""


def note(ctx, step, **_) -> None:
    if not step.is_upgrade:
        return
    ctx.connection.execute(text(NOTED))
    for revision in step.up_revision_ids:
        values = {"revision": revision, "host": socket.gethostname()}
        ctx.connection.execute(
            text("INSERT INTO migrations_applied (revision, host) VALUES (:revision, :host)"), values
        )
        print(f"applied {revision}: {step.up_revision.doc}", flush=True)


with engine().connect() as connection:
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        # An index that is built beside the traffic needs a transaction of its own.
        transaction_per_migration=True,
        on_version_apply=note,
    )
    with context.begin_transaction():
        context.run_migrations()
