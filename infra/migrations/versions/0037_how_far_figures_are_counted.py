"""Until when the history of figures is counted."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from infra.sql import UtcDateTime

revision = "0037"
down_revision = "0032"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "kpi_progress",
        sa.Column("name", sa.String(length=10), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )


def downgrade() -> None:
    op.drop_table("kpi_progress")
