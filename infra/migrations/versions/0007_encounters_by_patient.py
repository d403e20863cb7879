"""Encounters by patient, own and external; calls that the caller ended early."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from infra.sql import UtcDateTime

revision = "0007"
down_revision = "0008"
branch_labels = None
depends_on = None

HASHES = ("context", "case", "nhs", "first_name", "last_name", "birth_date", "gender", "postcode")


def upgrade() -> None:
    op.create_table(
        "encounter_keys",
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("encounter", sa.String(length=64), nullable=False),
        sa.Column("kind", sa.String(length=8), nullable=False),
        sa.PrimaryKeyConstraint("key", "encounter"),
    )
    op.execute(
        "INSERT INTO encounter_keys (key, encounter, kind) SELECT number_hash, call_ref, 'number' FROM encounters"
    )
    op.drop_index("encounters_by_number", "encounters")
    with op.batch_alter_table("encounters") as table:
        table.alter_column("call_ref", new_column_name="id")
        table.drop_column("number_hash")
        for name in ("external", "doubtful"):
            table.add_column(sa.Column(name, sa.Boolean(), nullable=False, server_default=sa.false()))
        table.add_column(sa.Column("provider", sa.String(length=64), nullable=False, server_default=""))
        table.add_column(sa.Column("version", sa.Integer(), nullable=False, server_default="0"))
        for name in HASHES:
            table.add_column(sa.Column(f"{name}_key", sa.String(length=64), nullable=True))
        table.add_column(sa.Column("wrapped_key", sa.LargeBinary(), nullable=True))
        table.add_column(sa.Column("report", sa.LargeBinary(), nullable=True))
    with op.batch_alter_table("encounter_keys") as table:
        table.create_foreign_key("encounter_keys_encounter", "encounters", ["encounter"], ["id"], ondelete="CASCADE")
    op.create_index("ix_encounter_keys_encounter", "encounter_keys", ["encounter"], unique=False)
    _short_calls()


def _short_calls() -> None:
    op.create_table(
        "short_calls",
        sa.Column("call_ref", sa.String(length=64), nullable=False),
        sa.Column("number_key", sa.String(length=64), nullable=False),
        sa.Column("ended_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("call_ref"),
    )
    op.create_index("short_calls_by_number", "short_calls", ["number_key", "ended_at"], unique=False)


def downgrade() -> None:
    """Older versions know encounters of ours by one number alone; the others cannot be kept for them."""
    op.drop_table("short_calls")
    with op.batch_alter_table("encounters") as table:
        table.add_column(sa.Column("number_hash", sa.String(length=64), nullable=True))
    op.execute(
        "UPDATE encounters SET number_hash = (SELECT min(key) FROM encounter_keys"
        " WHERE encounter_keys.encounter = encounters.id AND encounter_keys.kind = 'number')"
    )
    op.drop_table("encounter_keys")
    op.execute("DELETE FROM encounters WHERE external OR number_hash IS NULL")
    with op.batch_alter_table("encounters") as table:
        table.alter_column("number_hash", nullable=False)
        table.alter_column("id", new_column_name="call_ref")
        gone = ("external", "doubtful", "provider", "version", "wrapped_key", "report")
        for name in (*gone, *(f"{each}_key" for each in HASHES)):
            table.drop_column(name)
    op.create_index("encounters_by_number", "encounters", ["number_hash", "started_at"], unique=False)
