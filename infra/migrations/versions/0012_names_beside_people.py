"""The record of steps has, beside who did them, the name that they bore: for people to read, never to compare."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

TABLES = ("message_steps", "flow_steps")


def upgrade() -> None:
    for table in TABLES:
        op.add_column(table, sa.Column("name", sa.Text(), nullable=False, server_default=""))


def downgrade() -> None:
    for table in TABLES:
        op.drop_column(table, "name")
