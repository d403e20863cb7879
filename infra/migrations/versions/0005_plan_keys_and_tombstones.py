"""Plans: which index key a row is under, look-up by family name, what two plans have in common, tombstones, holds."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from infra.sql import UtcDateTime

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("plans", sa.Column("index_key", sa.String(length=8), nullable=True))
    op.add_column("plans", sa.Column("surname_key", sa.String(length=64), nullable=True))
    op.add_column("plans", sa.Column("content_key", sa.String(length=64), nullable=True))
    op.create_index(op.f("ix_plans_surname_key"), "plans", ["surname_key"], unique=False)
    op.create_index("ix_plans_source", "plans", ["source"], unique=False)
    _ended_plans()
    op.create_table(
        "plan_holds",
        sa.Column("plan", sa.String(length=32), nullable=False),
        sa.Column("since", UtcDateTime(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("by", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("plan"),
    )


def downgrade() -> None:
    """Tombstones go: what was withdrawn or erased may then come back with the next file of its source."""
    op.drop_table("plan_holds")
    op.drop_table("ended_plans")
    for index in ("ix_plans_source", "ix_plans_surname_key"):
        op.drop_index(index, "plans")
    for column in ("content_key", "surname_key", "index_key"):
        op.drop_column("plans", column)


def _ended_plans() -> None:
    op.create_table(
        "ended_plans",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("identity", sa.String(length=64), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("index_key", sa.String(length=8), nullable=True),
        sa.Column("why", sa.String(length=16), nullable=False),
        sa.Column("ended_at", UtcDateTime(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("by", sa.String(length=64), nullable=True),
        sa.Column("author_org", sa.Text(), nullable=True),
        sa.Column("kind", sa.String(length=64), nullable=True),
        sa.Column("valid_from", sa.Date(), nullable=True),
        sa.Column("review_by", sa.Date(), nullable=True),
        sa.Column("restricted", sa.Boolean(), nullable=False),
        sa.Column("nhs_key", sa.String(length=64), nullable=True),
        sa.Column("name_key", sa.String(length=64), nullable=True),
        sa.Column("wrapped_key", sa.LargeBinary(), nullable=True),
        sa.Column("person", sa.LargeBinary(), nullable=True),
        sa.Column("content", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("identity"),
    )
    op.create_index("ix_ended_plans_by_time", "ended_plans", ["why", "ended_at"], unique=False)
    op.create_index(op.f("ix_ended_plans_name_key"), "ended_plans", ["name_key"], unique=False)
    op.create_index(op.f("ix_ended_plans_nhs_key"), "ended_plans", ["nhs_key"], unique=False)
