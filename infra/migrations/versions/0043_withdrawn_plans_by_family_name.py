"""Withdrawn plans are found by family name and date of birth, too: who saw them must be told where none is left.

Those from before have no such hash until `callrouter plan rotate-keys` has written it: a row without an index key is
written anew.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0043"
down_revision = "0039"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("ended_plans", sa.Column("surname_key", sa.String(length=64)))
    op.create_index("ix_ended_plans_surname_key", "ended_plans", ["surname_key"])
    op.execute("UPDATE ended_plans SET index_key = NULL WHERE name_key IS NOT NULL AND wrapped_key IS NOT NULL")


def downgrade() -> None:
    op.drop_index("ix_ended_plans_surname_key", "ended_plans")
    op.drop_column("ended_plans", "surname_key")
