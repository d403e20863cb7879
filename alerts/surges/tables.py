"""The tables of counts, of what is usual, of proposals. A ``quarter`` is a number: quarter-hours since 1970, UTC."""

from __future__ import annotations

import json

from sqlalchemy import BigInteger, Column, Float, Index, Integer, MetaData, String, Table, Text

from alerts.surveillance.days import WINDOWS_H
from infra.sql import UtcDateTime

metadata = MetaData()

surge_calls = Table(
    "surge_calls",
    metadata,
    Column("call", String(64), primary_key=True),
    Column("seen_at", UtcDateTime, nullable=False),
    Column("quarter", Integer),
    Column("area", String(40), nullable=False, server_default=""),
    Column("menu", String(64), nullable=False, server_default=""),
    Column("lexicon", String(40), nullable=False, server_default=""),
    Column("signals", Text, nullable=False, server_default=""),
    Column("end_class", String(20), nullable=False, server_default=""),
    Column("resumes", String(64), nullable=False, server_default=""),
    Column("reasons", String(40), nullable=False, server_default=""),
    Column("age", String(10), nullable=False, server_default=""),
    Index("surge_calls_seen", "seen_at"),
    Index("surge_calls_resumes", "resumes"),
)
"""What has been counted of each call of the last days, so that an event that comes twice changes nothing. ``call`` is a
keyed hash: without the key nobody can say whose words these were. ``resumes`` is that of the contact's first call."""

surge_counts = Table(
    "surge_counts",
    metadata,
    Column("quarter", Integer, primary_key=True, autoincrement=False),
    Column("signal", String(30), primary_key=True),
    Column("area", String(40), primary_key=True),
    Column("version", String(120), primary_key=True),
    Column("demand", Integer, nullable=False),
    Column("deflected", Integer, nullable=False),
)
"""Callers by signal, narrowest known area (or age band) and version of what they were asked. ``demand`` is all of them;
``deflected`` are those among them whom a message or a self-service kept from the queue."""

surge_days = Table(
    "surge_days",
    metadata,
    Column("day", Integer, primary_key=True, autoincrement=False),
    Column("signal", String(30), primary_key=True),
    Column("area", String(40), primary_key=True),
    Column("version", String(120), primary_key=True),
    Column("demand", Integer, nullable=False),
    Column("deflected", Integer, nullable=False),
)
"""The same by London's day, a number of days since 1970: kept for years, while quarter-hours are let go."""

surge_menus = Table(
    "surge_menus",
    metadata,
    Column("version", String(64), primary_key=True),
    Column("signal", String(30), primary_key=True),
    Column("asked", String(40), nullable=False),
)
"""What stands for the question that a version of the menu asks callers of a signal: two versions that ask the same are
one series."""

surge_usual = Table(
    "surge_usual",
    metadata,
    Column("signal", String(30), primary_key=True),
    Column("area", String(40), primary_key=True),
    Column("learnt_at", UtcDateTime, nullable=False),
    Column("version", String(120), nullable=False),
    Column("hourly", Text, nullable=False),
    Column("dispersion", Text, nullable=False),
    Column("windows", Float, nullable=False),
    Column("cusum", Float, nullable=False),
)
"""What is usual of each series, learnt once a week: 168 means by hour of the week, a dispersion by window and then by
window how much of it is rising (JSON), and the thresholds over all series."""


def dispersions(stored: str) -> tuple[list[float], list[float]]:
    """The dispersion by window, and how much of it is rising: none in what was learnt before that was known."""
    numbers: list[float] = json.loads(stored)
    windows = len(WINDOWS_H)
    return numbers[:windows], numbers[windows:] or [0.0] * windows


surge_screenings = Table(
    "surge_screenings",
    metadata,
    Column("quarter", Integer, primary_key=True, autoincrement=False),
    Column("at", UtcDateTime, nullable=False),
    Column("series", Integer, nullable=False),
    Column("judged", Integer, nullable=False),
    Column("found", Integer, nullable=False),
    Column("why_not", Text, nullable=False),
)
"""One line for each look. ``why_not`` (JSON): how many series could not be judged, by reason."""

surge_proposals = Table(
    "surge_proposals",
    metadata,
    Column("id", String(16), primary_key=True),
    Column("signal", String(30), nullable=False),
    Column("area", String(40), nullable=False),
    Column("method", String(10), nullable=False),
    Column("kind", String(20), nullable=False),
    Column("since", UtcDateTime, nullable=False),
    Column("found_at", UtcDateTime, nullable=False),
    Column("last_seen_at", UtcDateTime, nullable=False),
    Column("score", Float, nullable=False),
    Column("rank", Integer, nullable=False),
    Column("state", String(10), nullable=False),
    Column("message", String(40), nullable=False, server_default=""),
    Column("faded_at", UtcDateTime),
    Index("surge_proposals_seen", "last_seen_at"),
)

surge_steps = Table(
    "surge_steps",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("proposal", String(16), nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Column("step", String(20), nullable=False),
    Column("by", Text, nullable=False),
    Column("name", Text, nullable=False, server_default=""),
    Column("role", String(30), nullable=False),
    Column("note", Text, nullable=False, server_default=""),
    Index("surge_steps_of", "proposal", "id"),
)
"""Who did what with a proposal."""
