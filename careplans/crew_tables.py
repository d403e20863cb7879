"""The notices that crews were sent: one for each incident."""

from __future__ import annotations

from sqlalchemy import Column, String, Table

from careplans.tables import metadata
from infra.sql import UtcDateTime

crew_notices = Table(
    "crew_notices",
    metadata,
    Column("incident", String(64), primary_key=True),
    Column("ref", String(16), nullable=False),
    Column("device", String(48), nullable=False),
    Column("call_ref", String(64), nullable=False),
    Column("notice", String(32), nullable=False),
    Column("correction", String(32)),
    Column("sent_at", UtcDateTime, nullable=False),
    Column("corrected_at", UtcDateTime),
)
"""``incident`` is a keyed hash of its number, ``device`` the id of an approved device; ``notice`` and ``correction``
are the references of the texts."""
