"""Signals of surges count the reasons that callers say and their age bands, too."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0047"
down_revision = "0045"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("surge_calls", sa.Column("reasons", sa.String(40), nullable=False, server_default=""))
    op.add_column("surge_calls", sa.Column("age", sa.String(10), nullable=False, server_default=""))


def downgrade() -> None:
    op.drop_column("surge_calls", "age")
    op.drop_column("surge_calls", "reasons")
