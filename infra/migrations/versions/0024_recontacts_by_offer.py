"""Who rings again is looked for among the calls of the last days only, however many there ever were."""

from __future__ import annotations

from alembic import op

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("kpi_recontacts_by_offer", "kpi_recontacts", ["offered_at"])


def downgrade() -> None:
    op.drop_index("kpi_recontacts_by_offer", "kpi_recontacts")
