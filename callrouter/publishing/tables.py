"""The tables of versions. Content, approvals and steps are only ever added to: triggers keep them (migration 0003)."""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    Float,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)

from infra.sql import UtcDateTime

metadata = MetaData()
versions = Table(
    "flow_versions",
    metadata,
    Column("version", String(12), primary_key=True),
    Column("flow", String(48), nullable=False),
    Column("content_hash", String(64), nullable=False),
    Column("content", Text, nullable=False),
    Column("note", Text, nullable=False),
    Column("author", Text, nullable=False),
    Column("author_session", String(64), nullable=False),
    Column("written_at", UtcDateTime, nullable=False),
    Column("state", String(12), nullable=False),
    Column("problems", JSON, nullable=False),
    Column("live_from", UtcDateTime),
    Column("share", Float),
    Index("flow_versions_by_state", "flow", "state"),
)
approvals = Table(
    "flow_approvals",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("version", String(12), nullable=False),
    Column("by", Text, nullable=False),
    Column("role", String(32), nullable=False),
    Column("session", String(64), nullable=False),
    Column("content", String(64), nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Column("expires_at", UtcDateTime, nullable=False),
    Index("flow_approvals_by_version", "version"),
)
steps = Table(
    "flow_steps",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("at", UtcDateTime, nullable=False),
    Column("version", String(12), nullable=False),
    Column("step", String(32), nullable=False),
    Column("by", Text, nullable=False),
    Column("role", String(32), nullable=False),
    Column("note", Text, nullable=False),
    Column("name", Text, nullable=False, server_default=""),
    Index("flow_steps_by_version", "version"),
)
outcomes = Table(
    "flow_outcomes",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("call_ref", String(64), nullable=False),
    Column("version", String(12), nullable=False),
    Column("staged_at", UtcDateTime, nullable=False),
    Column("is_new", Boolean, nullable=False),
    Column("good", Boolean, nullable=False),
    Column("at", UtcDateTime, nullable=False),
    UniqueConstraint("call_ref", "version", "staged_at", name="flow_outcomes_once"),
)
