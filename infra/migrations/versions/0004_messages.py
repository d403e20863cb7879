"""Front-end messages, who approved them, what was done with them, and their sound."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from infra.append_only import protect
from infra.sql import UtcDateTime

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _messages()
    _approvals()
    _steps()
    op.create_table(
        "message_audio",
        sa.Column("key", sa.String(length=40), nullable=False),
        sa.Column("wav", sa.LargeBinary(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("seconds", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("key"),
    )
    op.execute("INSERT INTO revisions (name, revision) VALUES ('messages', 0)")
    for table in ("message_approvals", "message_steps", "message_audio"):
        protect(op.get_bind(), table)


def downgrade() -> None:
    for table in ("message_audio", "message_steps", "message_approvals", "messages"):
        op.drop_table(table)
    op.execute("DELETE FROM revisions WHERE name = 'messages'")


def _messages() -> None:
    op.create_table(
        "messages",
        sa.Column("id", sa.String(length=12), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("authors", sa.Text(), nullable=False),
        sa.Column("expires_at", UtcDateTime(), nullable=True),
        sa.Column("ends_early_at", UtcDateTime(), nullable=True),
        sa.Column("template", sa.String(length=12), nullable=False),
        sa.Column("review_until", UtcDateTime(), nullable=True),
        sa.Column("reviewed_by", sa.String(length=64), nullable=False),
        sa.Column("reviewed_at", UtcDateTime(), nullable=True),
        sa.Column("written_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("messages_by_state", "messages", ["state", "expires_at"], unique=False)


def _approvals() -> None:
    op.create_table(
        "message_approvals",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("message", sa.String(length=12), nullable=False),
        sa.Column("by", sa.String(length=64), nullable=False),
        sa.Column("role", sa.String(length=32), nullable=False),
        sa.Column("session", sa.String(length=64), nullable=False),
        sa.Column("content", sa.String(length=64), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("expires_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("message_approvals_by_message", "message_approvals", ["message"], unique=False)


def _steps() -> None:
    op.create_table(
        "message_steps",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("message", sa.String(length=12), nullable=False),
        sa.Column("step", sa.String(length=32), nullable=False),
        sa.Column("by", sa.String(length=64), nullable=False),
        sa.Column("role", sa.String(length=32), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("message_steps_by_message", "message_steps", ["message"], unique=False)
