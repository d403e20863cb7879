"""PostgreSQL through asyncpg: what it may take, and what is done when it takes longer."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import asyncpg  # type: ignore[import-untyped]
from asyncpg import InterfaceError, PostgresError
from sqlalchemy import URL, Connection, NullPool, Select, event
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.engine.interfaces import IsolationLevel
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from infra.look_ups import FAILURES, LookUps
from infra.threads import run_apart
from infra.turns import in_one_piece

T = TypeVar("T")

LOOK_UPS = 4
"""Connections of each lane of what a caller waits for (plans; repeat calls): four carry some thousand a second."""
READERS = 4
"""Connections for pages and whatever else reads more than one query: apart, so that no caller waits for a page."""
WRITERS = 4
"""Connections for the journal, the index of encounters, the record of views, alerts: apart, so that look-ups never
wait for a write. A hundred workers of sixteen connections each need ``max_connections`` above 1,600, or a pooler."""
POOL_WAIT_S = 2.0
"""For a free connection. Callers' look-ups have given up long before; this is for pages and the journal."""
CONNECT_S = 3.0
"""For a connection to be made: a host that is gone says nothing, and waiting longer does not bring it back."""
STATEMENT_S = 5.0
"""For one statement, told to the server: the largest, 500 journal entries, takes some ten milliseconds."""
LOCK_S = 2.0
"""For a lock, told to the server: shorter than a statement, so that the error names the cause."""
IDLE_S = 10.0
"""For an open transaction in which nothing is asked, told to the server: ours never pause, so its client is gone."""
ANSWER_S = 7.0
"""For any answer, kept by us: longer than the server's own limits, for one that is frozen or cut off."""
MAINTAIN_LOCK_S = 10.0
"""For a lock of a migration: while it waits, everybody else waits behind it."""

_LIMITS = {"statement_timeout": STATEMENT_S, "lock_timeout": LOCK_S, "idle_in_transaction_session_timeout": IDLE_S}


class DatabaseUnreachable(SQLAlchemyError):
    """No connection could be made, or no answer came. Nothing was changed, or the whole transaction was."""


class NotVacuumed(SQLAlchemyError):
    """The server only warned and went by: whoever asked does not own the tables, or old transactions are in the way."""


