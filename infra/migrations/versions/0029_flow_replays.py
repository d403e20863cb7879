"""Replays that people ask for: how far each is, and its report, for every process."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from infra.sql import UtcDateTime

revision = "0029"
down_revision = "0025"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "flow_replays",
        sa.Column("version", sa.String(12), primary_key=True),
        sa.Column("calls_from", UtcDateTime, primary_key=True),
        sa.Column("calls_until", UtcDateTime, primary_key=True),
        sa.Column("worker", sa.String(32), nullable=False),
        sa.Column("begun_at", UtcDateTime, nullable=False),
        sa.Column("told_at", UtcDateTime, nullable=False),
        sa.Column("done", sa.Integer, nullable=False),
        sa.Column("calls", sa.Integer, nullable=False),
        sa.Column("again", sa.Integer, nullable=False),
        sa.Column("report", sa.Text),
    )


def downgrade() -> None:
    op.drop_table("flow_replays")
