"""Under which index keys plans stand is told at once, so that keys that do not fit them are seen before a look-up."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0049"
down_revision = "0047"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("ix_plans_index_key", "plans", ["index_key"])
    not_erased = sa.text("wrapped_key IS NOT NULL")
    op.create_index(
        "ix_ended_plans_index_key",
        "ended_plans",
        ["index_key"],
        postgresql_where=not_erased,
        sqlite_where=not_erased,
    )


def downgrade() -> None:
    op.drop_index("ix_ended_plans_index_key", "ended_plans")
    op.drop_index("ix_plans_index_key", "plans")
