"""A carrier's word on a notice finds it by an index, and not by reading every notice of three days."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("alert_notices", sa.Column("reference", sa.String(length=32), nullable=True))
    op.create_index("alert_notices_by_reference", "alert_notices", ["reference"], unique=False)


def downgrade() -> None:
    op.drop_index("alert_notices_by_reference", table_name="alert_notices")
    op.drop_column("alert_notices", "reference")
