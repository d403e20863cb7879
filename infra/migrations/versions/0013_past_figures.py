"""Past figures: a row for each call, and what hours and days of calls add up to."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from infra.sql import UtcDateTime

revision = "0013"
down_revision = "0014"
branch_labels = None
depends_on = None

TABLES = ("kpi_recontacts", "kpi_dirty", "kpi_days", "kpi_hours", "kpi_calls")


def upgrade() -> None:
    op.create_table(
        "kpi_calls",
        sa.Column("contact", sa.String(64), primary_key=True),
        sa.Column("events", sa.Integer, nullable=False),
        sa.Column("parts", sa.JSON, nullable=False),
        sa.Column("offered_at", UtcDateTime),
        sa.Column("ended_at", UtcDateTime),
        sa.Column("end_class", sa.String(20), nullable=False),
        sa.Column("flow_version", sa.Text, nullable=False),
        sa.Column("message", sa.Text, nullable=False),
        sa.Column("first_hour", UtcDateTime),
        sa.Column("last_hour", UtcDateTime),
        sa.Column("shares", sa.JSON, nullable=False),
        sa.Index("kpi_calls_by_hour", "last_hour", "first_hour"),
    )
    op.create_table(
        "kpi_hours",
        sa.Column("hour", UtcDateTime, primary_key=True),
        sa.Column("kind", sa.String(10), primary_key=True),
        sa.Column("scope", sa.String(64), primary_key=True),
        sa.Column("tally", sa.JSON, nullable=False),
    )
    op.create_table(
        "kpi_days",
        sa.Column("kind", sa.String(10), primary_key=True),
        sa.Column("day", sa.Date, primary_key=True),
        sa.Column("scope", sa.String(64), primary_key=True),
        sa.Column("tally", sa.JSON, nullable=False),
        sa.Column("offered", sa.JSON, nullable=False),
        sa.Column("message_end", sa.JSON, nullable=False),
    )
    op.create_table(
        "kpi_dirty",
        sa.Column("hour", UtcDateTime, primary_key=True),
        sa.Column("marks", sa.Integer, nullable=False),
    )
    op.create_table(
        "kpi_recontacts",
        sa.Column("call_ref", sa.String(64), primary_key=True),
        sa.Column("number_key", sa.String(64)),
        sa.Column("offered_at", UtcDateTime, nullable=False),
        sa.Column("again_s", sa.Integer),
        sa.Index("kpi_recontacts_by_number", "number_key", "offered_at"),
    )


def downgrade() -> None:
    for table in TABLES:
        op.drop_table(table)
