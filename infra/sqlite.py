"""SQLite behind threads: a whole transaction in one hop, look-ups beside the one writer.

Awaiting every single database call costs a thread switch there and back for each, four for one query; that was half
of the CPU of a call (docs/bench.md).
"""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from typing import Any, TypeVar

from sqlalchemy import URL, Connection, Engine, Select, create_engine, event
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from infra.sqlite_look_ups import LookUps
from infra.threads import Threads

T = TypeVar("T")

READERS = 2
"""Threads for look-ups: one may be held by a page that reads much while the other answers callers."""
WRITE_WAIT_MS = 5000
"""The wait for another process's write."""
_PRAGMAS = (
    "journal_mode=WAL", "synchronous=NORMAL", f"busy_timeout={WRITE_WAIT_MS}", "foreign_keys=ON", "secure_delete=ON",
)  # fmt: skip
"""Write-ahead: readers and the writer never wait for each other. Zeros are put over what is deleted or replaced: some
builds of SQLite do so by themselves, not all."""


SCRUB_WAIT_MS = 100
"""The wait for readers before the log is cut: it holds every writer up, so it is far below their 5 s."""


class LogNotCut(SQLAlchemyError):
    """A reader kept the write-ahead log from being cut: what was deleted still lies in it."""


class SqliteDatabase:
    """One file, one writer at a time; see :class:`infra.sql.Database`."""

    dialect = "sqlite"

    def __init__(self, address: URL) -> None:
        self._address = address
        self._readers = Threads("sqlite-read", READERS)
        self._writer = Threads("sqlite-write", 1)
        self._reading = _engine(address, "query_only=ON")
        self._look_ups = LookUps(self._connect)
        self._polls = LookUps(partial(self._connect, wait_ms=0))
        self._writing = _engine(address)
        self._log_left = False
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

    async def poll(self, query: Select[Any], values: Mapping[str, object] | None = None) -> Sequence[Sequence[Any]]:
        """See :class:`infra.sql.Database`. What the loop would have to wait for (a lock), a thread waits for."""
        try:
            return self._polls.fetch(query, values or {})
        except DBAPIError as error:
            if not _is_locked(error.orig):
                raise
        return await self.look_up(query, values or {})

    def _connect(self, wait_ms: int = WRITE_WAIT_MS) -> sqlite3.Connection:
        file = self._address.database or ":memory:"
        connection = sqlite3.connect(file, timeout=wait_ms / 1000, check_same_thread=False)  # closed by another
        _prepare(connection, "query_only=ON", f"busy_timeout={wait_ms}")
        return connection

    async def write(self, work: Callable[[Connection], T]) -> T:
        """See :class:`infra.sql.Database`."""
        return await self._writer.run(lambda: self._write(work))

    def _write(self, work: Callable[[Connection], T]) -> T:
        done = _in_transaction(self._writing, work)
        if self._log_left:
            with contextlib.suppress(SQLAlchemyError):  # what was written is written; the next write tries again
                self._cut_log(wait_ms=0)
        return done

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
        """See :class:`infra.sql.Database`. Raises :class:`LogNotCut`; then every later write here tries again."""
        await self._readers.run(lambda: self._cut_log(SCRUB_WAIT_MS))

    def _cut_log(self, wait_ms: int) -> None:
        self._log_left = True
        with self._reading.connect() as connection:
            connection.exec_driver_sql(f"PRAGMA busy_timeout={wait_ms}")
            try:
                busy, *_ = connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)").one()
            finally:
                connection.exec_driver_sql(f"PRAGMA busy_timeout={WRITE_WAIT_MS}")
        if busy:
            raise LogNotCut("a reader needs the write-ahead log: what was deleted still lies in it")
        self._log_left = False

    async def close(self) -> None:
        """See :class:`infra.sql.Database`."""
        await self._readers.close()
        self._look_ups.close()
        self._polls.close()
        await self._writer.close()
        self._reading.dispose()
        self._writing.dispose()


def _is_locked(error: BaseException | None) -> bool:
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF  # the lowest octet: whatever kind of busy it is
    return code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


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
