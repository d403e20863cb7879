"""Alerts that have a life are found without those that were told once."""

from __future__ import annotations

from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("alert_states_by_phase", "alert_states", ["phase", "since"], unique=False)


def downgrade() -> None:
    op.drop_index("alert_states_by_phase", table_name="alert_states")
