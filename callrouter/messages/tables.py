"""The tables of this package. Approvals, steps and audio are only ever added to; the database sees to that."""

from __future__ import annotations

import sqlalchemy as sa

from infra.sql import UtcDateTime

metadata = sa.MetaData()

messages = sa.Table(
    "messages",
    metadata,
    sa.Column("id", sa.String(12), primary_key=True),
    sa.Column("content", sa.Text, nullable=False),
    sa.Column("digest", sa.String(64), nullable=False),
    sa.Column("state", sa.String(12), nullable=False),
    sa.Column("authors", sa.Text, nullable=False),
    sa.Column("expires_at", UtcDateTime),
    sa.Column("ends_early_at", UtcDateTime),
    sa.Column("template", sa.String(12), nullable=False),
    sa.Column("review_until", UtcDateTime),
    sa.Column("reviewed_by", sa.Text, nullable=False),
    sa.Column("reviewed_at", UtcDateTime),
    sa.Column("written_at", UtcDateTime, nullable=False),
    sa.Index("messages_by_state", "state", "expires_at"),
)

approvals = sa.Table(
    "message_approvals",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("message", sa.String(12), nullable=False),
    sa.Column("by", sa.Text, nullable=False),
    sa.Column("role", sa.String(32), nullable=False),
    sa.Column("session", sa.String(64), nullable=False),
    sa.Column("content", sa.String(64), nullable=False),
    sa.Column("at", UtcDateTime, nullable=False),
    sa.Column("expires_at", UtcDateTime, nullable=False),
    sa.Index("message_approvals_by_message", "message"),
)

steps = sa.Table(
    "message_steps",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("at", UtcDateTime, nullable=False),
    sa.Column("message", sa.String(12), nullable=False),
    sa.Column("step", sa.String(32), nullable=False),
    sa.Column("by", sa.Text, nullable=False),
    sa.Column("role", sa.String(32), nullable=False),
    sa.Column("note", sa.Text, nullable=False),
    sa.Column("name", sa.Text, nullable=False, server_default=""),
    sa.Index("message_steps_by_message", "message"),
)

audio = sa.Table(
    "message_audio",
    metadata,
    sa.Column("key", sa.String(40), primary_key=True),
    sa.Column("wav", sa.LargeBinary, nullable=False),
    sa.Column("sha256", sa.String(64), nullable=False),
    sa.Column("seconds", sa.Float, nullable=False),
)
