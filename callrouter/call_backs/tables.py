"""The tables of call-backs: what was promised, and what was done about it on its way to the journal."""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    false,
)

from infra.sql import UtcDateTime

metadata = MetaData()

call_backs = Table(
    "call_backs",
    metadata,
    Column("call_ref", String(64), primary_key=True),
    Column("id", String(16), nullable=False, unique=True),
    Column("context", String(32), nullable=False),
    Column("service", String(64), nullable=False),
    Column("number_key", String(64), nullable=False),
    Column("wrapped_key", LargeBinary, nullable=False),
    Column("number", LargeBinary, nullable=False),
    Column("arrived_at", UtcDateTime, nullable=False),
    Column("promised_at", UtcDateTime, nullable=False),
    Column("owed_at", UtcDateTime, nullable=False),
    Column("left_at", UtcDateTime),
    Column("taken_at", UtcDateTime),
    Column("taken_by", Text, nullable=False, server_default=""),
    Column("taken_user", Text, nullable=False, server_default=""),
    Column("tries", Integer, nullable=False, server_default="0"),
    Column("tried_at", UtcDateTime),
    Column("ended_at", UtcDateTime),
    Column("outcome", String(16), nullable=False, server_default=""),
    Column("told", Integer, nullable=False, server_default="0"),
    Index("call_backs_open", "ended_at", "owed_at"),
    Index("call_backs_by_number", "number_key"),
)
"""One for each contact. ``number`` is sealed with the row's own key. ``owed_at``: by when the next try is due. ``told``
counts its rows of ``call_back_steps``."""

call_back_steps = Table(
    "call_back_steps",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("call_ref", String(64), nullable=False),
    Column("number", Integer, nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Column("kind", String(32), nullable=False),
    Column("facts", JSON, nullable=False),
    Column("user", Text, nullable=False, server_default=""),
    Column("is_told", Boolean, nullable=False, server_default=false()),
    UniqueConstraint("call_ref", "number", name="call_back_steps_once"),
    Index("call_back_steps_to_tell", "is_told", "id"),
)
"""What changed a call-back, in the same transaction; the journal is told of it afterwards, once."""
