"""The first tables: journal, encounters, plans, alerts."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from infra.sql import UtcDateTime

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    _journal()
    _encounters()
    _plans()
    _alerts()


def downgrade() -> None:
    tables = "alert_states alert_notices plan_numbers plans plan_views encounters journal calls"
    for table in tables.split():
        op.drop_table(table)


def _journal() -> None:
    op.create_table(
        "calls",
        sa.Column("call_ref", sa.String(length=64), nullable=False),
        sa.Column("context", sa.String(length=32), nullable=False),
        sa.Column("offered_at", UtcDateTime(), nullable=False),
        sa.Column("wrapped_key", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("call_ref"),
        sa.UniqueConstraint("context"),
    )
    op.create_index("calls_by_time", "calls", ["offered_at"], unique=False)
    op.create_table(
        "journal",
        sa.Column("call_ref", sa.String(length=64), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("facts", sa.JSON(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("call_ref", "seq"),
    )
    op.create_index("journal_by_time", "journal", ["at"], unique=False)


def _encounters() -> None:
    op.create_table(
        "encounters",
        sa.Column("call_ref", sa.String(length=64), nullable=False),
        sa.Column("number_hash", sa.String(length=64), nullable=False),
        sa.Column("started_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("call_ref"),
    )
    op.create_index("encounters_by_number", "encounters", ["number_hash", "started_at"], unique=False)
    op.create_index("encounters_by_time", "encounters", ["started_at"], unique=False)


def _plans() -> None:
    op.create_table(
        "plan_views",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("viewer", sa.String(length=64), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("call_ref", sa.Text(), nullable=False),
        sa.Column("attempt", sa.String(length=32), nullable=False),
        sa.Column("plan", sa.String(length=32), nullable=True),
        sa.Column("what", sa.String(length=16), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_plan_views_plan", "plan_views", ["plan"], unique=False)
    op.create_index("ix_plan_views_viewer_call", "plan_views", ["viewer", "call_ref"], unique=False)
    op.create_table(
        "plans",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("identity", sa.String(length=64), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("author_org", sa.Text(), nullable=False),
        sa.Column("kind", sa.String(length=64), nullable=False),
        sa.Column("valid_from", sa.Date(), nullable=False),
        sa.Column("review_by", sa.Date(), nullable=True),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("restricted", sa.Boolean(), nullable=False),
        sa.Column("stored_at", UtcDateTime(), nullable=False),
        sa.Column("nhs_key", sa.String(length=64), nullable=True),
        sa.Column("name_key", sa.String(length=64), nullable=False),
        sa.Column("wrapped_key", sa.LargeBinary(), nullable=False),
        sa.Column("person", sa.LargeBinary(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("identity"),
    )
    op.create_index(op.f("ix_plans_name_key"), "plans", ["name_key"], unique=False)
    op.create_index(op.f("ix_plans_nhs_key"), "plans", ["nhs_key"], unique=False)
    op.create_table(
        "plan_numbers",
        sa.Column("number_hash", sa.String(length=64), nullable=False),
        sa.Column("plan", sa.String(length=32), nullable=False),
        sa.ForeignKeyConstraint(["plan"], ["plans.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("number_hash", "plan"),
    )
    op.create_index(op.f("ix_plan_numbers_plan"), "plan_numbers", ["plan"], unique=False)


def _alerts() -> None:
    op.create_table(
        "alert_notices",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("notice_id", sa.String(length=120), nullable=False),
        sa.Column("rule", sa.String(length=60), nullable=False),
        sa.Column("channel", sa.String(length=20), nullable=False),
        sa.Column("address", sa.String(length=2000), nullable=False),
        sa.Column("notice", sa.Text(), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("next_try_at", UtcDateTime(), nullable=False),
        sa.Column("sent_at", UtcDateTime(), nullable=True),
        sa.Column("failed_at", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("notice_id", "channel", "address", name="alert_notices_once"),
    )
    op.create_index("alert_notices_open", "alert_notices", ["channel", "sent_at", "failed_at"], unique=False)
    op.create_table(
        "alert_states",
        sa.Column("rule", sa.String(length=60), nullable=False),
        sa.Column("phase", sa.String(length=10), nullable=False),
        sa.Column("since", UtcDateTime(), nullable=True),
        sa.Column("worst", sa.Float(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("rule"),
    )
