"""An alert keeps when it fired lately, so that one that fires and clears again and again is told once."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0027"
down_revision = "0024"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("alert_states", sa.Column("fired", sa.Text, nullable=False, server_default="[]"))


def downgrade() -> None:
    op.drop_column("alert_states", "fired")