class PostgresDatabase:
    """A server with two pools of connections; see :class:`infra.sql.Database`."""

    dialect = "postgresql"

    def __init__(self, address: URL) -> None:
        self._address = address.set(drivername="postgresql+asyncpg")
        # one round trip for a look-up, not four: no ping before, nothing to begin, nothing to roll back
        self._reading = _pool(self._address, READERS, ping=False).execution_options(isolation_level="AUTOCOMMIT")
        self._writing = _pool(self._address, WRITERS, ping=True)
        self._look_ups = defaultdict[str, LookUps](lambda: LookUps(self._connect, LOOK_UPS, POOL_WAIT_S))

    async def look_up(
        self, query: Select[Any], values: Mapping[str, object], *, lane: str = ""
    ) -> Sequence[Sequence[Any]]:
        """See :class:`infra.sql.Database`. One round trip, without SQLAlchemy; else as :meth:`read`."""
        try:
            return await self._look_ups[lane].fetch(query, values)
        except FAILURES as error:
            raise DatabaseUnreachable(type(error).__name__) from error

    async def poll(self, query: Select[Any], values: Mapping[str, object] | None = None) -> Sequence[Sequence[Any]]:
        """See :class:`infra.sql.Database`. Not on the connections of callers' look-ups."""
        return await self.read(lambda connection: connection.execute(query, values or {}).all())

    async def _connect(self) -> Any:
        _, address = self._reading.dialect.create_connect_args(self._address)
        return await asyncpg.connect(**address, **_connect_args(_LIMITS, ANSWER_S))

    async def read(self, work: Callable[[Connection], T]) -> T:
        """See :class:`infra.sql.Database`. A connection that the server has closed meanwhile is made anew, once."""
        try:
            return await self._read(work)
        except DBAPIError as error:
            if not error.connection_invalidated:
                raise
            return await self._read(work)

    async def _read(self, work: Callable[[Connection], T]) -> T:
        async with _failures(), self._reading.connect() as connection:
            return await connection.run_sync(work)

    async def write(self, work: Callable[[Connection], T]) -> T:
        """See :class:`infra.sql.Database`."""
        # a turn is waited for with no connection and no lock in hand: a caller's step may want them
        async with in_one_piece(), _failures(), self._writing.begin() as connection:
            return await connection.run_sync(work)

    async def maintain(self, work: Callable[[Connection], T]) -> T:
        """See :class:`infra.sql.Database`. A connection of its own, whose statements may take as long as they need."""
        return await run_apart(lambda: self._apart(work, "READ COMMITTED"))

    async def study(self, work: Callable[[Connection], T]) -> T:
        """See :class:`infra.sql.Database`."""
        return await run_apart(lambda: self._apart(work, "REPEATABLE READ"))

    async def scrub(self, tables: Collection[str]) -> None:
        """See :class:`infra.sql.Database`."""
        await run_apart(lambda: self._apart(lambda connection: _vacuum(connection, tables), "AUTOCOMMIT"))

    async def _apart(self, work: Callable[[Connection], T], isolation_level: IsolationLevel) -> T:
        engine = create_async_engine(
            self._address,
            hide_parameters=True,
            poolclass=NullPool,
            isolation_level=isolation_level,
            connect_args=_connect_args({"lock_timeout": MAINTAIN_LOCK_S}, None),
        )
        try:
            async with _failures(), engine.begin() as connection:
                return await connection.run_sync(work)
        finally:
            await engine.dispose()

    async def close(self) -> None:
        """See :class:`infra.sql.Database`."""
        for each in self._look_ups.values():
            await each.close()
        await self._reading.dispose()
        await self._writing.dispose()


def _vacuum(connection: Connection, tables: Collection[str]) -> None:
    said: list[str] = []
    driver: Any = connection.connection.driver_connection
    driver.add_log_listener(lambda _connection, message: said.append(message.severity_en))
    connection.exec_driver_sql(f"VACUUM {', '.join(sorted(tables))}")
    if "WARNING" in said:
        raise NotVacuumed("the server warned, and left tables as they are")


def _pool(address: URL, size: int, *, ping: bool) -> AsyncEngine:
    engine = create_async_engine(
        address,
        hide_parameters=True,
        pool_size=size,
        max_overflow=0,
        pool_timeout=POOL_WAIT_S,
        pool_pre_ping=ping,
        connect_args=_connect_args(_LIMITS, ANSWER_S),
    )
    event.listen(engine.sync_engine, "handle_error", _hide_values)
    return engine


def _connect_args(limits_s: dict[str, float], answer_s: float | None) -> dict[str, object]:
    told = {name: f"{round(limit * 1000)}ms" for name, limit in limits_s.items()}
    return {
        "timeout": CONNECT_S,
        "command_timeout": answer_s,
        # to compile what runs in milliseconds takes longer than to run it: seconds, for the recount of a day
        "server_settings": {"application_name": "callrouter", "jit": "off", **told},
    }


def _hide_values(context: ExceptionContext) -> None:
    """Leave out the server's DETAIL: it quotes the values of the row."""
    for error in (context.original_exception, context.sqlalchemy_exception, context.original_exception.__cause__):
        if isinstance(error, PostgresError):
            error.detail = None
        elif error is not None:
            error.args = tuple(str(arg).partition("\nDETAIL:")[0] for arg in error.args)


@asynccontextmanager
async def _failures() -> AsyncIterator[None]:
    try:
        yield
    except (OSError, PostgresError, InterfaceError) as error:  # what SQLAlchemy lets through, TimeoutError too
        raise DatabaseUnreachable(type(error).__name__) from error
