"""The tables of past figures: a row for each call, and what hours and days of calls add up to. Nobody's details."""

from __future__ import annotations

from sqlalchemy import JSON, Column, Date, Index, Integer, MetaData, String, Table, Text

from infra.sql import UtcDateTime

metadata = MetaData()

kpi_calls = Table(
    "kpi_calls",
    metadata,
    Column("contact", String(64), primary_key=True),
    Column("events", Integer, nullable=False),
    Column("parts", JSON, nullable=False),
    Column("offered_at", UtcDateTime),
    Column("ended_at", UtcDateTime),
    Column("end_class", String(20), nullable=False),
    Column("flow_version", Text, nullable=False),
    Column("message", Text, nullable=False),
    Column("first_hour", UtcDateTime),
    Column("last_hour", UtcDateTime),
    Column("shares", JSON, nullable=False),
    Index("kpi_calls_by_hour", "last_hour", "first_hour"),
)
"""``contact``: the reference of the call, of the first of those that resume one another; ``parts``: of all of them.
``events``: of how many events the row was read, so that an older reading never replaces a newer one. ``shares``: what
the call adds to which scope (alerts/figures/shares.py), in the hours from ``first_hour`` to ``last_hour``."""

kpi_hours = Table(
    "kpi_hours",
    metadata,
    Column("hour", UtcDateTime, primary_key=True),
    Column("kind", String(10), primary_key=True),
    Column("scope", String(64), primary_key=True),
    Column("tally", JSON, nullable=False),
)
kpi_days = Table(
    "kpi_days",
    metadata,
    Column("kind", String(10), primary_key=True),
    Column("day", Date, primary_key=True),
    Column("scope", String(64), primary_key=True),
    Column("tally", JSON, nullable=False),
    Column("offered", JSON, nullable=False),
    Column("message_end", JSON, nullable=False),
)
"""Days are London's. ``offered`` and ``message_end`` hold what the tally tells under each clock, ready to be shown."""

kpi_dirty = Table(
    "kpi_dirty",
    metadata,
    Column("hour", UtcDateTime, primary_key=True),
    Column("marks", Integer, nullable=False),
)
"""Hours of which a call has changed since they were added up; ``marks`` is drawn anew by each change, so that whoever
has added up an older state of the hour sees it."""

kpi_recontacts = Table(
    "kpi_recontacts",
    metadata,
    Column("call_ref", String(64), primary_key=True),
    Column("number_key", String(64)),
    Column("offered_at", UtcDateTime, nullable=False),
    Column("again_s", Integer),
    Index("kpi_recontacts_by_number", "number_key", "offered_at"),
    Index("kpi_recontacts_by_offer", "offered_at"),
)
"""Calls whose number is known. ``number_key``: its keyed hash, gone after some days; ``again_s``: how many seconds
after the end of this call the same number rang again, if it did within 72 hours."""

kpi_call_backs = Table(
    "kpi_call_backs",
    metadata,
    Column("call_ref", String(64), primary_key=True),
    Column("promised_at", UtcDateTime),
    Column("reached_at", UtcDateTime),
    Column("reached_by", String(16), nullable=False, server_default=""),
    Column("ended_at", UtcDateTime),
    Column("outcome", String(16), nullable=False, server_default=""),
    Index("kpi_call_backs_by_promise", "promised_at"),
)
"""One row for each call-back of which an event is known; ``reached_by``: the role of who reached the caller."""

kpi_progress = Table(
    "kpi_progress",
    metadata,
    Column("name", String(10), primary_key=True),
    Column("at", UtcDateTime, nullable=False),
)
"""How far the history has come (alerts/figures/progress.py): everything that was told before ``at`` is in it."""
