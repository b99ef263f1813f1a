"""The lines of an order are found by an index, which is built without stopping whoever writes orders."""

from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    with op.get_context().autocommit_block():
        op.create_index("order_lines_by_order", "order_lines", ["order_id"], postgresql_concurrently=True)


def downgrade() -> None:
    with op.get_context().autocommit_block():
        op.drop_index("order_lines_by_order", postgresql_concurrently=True)
