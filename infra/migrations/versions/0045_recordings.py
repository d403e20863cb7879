"""Recordings of talks by SIP, sealed with the key of their call."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from infra.sql import UtcDateTime

revision = "0045"
down_revision = "0046"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "recording_parts",
        sa.Column("id", sa.String(length=64), primary_key=True),
        sa.Column("recording", sa.String(length=48), nullable=False),
        sa.Column("call_ref", sa.String(length=64), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
    )
    op.create_index("recording_parts_by_call", "recording_parts", ["call_ref", "id"])
    op.create_index("recording_parts_by_time", "recording_parts", ["at"])


def downgrade() -> None:
    op.drop_table("recording_parts")
