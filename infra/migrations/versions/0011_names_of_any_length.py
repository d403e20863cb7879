"""Whoever signs in may have a long name: columns that hold people are as wide as they need."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from infra.append_only import protect

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

PEOPLE = (
    ("messages", "reviewed_by"), ("message_approvals", "by"), ("message_steps", "by"), ("flow_versions", "author"),
    ("flow_approvals", "by"), ("flow_steps", "by"), ("welfare_tasks", "acknowledged_by"),
)  # fmt: skip
PROTECTED: dict[str, tuple[str, ...]] = {
    "message_approvals": (), "message_steps": (), "flow_approvals": (), "flow_steps": (),
    "flow_versions": ("version", "flow", "content_hash", "content"),
}  # fmt: skip


def upgrade() -> None:
    for table, column in PEOPLE:
        _widen_or_narrow(table, column, sa.String(length=64), sa.Text())


def downgrade() -> None:
    """What is longer is cut: the tables of before cannot hold it."""
    for table, column in PEOPLE:
        _widen_or_narrow(table, column, sa.Text(), sa.String(length=64))


def _widen_or_narrow(
    table: str, column: str, before: sa.types.TypeEngine[str], after: sa.types.TypeEngine[str]
) -> None:
    connection = op.get_bind()
    if connection.dialect.name == "postgresql":
        op.alter_column(
            table, column, existing_type=before, type_=after, postgresql_using=f'CAST("{column}" AS {after.compile()})'
        )
        return
    with op.batch_alter_table(table, recreate="always") as copied:
        copied.alter_column(column, existing_type=before, type_=after)
    if table in PROTECTED:  # SQLite's triggers went with the table that was copied
        protect(connection, table, PROTECTED[table])
