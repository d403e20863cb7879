"""The table of recordings."""

from __future__ import annotations

from sqlalchemy import Column, Index, LargeBinary, MetaData, String, Table

from infra.sql import UtcDateTime

metadata = MetaData()

recording_parts = Table(
    "recording_parts",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("recording", String(48), nullable=False),
    Column("call_ref", String(64), nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Column("sealed", LargeBinary, nullable=False),
    Index("recording_parts_by_call", "call_ref", "id"),
    Index("recording_parts_by_time", "at"),
)
"""Half a minute of a talk each, sealed with the key of its call; ``id`` is the recording's and the part's number, in
their order. ``at``: when it was taken."""
