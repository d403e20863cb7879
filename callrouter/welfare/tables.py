"""The table of welfare tasks."""

from __future__ import annotations

from sqlalchemy import Column, Index, LargeBinary, MetaData, String, Table, Text

from infra.sql import UtcDateTime

metadata = MetaData()

welfare_tasks = Table(
    "welfare_tasks",
    metadata,
    Column("call_ref", String(64), primary_key=True),
    Column("id", String(16), nullable=False, unique=True),
    Column("context", String(32), nullable=False),
    Column("last_step", String(64), nullable=False),
    Column("left_at", UtcDateTime, nullable=False),
    Column("made_at", UtcDateTime, nullable=False),
    Column("number_key", String(64)),
    Column("wrapped_key", LargeBinary, nullable=False),
    Column("number", LargeBinary),
    Column("acknowledged_at", UtcDateTime),
    Column("acknowledged_by", Text, nullable=False, server_default=""),
    Column("escalated_at", UtcDateTime),
    Index("welfare_tasks_open", "acknowledged_at", "made_at"),
)
"""One for each contact, whoever makes it and however often. ``number`` is sealed with the task's own key."""
