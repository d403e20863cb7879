"""The tables of earlier contacts. Who they were about stands in them as keyed hashes only."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, ForeignKey, Index, Integer, LargeBinary, MetaData, String, Table, false

from infra.sql import UtcDateTime

metadata = MetaData()

encounters = Table(
    "encounters",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("started_at", UtcDateTime, nullable=False),
    Column("external", Boolean, nullable=False, server_default=false()),
    Column("doubtful", Boolean, nullable=False, server_default=false()),
    Column("provider", String(64), nullable=False, server_default=""),
    Column("version", Integer, nullable=False, server_default="0"),
    Column("context_key", String(64)),
    Column("case_key", String(64)),
    Column("nhs_key", String(64)),
    Column("first_name_key", String(64)),
    Column("last_name_key", String(64)),
    Column("birth_date_key", String(64)),
    Column("gender_key", String(64)),
    Column("postcode_key", String(64)),
    Column("wrapped_key", LargeBinary),
    Column("report", LargeBinary),
    Index("encounters_by_time", "started_at"),
)
"""``id``: the reference of a call of ours, or the keyed hash of an external report. ``report``: what it said,
sealed; ``version``: the sender's own, where there is a newer one."""

encounter_keys = Table(
    "encounter_keys",
    metadata,
    Column("key", String(64), primary_key=True),
    Column(
        "encounter",
        ForeignKey("encounters.id", name="encounter_keys_encounter", ondelete="CASCADE"),
        primary_key=True,
        index=True,
    ),
    Column("kind", String(8), nullable=False),
)
"""Under what an encounter is found: a number, a verified NHS number, or a pair of what is compared."""

short_calls = Table(
    "short_calls",
    metadata,
    Column("call_ref", String(64), primary_key=True),
    Column("number_key", String(64), nullable=False),
    Column("ended_at", UtcDateTime, nullable=False),
    Index("short_calls_by_number", "number_key", "ended_at"),
)
"""Calls that the caller ended before a person answered: three in ten minutes are a sign of distress."""
