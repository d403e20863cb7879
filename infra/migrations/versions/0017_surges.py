"""Signals counted by quarter-hour and area, what is usual of them, and proposals that people assess."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from infra.sql import UtcDateTime

revision = "0017"
down_revision = "0012"
branch_labels = None
depends_on = None

TABLES = ("surge_steps", "surge_proposals", "surge_screenings", "surge_usual", "surge_counts", "surge_calls")


def upgrade() -> None:
    op.create_table(
        "surge_calls",
        sa.Column("call", sa.String(64), primary_key=True),
        sa.Column("seen_at", UtcDateTime, nullable=False),
        sa.Column("quarter", sa.Integer),
        sa.Column("area", sa.String(40), nullable=False, server_default=""),
        sa.Column("menu", sa.String(64), nullable=False, server_default=""),
        sa.Column("lexicon", sa.String(40), nullable=False, server_default=""),
        sa.Column("signals", sa.Text, nullable=False, server_default=""),
        sa.Column("end_class", sa.String(20), nullable=False, server_default=""),
        sa.Index("surge_calls_seen", "seen_at"),
    )
    op.create_table(
        "surge_counts",
        sa.Column("quarter", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("signal", sa.String(30), primary_key=True),
        sa.Column("area", sa.String(40), primary_key=True),
        sa.Column("version", sa.String(120), primary_key=True),
        sa.Column("demand", sa.Integer, nullable=False),
        sa.Column("deflected", sa.Integer, nullable=False),
    )
    op.create_table(
        "surge_usual",
        sa.Column("signal", sa.String(30), primary_key=True),
        sa.Column("area", sa.String(40), primary_key=True),
        sa.Column("learnt_at", UtcDateTime, nullable=False),
        sa.Column("version", sa.String(120), nullable=False),
        sa.Column("hourly", sa.Text, nullable=False),
        sa.Column("dispersion", sa.Text, nullable=False),
        sa.Column("windows", sa.Float, nullable=False),
        sa.Column("cusum", sa.Float, nullable=False),
    )
    op.create_table(
        "surge_screenings",
        sa.Column("quarter", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("at", UtcDateTime, nullable=False),
        sa.Column("series", sa.Integer, nullable=False),
        sa.Column("judged", sa.Integer, nullable=False),
        sa.Column("found", sa.Integer, nullable=False),
        sa.Column("why_not", sa.Text, nullable=False),
    )
    _proposals()


def _proposals() -> None:
    op.create_table(
        "surge_proposals",
        sa.Column("id", sa.String(16), primary_key=True),
        sa.Column("signal", sa.String(30), nullable=False),
        sa.Column("area", sa.String(40), nullable=False),
        sa.Column("method", sa.String(10), nullable=False),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("since", UtcDateTime, nullable=False),
        sa.Column("found_at", UtcDateTime, nullable=False),
        sa.Column("last_seen_at", UtcDateTime, nullable=False),
        sa.Column("score", sa.Float, nullable=False),
        sa.Column("rank", sa.Integer, nullable=False),
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("message", sa.String(40), nullable=False, server_default=""),
        sa.Column("faded_at", UtcDateTime),
        sa.Index("surge_proposals_seen", "last_seen_at"),
    )
    op.create_table(
        "surge_steps",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True),
        sa.Column("proposal", sa.String(16), nullable=False),
        sa.Column("at", UtcDateTime, nullable=False),
        sa.Column("step", sa.String(20), nullable=False),
        sa.Column("by", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False, server_default=""),
        sa.Column("role", sa.String(30), nullable=False),
        sa.Column("note", sa.Text, nullable=False, server_default=""),
        sa.Index("surge_steps_of", "proposal", "id"),
    )


def downgrade() -> None:
    for table in TABLES:
        op.drop_table(table)
