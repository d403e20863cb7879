"""Versions of flows, who approved them, what was done with them; outcomes of staged releases; revisions to follow."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from infra.append_only import forget_protection, protect
from infra.sql import UtcDateTime

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    revisions = op.create_table(
        "revisions",
        sa.Column("name", sa.String(length=32), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    op.bulk_insert(revisions, [{"name": "flows", "revision": 0}])
    _versions()
    _approvals()
    _steps()
    _outcomes()
    connection = op.get_bind()
    protect(connection, "flow_versions", ("version", "flow", "content_hash", "content"))
    protect(connection, "flow_approvals")
    protect(connection, "flow_steps")


def downgrade() -> None:
    for table in ("flow_outcomes", "flow_steps", "flow_approvals", "flow_versions", "revisions"):
        op.drop_table(table)
    forget_protection(op.get_bind())


def _versions() -> None:
    op.create_table(
        "flow_versions",
        sa.Column("version", sa.String(length=12), nullable=False),
        sa.Column("flow", sa.String(length=48), nullable=False),
        sa.Column("content_hash", sa.String(length=64), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("author", sa.String(length=64), nullable=False),
        sa.Column("author_session", sa.String(length=64), nullable=False),
        sa.Column("written_at", UtcDateTime(), nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("problems", sa.JSON(), nullable=False),
        sa.Column("live_from", UtcDateTime(), nullable=True),
        sa.Column("share", sa.Float(), nullable=True),
        sa.PrimaryKeyConstraint("version"),
    )
    op.create_index("flow_versions_by_state", "flow_versions", ["flow", "state"], unique=False)


def _approvals() -> None:
    op.create_table(
        "flow_approvals",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("version", sa.String(length=12), nullable=False),
        sa.Column("by", sa.String(length=64), nullable=False),
        sa.Column("role", sa.String(length=32), nullable=False),
        sa.Column("session", sa.String(length=64), nullable=False),
        sa.Column("content", sa.String(length=64), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("expires_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("flow_approvals_by_version", "flow_approvals", ["version"], unique=False)


def _steps() -> None:
    op.create_table(
        "flow_steps",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("version", sa.String(length=12), nullable=False),
        sa.Column("step", sa.String(length=32), nullable=False),
        sa.Column("by", sa.String(length=64), nullable=False),
        sa.Column("role", sa.String(length=32), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("flow_steps_by_version", "flow_steps", ["version"], unique=False)


def _outcomes() -> None:
    op.create_table(
        "flow_outcomes",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("call_ref", sa.String(length=64), nullable=False),
        sa.Column("version", sa.String(length=12), nullable=False),
        sa.Column("staged_at", UtcDateTime(), nullable=False),
        sa.Column("is_new", sa.Boolean(), nullable=False),
        sa.Column("good", sa.Boolean(), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("call_ref", "version", "staged_at", name="flow_outcomes_once"),
    )
