"""The tables of this package. Names, numbers, birth dates and texts stand in them sealed or hashed only."""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    Date,
    ForeignKey,
    Index,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    text,
)

from infra.sql import UtcDateTime

metadata = MetaData()


def _stored() -> tuple[Column[Any], ...]:
    """What is kept of a plan in the clear, beside who it is about; the same for plans that have ended."""
    return (
        Column("id", String(32), primary_key=True),
        Column("identity", String(64), nullable=False, unique=True),
        Column("source", Text, nullable=False),
        Column("version", BigInteger, nullable=False),
        Column("index_key", String(8)),
    )


TOLD = ("kind", "source", "author_org", "valid_from", "review_by", "restricted")
"""What a look-up by number tells of a plan, beside its id."""

plans = Table(
    "plans",
    metadata,
    *_stored(),
    Column("author_org", Text, nullable=False),
    Column("kind", String(64), nullable=False),
    Column("valid_from", Date, nullable=False),
    Column("review_by", Date),
    Column("restricted", Boolean, nullable=False),
    Column("stored_at", UtcDateTime, nullable=False),
    Column("nhs_key", String(64)),
    Column("name_key", String(64), nullable=False),
    Column("surname_key", String(64)),
    Column("content_key", String(64)),
    Column("wrapped_key", LargeBinary, nullable=False),
    Column("person", LargeBinary, nullable=False),
    Column("content", LargeBinary, nullable=False),
    Index("ix_plans_source", "source"),
    Index("ix_plans_index_key", "index_key"),
    # Of a fifth of the size: an import writes to each of these at as many random places as it has rows.
    *(Index(f"ix_plans_{name}", name, postgresql_using="hash") for name in ("nhs_key", "name_key", "surname_key")),
    # All that a look-up by number tells: it need not touch the row, which is ten times as wide by what it keeps sealed.
    Index("ix_plans_told", "id", *TOLD),
)
"""The plans that are in force. ``identity`` is the keyed hash of source and the source's own id, which may itself be a
patient's number. ``nhs_key`` and ``name_key`` (names and date of birth) say which plans are about one person, not about
whom; ``nhs_key`` is set for numbers with a right check digit only. ``surname_key`` (family name and date of birth) is
for a clinician's search, ``content_key`` tells whether two plans say the same. All these hashes of a row are under one
index key, whose id is ``index_key``; all plans of one person are under the same. It is empty in rows from before
``surname_key`` was there. ``person`` and ``content`` are sealed with the key of the record."""

_NOT_ERASED = text("wrapped_key IS NOT NULL")
ended_plans = Table(
    "ended_plans",
    metadata,
    *_stored(),
    Column("why", String(16), nullable=False),
    Column("ended_at", UtcDateTime, nullable=False),
    Column("reason", Text),
    Column("by", String(64)),
    Column("author_org", Text),
    Column("kind", String(64)),
    Column("valid_from", Date),
    Column("review_by", Date),
    Column("restricted", Boolean, nullable=False),
    Column("nhs_key", String(64), index=True),
    Column("name_key", String(64), index=True),
    Column("surname_key", String(64), index=True),
    Column("wrapped_key", LargeBinary),
    Column("person", LargeBinary),
    Column("content", LargeBinary),
    Index("ix_ended_plans_by_time", "why", "ended_at"),
    Index("ix_ended_plans_index_key", "index_key", postgresql_where=_NOT_ERASED, sqlite_where=_NOT_ERASED),
)
"""The tombstones, apart from ``plans``, so that no look-up can find one. Versions up to ``version`` do not bring a plan
back. ``why`` is ``withdrawn`` (by its source: what it said is kept, sealed, until its time is over) or ``erased``: then
the key of the record and all that it sealed is gone, and so is who it was about. ``by`` is a keyed hash of who did it.
A person of whom a withdrawn plan was restricted stays out of the number index."""

plan_holds = Table(
    "plan_holds",
    metadata,
    Column("plan", String(32), primary_key=True),
    Column("since", UtcDateTime, nullable=False),
    Column("reason", Text, nullable=False),
    Column("by", String(64), nullable=False),
)
"""Legal holds: what is held is not erased, by command or by age. No foreign key: a hold outlives a withdrawal."""

plan_held_versions = Table(
    "plan_held_versions",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("plan", String(32), nullable=False, index=True),
    Column("source", Text, nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("replaced_at", UtcDateTime, nullable=False),
    Column("author_org", Text, nullable=False),
    Column("kind", String(64), nullable=False),
    Column("valid_from", Date, nullable=False),
    Column("review_by", Date),
    Column("restricted", Boolean, nullable=False),
    Column("wrapped_key", LargeBinary, nullable=False),
    Column("person", LargeBinary, nullable=False),
    Column("content", LargeBinary, nullable=False),
)
"""What a plan under a legal hold said before its source replaced it, sealed for the plan's own row. Found by nothing
but the plan's id; gone when the hold is lifted."""

plan_numbers = Table(
    "plan_numbers",
    metadata,
    Column("number_hash", String(64), primary_key=True),
    Column("plan", ForeignKey("plans.id", ondelete="CASCADE"), primary_key=True, index=True),
)
"""Which plans a telephone number may mean. Never holds a plan of a person of whom any plan is restricted."""


def lock_for_writing(connection: Connection, table: Table) -> None:
    """Let one transaction at a time write ``table``, until it ends; readers go on.

    Reading before writing (the newest version, the tries so far, who is restricted) is only right under it.
    """
    if connection.dialect.name == "postgresql":  # SQLite has one writer at a time anyway
        connection.exec_driver_sql(f"LOCK TABLE {table.name} IN SHARE ROW EXCLUSIVE MODE")
