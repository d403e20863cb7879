"""Counts of signals by day, for years: quarter-hours are let go once they are added up."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "surge_days",
        sa.Column("day", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("signal", sa.String(30), primary_key=True),
        sa.Column("area", sa.String(40), primary_key=True),
        sa.Column("version", sa.String(120), primary_key=True),
        sa.Column("demand", sa.Integer, nullable=False),
        sa.Column("deflected", sa.Integer, nullable=False),
    )


def downgrade() -> None:
    op.drop_table("surge_days")
