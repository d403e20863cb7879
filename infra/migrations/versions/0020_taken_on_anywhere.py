"""Who took on an alert that each process sees for itself."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from infra.sql import UtcDateTime

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "alert_taken_on",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("alert", sa.String(length=160), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("alert_taken_on_at", "alert_taken_on", ["at"], unique=False)


def downgrade() -> None:
    op.drop_table("alert_taken_on")
