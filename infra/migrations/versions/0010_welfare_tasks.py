"""Welfare tasks: callers at risk who went before a person answered."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from infra.sql import UtcDateTime

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "welfare_tasks",
        sa.Column("call_ref", sa.String(length=64), nullable=False),
        sa.Column("id", sa.String(length=16), nullable=False),
        sa.Column("context", sa.String(length=32), nullable=False),
        sa.Column("last_step", sa.String(length=64), nullable=False),
        sa.Column("left_at", UtcDateTime(), nullable=False),
        sa.Column("made_at", UtcDateTime(), nullable=False),
        sa.Column("number_key", sa.String(length=64), nullable=True),
        sa.Column("wrapped_key", sa.LargeBinary(), nullable=False),
        sa.Column("number", sa.LargeBinary(), nullable=True),
        sa.Column("acknowledged_at", UtcDateTime(), nullable=True),
        sa.Column("acknowledged_by", sa.String(length=64), nullable=False, server_default=""),
        sa.Column("escalated_at", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("call_ref"),
        sa.UniqueConstraint("id"),
    )
    op.create_index("welfare_tasks_open", "welfare_tasks", ["acknowledged_at", "made_at"], unique=False)


def downgrade() -> None:
    op.drop_table("welfare_tasks")
