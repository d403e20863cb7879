"""A caller whom we cut off and who rang back is one caller to the counts of signals."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("surge_calls", sa.Column("resumes", sa.String(64), nullable=False, server_default=""))
    op.create_index("surge_calls_resumes", "surge_calls", ["resumes"])


def downgrade() -> None:
    op.drop_index("surge_calls_resumes", "surge_calls")
    op.drop_column("surge_calls", "resumes")
