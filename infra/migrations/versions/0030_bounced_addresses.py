"""Addresses of staff that mail came back from."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from infra.sql import UtcDateTime

revision = "0030"
down_revision = "0027"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "alert_bounced",
        sa.Column("address", sa.String(320), primary_key=True),
        sa.Column("since", UtcDateTime, nullable=False),
    )


def downgrade() -> None:
    op.drop_table("alert_bounced")
