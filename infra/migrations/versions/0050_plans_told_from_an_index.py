"""What a look-up by number tells of a plan stands in an index: the wide row, nearly all of it sealed, is not touched.

Look-ups go on meanwhile; nobody writes plans: seconds for a million of them.
"""

from __future__ import annotations

from alembic import op

revision = "0050"
down_revision = "0049"
branch_labels = None
depends_on = None

COLUMNS = ["id", "kind", "source", "author_org", "valid_from", "review_by", "restricted"]


def upgrade() -> None:
    op.create_index("ix_plans_told", "plans", COLUMNS)


def downgrade() -> None:
    op.drop_index("ix_plans_told", "plans")
