"""The tables of this package. Names, numbers, birth dates and texts stand in them sealed or hashed only."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    Date,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
)

from infra.sql import UtcDateTime

metadata = MetaData()

plans = Table(
    "plans",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("identity", String(64), nullable=False, unique=True),
    Column("source", Text, nullable=False),
    Column("author_org", Text, nullable=False),
    Column("kind", String(64), nullable=False),
    Column("valid_from", Date, nullable=False),
    Column("review_by", Date),
    Column("version", BigInteger, nullable=False),
    Column("restricted", Boolean, nullable=False),
    Column("stored_at", UtcDateTime, nullable=False),
    Column("nhs_key", String(64), index=True),
    Column("name_key", String(64), nullable=False, index=True),
    Column("wrapped_key", LargeBinary, nullable=False),
    Column("person", LargeBinary, nullable=False),
    Column("content", LargeBinary, nullable=False),
)
"""``identity`` is the keyed hash of source and the source's own id, which may itself be a patient's number.
``nhs_key`` and ``name_key`` (names and date of birth) say which plans are about one person, not about whom;
``nhs_key`` is set for numbers with a right check digit only. ``person`` and ``content`` are sealed with the
key of the record."""

plan_numbers = Table(
    "plan_numbers",
    metadata,
    Column("number_hash", String(64), primary_key=True),
    Column("plan", ForeignKey("plans.id", ondelete="CASCADE"), primary_key=True, index=True),
)
"""Which plans a telephone number may mean. Never holds a plan of a person of whom any plan is restricted."""

plan_views = Table(
    "plan_views",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("at", UtcDateTime, nullable=False),
    Column("viewer", String(64), nullable=False),
    Column("role", Text, nullable=False),
    Column("call_ref", Text, nullable=False),
    Column("attempt", String(32), nullable=False),
    Column("plan", String(32)),
    Column("what", String(16), nullable=False),
    Index("ix_plan_views_viewer_call", "viewer", "call_ref"),
    Index("ix_plan_views_plan", "plan"),
)
"""Append only. ``attempt`` joins the entries of one try on several plans; ``plan`` is empty for a try on none
that is stored. No foreign key: the record of who looked outlives the plan."""


def lock_for_writing(connection: Connection, table: Table) -> None:
    """Let one transaction at a time write ``table``, until it ends; readers go on.

    Reading before writing (the newest version, the tries so far, who is restricted) is only right under it.
    """
    if connection.dialect.name == "postgresql":  # SQLite has one writer at a time anyway
        connection.exec_driver_sql(f"LOCK TABLE {table.name} IN SHARE ROW EXCLUSIVE MODE")
