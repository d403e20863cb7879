"""What lets somebody see a plan beyond a call: references that were passed on, and broken glass with its review."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, Index, LargeBinary, String, Table, Text

from careplans.tables import metadata
from infra.sql import UtcDateTime

plan_references = Table(
    "plan_references",
    metadata,
    Column("ref", String(16), primary_key=True),
    Column("plans", Text, nullable=False),
    Column("organisation", String(64), nullable=False),
    Column("issued_at", UtcDateTime, nullable=False),
    Column("expires_at", UtcDateTime, nullable=False),
    Column("withdrawn_at", UtcDateTime),
)
"""``plans``: our own ids, separated by blanks. Who gives the reference must be signed in for ``organisation``."""

plan_emergencies = Table(
    "plan_emergencies",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("at", UtcDateTime, nullable=False),
    Column("expires_at", UtcDateTime, nullable=False),
    Column("actor", String(64), nullable=False),
    Column("session", String(64), nullable=False),
    Column("role", String(32), nullable=False),
    Column("plans", Text, nullable=False),
    Column("wrapped_key", LargeBinary, nullable=False),
    Column("reason", LargeBinary, nullable=False),
    Column("told_at", UtcDateTime),
    Column("reviewed_at", UtcDateTime),
    Column("reviewer", String(64)),
    Column("accepted", Boolean),
    Column("words", LargeBinary),
    Index("ix_plan_emergencies_at", "at"),
)
"""Each broken glass. ``reason`` and the reviewer's ``words`` are typed by people and may name somebody: sealed."""
