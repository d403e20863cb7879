"""The table of replays: one row for each that somebody asked for, with its report once it is done. Counts only."""

from __future__ import annotations

from sqlalchemy import Column, Integer, String, Table, Text

from callrouter.publishing.tables import metadata
from infra.sql import UtcDateTime

replays = Table(
    "flow_replays",
    metadata,
    Column("version", String(12), primary_key=True),
    Column("calls_from", UtcDateTime, primary_key=True),
    Column("calls_until", UtcDateTime, primary_key=True),
    Column("worker", String(32), nullable=False),
    Column("begun_at", UtcDateTime, nullable=False),
    Column("told_at", UtcDateTime, nullable=False),
    Column("done", Integer, nullable=False),
    Column("calls", Integer, nullable=False),
    Column("again", Integer, nullable=False),
    Column("report", Text),
)
