"""The audit's tables. People stand in them as keyed hashes; their names are sealed in a table apart."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, LargeBinary, String, Table, Text

from careplans.tables import metadata
from infra.sql import UtcDateTime

_BIG = BigInteger().with_variant(Integer, "sqlite")

plan_audit = Table(
    "plan_audit",
    metadata,
    Column("seq", _BIG, primary_key=True, autoincrement=False),
    Column("entry", String(32), nullable=False, unique=True),
    Column("at", UtcDateTime, nullable=False),
    Column("actor", String(64), nullable=False),
    Column("role", Text, nullable=False),
    Column("call_ref", Text, nullable=False),
    Column("attempt", String(32), nullable=False),
    Column("plan", String(32)),
    Column("what", String(32), nullable=False),
    Column("about", Text, nullable=False),
    Column("late", Boolean, nullable=False),
    Column("hash", String(64), nullable=False),
    Index("ix_plan_audit_actor_call", "actor", "call_ref"),
    Index("ix_plan_audit_plan", "plan"),
)
"""Append only, numbered from 1 without a gap; ``hash`` covers the row and the hash before. ``attempt`` joins the
entries of one act on several plans, ``about`` is the opaque id of what it was about; ``late`` was entered from a
spool. No foreign key: the record of who looked outlives the plan."""

audit_people = Table(
    "audit_people",
    metadata,
    Column("actor", String(64), primary_key=True),
    Column("wrapped_key", LargeBinary, nullable=False),
    Column("name", LargeBinary, nullable=False),
)
"""Whom ``plan_audit.actor`` means, sealed: opened for information governance only."""

audit_heads = Table(
    "audit_heads",
    metadata,
    Column("length", _BIG, primary_key=True, autoincrement=False),
    Column("head", String(64), nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Column("key", String(16), nullable=False),
    Column("signature", String(88), nullable=False),
)
"""The chain's signed lengths and hashes. The same are kept elsewhere: who can write here could write these, too."""
