"""The life of an alert: who was told and who took it on, silences, and a record of steps that nobody can change."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from infra.append_only import protect
from infra.sql import UtcDateTime

revision = "0014"
down_revision = "0017"
branch_labels = None
depends_on = None

WIDER = (
    ("alert_states", "rule", 60, 160), ("alert_states", "phase", 10, 20), ("alert_notices", "notice_id", 120, 240),
)  # fmt: skip


def _added() -> tuple[sa.Column[object], ...]:
    return (
        sa.Column("what", sa.Text(), nullable=False, server_default=""),
        sa.Column("where", sa.Text(), nullable=False, server_default=""),
        sa.Column("severity", sa.String(length=10), nullable=False, server_default="warning"),
        sa.Column("scope", sa.String(length=100), nullable=False, server_default=""),
        sa.Column("fired_at", UtcDateTime(), nullable=True),
        sa.Column("step", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("step_at", UtcDateTime(), nullable=True),
        sa.Column("told", sa.Text(), nullable=False, server_default="[]"),
        sa.Column("held", sa.Text(), nullable=False, server_default=""),
        sa.Column("acknowledged_by", sa.Text(), nullable=False, server_default=""),
        sa.Column("acknowledged_at", UtcDateTime(), nullable=True),
        sa.Column("ended_at", UtcDateTime(), nullable=True),
    )


def upgrade() -> None:
    for table, column, before, after in WIDER:
        _resize(table, column, before, after)
    for added in _added():
        op.add_column("alert_states", added)
    op.add_column("alert_notices", sa.Column("delivered_at", UtcDateTime(), nullable=True))
    # what was told once has no life; alerts of parts, which bear a colon too, were never kept here
    op.execute("UPDATE alert_states SET phase = 'told' WHERE rule LIKE '%:%'")
    # what fires was told of by the version before
    op.execute("UPDATE alert_states SET step = 1, step_at = since, fired_at = since WHERE phase = 'firing'")
    op.create_table(
        "alert_steps",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("alert", sa.String(length=160), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("alert_steps_of", "alert_steps", ["alert", "id"], unique=False)
    protect(op.get_bind(), "alert_steps")
    op.create_table(
        "alert_silences",
        sa.Column("id", sa.String(length=16), nullable=False),
        sa.Column("alert", sa.String(length=160), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("since", UtcDateTime(), nullable=False),
        sa.Column("until", UtcDateTime(), nullable=False),
        sa.Column("lifted_at", UtcDateTime(), nullable=True),
        sa.Column("lifted_by", sa.Text(), nullable=False, server_default=""),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("alert_silences_until", "alert_silences", ["until"], unique=False)


def downgrade() -> None:
    """What the tables of before cannot say is lost: an alert that somebody took on fires, and its record goes."""
    op.drop_table("alert_silences")
    op.drop_table("alert_steps")
    op.drop_column("alert_notices", "delivered_at")
    op.execute("UPDATE alert_states SET phase = 'firing' WHERE phase IN ('acknowledged', 'told')")
    for added in _added():
        op.drop_column("alert_states", added.name)
    op.execute("DELETE FROM alert_states WHERE length(rule) > 60")
    op.execute("DELETE FROM alert_notices WHERE length(notice_id) > 120")
    for table, column, before, after in WIDER:
        _resize(table, column, after, before)


def _resize(table: str, column: str, before: int, after: int) -> None:
    with op.batch_alter_table(table) as changed:
        changed.alter_column(column, existing_type=sa.String(before), type_=sa.String(after), existing_nullable=False)
