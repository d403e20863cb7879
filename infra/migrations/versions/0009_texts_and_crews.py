"""The outbox of texts, and the notices that crews were sent."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from infra.sql import UtcDateTime

revision = "0009"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "texts",
        sa.Column("reference", sa.String(length=32), nullable=False),
        sa.Column("purpose", sa.String(length=16), nullable=False),
        sa.Column("template", sa.String(length=48), nullable=False),
        sa.Column("call_ref", sa.String(length=64), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("wrapped_key", sa.LargeBinary(), nullable=True),
        sa.Column("made_at", UtcDateTime(), nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("provider", sa.String(length=16), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("next_try_at", UtcDateTime(), nullable=False),
        sa.Column("reason", sa.String(length=48), nullable=False),
        sa.Column("changed_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("reference"),
    )
    op.create_index("texts_by_state", "texts", ["state", "next_try_at"], unique=False)
    op.create_table(
        "crew_notices",
        sa.Column("incident", sa.String(length=64), nullable=False),
        sa.Column("ref", sa.String(length=16), nullable=False),
        sa.Column("device", sa.String(length=48), nullable=False),
        sa.Column("call_ref", sa.String(length=64), nullable=False),
        sa.Column("notice", sa.String(length=32), nullable=False),
        sa.Column("correction", sa.String(length=32), nullable=True),
        sa.Column("sent_at", UtcDateTime(), nullable=False),
        sa.Column("corrected_at", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("incident"),
    )


def downgrade() -> None:
    """Texts that still wait are not sent any more."""
    op.drop_table("crew_notices")
    op.drop_index("texts_by_state", "texts")
    op.drop_table("texts")
