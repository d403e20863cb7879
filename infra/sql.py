"""The SQL engine: SQLite for a laptop, PostgreSQL in production, the same tables on both."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import DateTime, event
from sqlalchemy.engine import Dialect
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.types import TypeDecorator


class UtcDateTime(TypeDecorator[datetime]):
    """An instant. Refuses naive datetimes; gives back UTC on SQLite, which forgets the zone, too."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, _dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a stored instant needs a time zone")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, _dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def connect_database(url: str) -> AsyncEngine:
    """An engine for ``sqlite+aiosqlite://…`` or ``postgresql+asyncpg://…``.

    SQLite runs in write-ahead mode, so that the wallboard reads while calls are written, and waits up to
    five seconds for a lock. ``hide_parameters`` keeps personal values out of every exception's text.
    """
    if not url.startswith("sqlite"):
        return create_async_engine(url, hide_parameters=True, pool_pre_ping=True)
    # SQLite holds no transaction open for a read, and whoever writes ends theirs: nothing to roll back on return
    engine = create_async_engine(url, hide_parameters=True, pool_reset_on_return=None)
    event.listen(engine.sync_engine, "connect", _prepare_sqlite)
    return engine


def _prepare_sqlite(connection: Any, _record: object) -> None:
    cursor = connection.cursor()
    for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "busy_timeout=5000", "foreign_keys=ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()
