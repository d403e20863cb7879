"""SQLite behind threads: a whole transaction in one hop, look-ups beside the one writer.

Awaiting every single database call costs a thread switch there and back for each, four for one query; that was half
of the CPU of a call (docs/bench.md).
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, TypeVar

from sqlalchemy import URL, Connection, Engine, Select, create_engine, event

from infra.sqlite_look_ups import LookUps
from infra.threads import Threads

T = TypeVar("T")

READERS = 2
"""Threads for look-ups: one may be held by a page that reads much while the other answers callers."""
_PRAGMAS = ("journal_mode=WAL", "synchronous=NORMAL", "busy_timeout=5000", "foreign_keys=ON", "secure_delete=ON")
"""Write-ahead: readers and the writer never wait for each other. Another process's write is waited for 5 s. Zeros are
put over what is deleted or replaced: some builds of SQLite do so by themselves, not all."""


class SqliteDatabase:
    """One file, one writer at a time; see :class:`infra.sql.Database`."""

    dialect = "sqlite"

    def __init__(self, address: URL) -> None:
        self._address = address
        self._readers = Threads("sqlite-read", READERS)
        self._writer = Threads("sqlite-write", 1)
        self._reading = _engine(address, "query_only=ON")
        self._look_ups = LookUps(self._connect)
        self._writing = _engine(address)
        # at once, not at its first change: what a transaction reads must still hold when it writes
        event.listen(self._writing, "begin", lambda connection: connection.exec_driver_sql("BEGIN IMMEDIATE"))

    async def read(self, work: Callable[[Connection], T]) -> T:
        """See :class:`infra.sql.Database`."""
        return await self._readers.run(lambda: _in_connection(self._reading, work))

    async def look_up(
        self,
        query: Select[Any],
        values: Mapping[str, object],
        *,
        lane: str = "",  # noqa: ARG002 - nothing hangs in a file
    ) -> Sequence[Sequence[Any]]:
        """See :class:`infra.sql.Database`."""
        return await self._readers.run(lambda: self._look_ups.fetch(query, values))

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self._address.database or ":memory:", check_same_thread=False)  # closed by another
        _prepare(connection, "query_only=ON")
        return connection

    async def write(self, work: Callable[[Connection], T]) -> T:
        """See :class:`infra.sql.Database`."""
        return await self._writer.run(lambda: _in_transaction(self._writing, work))

    async def maintain(self, work: Callable[[Connection], T]) -> T:
        """See :class:`infra.sql.Database`."""
        return await self.write(work)

    async def study(self, work: Callable[[Connection], T]) -> T:
        """See :class:`infra.sql.Database`."""
        engine = _engine(self._address, "temp_store=MEMORY")
        event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN"))
        try:
            return await asyncio.to_thread(_in_transaction, engine, work)
        finally:
            engine.dispose()

    async def scrub(self, tables: Collection[str]) -> None:  # noqa: ARG002 - one file holds all of them
        """See :class:`infra.sql.Database`."""
        checkpoint = "PRAGMA wal_checkpoint(TRUNCATE)"  # what a reader keeps from it is written back by a later one
        await self._readers.run(lambda: _in_connection(self._reading, lambda c: c.exec_driver_sql(checkpoint).all()))

    async def close(self) -> None:
        """See :class:`infra.sql.Database`."""
        await self._readers.close()
        self._look_ups.close()
        await self._writer.close()
        self._reading.dispose()
        self._writing.dispose()


def _engine(address: URL, *pragmas: str) -> Engine:
    # a read holds no transaction open, and whoever writes ends theirs: nothing to roll back on return
    engine = create_engine(address.set(drivername="sqlite"), hide_parameters=True, pool_reset_on_return=None)
    event.listen(engine, "connect", lambda connection, _record: _prepare(connection, *pragmas))
    return engine


def _prepare(connection: sqlite3.Connection, *pragmas: str) -> None:
    connection.isolation_level = None  # the driver begins no transaction by itself
    for pragma in (*_PRAGMAS, *pragmas):
        connection.execute(f"PRAGMA {pragma}").close()


def _in_connection(engine: Engine, work: Callable[[Connection], T]) -> T:
    with engine.connect() as connection:
        return work(connection)


def _in_transaction(engine: Engine, work: Callable[[Connection], T]) -> T:
    with engine.begin() as connection:
        return work(connection)
