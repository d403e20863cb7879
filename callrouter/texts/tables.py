"""The outbox of texts. Number and values stand in it sealed, with a key that is destroyed when the text is done."""

from __future__ import annotations

from sqlalchemy import Column, Index, Integer, LargeBinary, MetaData, String, Table

from infra.sql import UtcDateTime

metadata = MetaData()

texts = Table(
    "texts",
    metadata,
    Column("reference", String(32), primary_key=True),
    Column("purpose", String(16), nullable=False),
    Column("template", String(48), nullable=False),
    Column("call_ref", String(64), nullable=False),
    Column("sealed", LargeBinary, nullable=False),
    Column("wrapped_key", LargeBinary),
    Column("made_at", UtcDateTime, nullable=False),
    Column("state", String(12), nullable=False),
    Column("provider", String(16), nullable=False),
    Column("tries", Integer, nullable=False),
    Column("next_try_at", UtcDateTime, nullable=False),
    Column("reason", String(48), nullable=False),
    Column("changed_at", UtcDateTime, nullable=False),
    Index("texts_by_state", "state", "next_try_at"),
)
"""``call_ref``: the call that asked for it. ``reason``: a stable word. A row stays when its key is gone."""
