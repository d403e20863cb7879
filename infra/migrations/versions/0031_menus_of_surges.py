"""What each version of the menu asks: a change elsewhere in the flow breaks no series of counts."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0031"
down_revision = "0029"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "surge_menus",
        sa.Column("version", sa.String(64), primary_key=True),
        sa.Column("signal", sa.String(30), primary_key=True),
        sa.Column("asked", sa.String(40), nullable=False),
    )


def downgrade() -> None:
    op.drop_table("surge_menus")
