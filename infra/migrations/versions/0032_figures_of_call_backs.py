"""What became of promised call-backs, for the figures."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from infra.sql import UtcDateTime

revision = "0032"
down_revision = "0031"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "kpi_call_backs",
        sa.Column("call_ref", sa.String(length=64), nullable=False),
        sa.Column("promised_at", UtcDateTime(), nullable=True),
        sa.Column("reached_at", UtcDateTime(), nullable=True),
        sa.Column("reached_by", sa.String(length=16), nullable=False, server_default=""),
        sa.Column("ended_at", UtcDateTime(), nullable=True),
        sa.Column("outcome", sa.String(length=16), nullable=False, server_default=""),
        sa.PrimaryKeyConstraint("call_ref"),
    )
    op.create_index("kpi_call_backs_by_promise", "kpi_call_backs", ["promised_at"], unique=False)


def downgrade() -> None:
    op.drop_table("kpi_call_backs")
