"""Connections to PostgreSQL for single queries, without a layer between: that layer is three quarters of their CPU."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any

from asyncpg import (  # type: ignore[import-untyped]
    AdminShutdownError,
    CrashShutdownError,
    InterfaceError,
    InternalClientError,
    PostgresError,
)
from sqlalchemy import Select
from sqlalchemy.dialects.postgresql.asyncpg import dialect

Connect = Callable[[], Awaitable[Any]]
"""Makes a connection of asyncpg."""
FAILURES = (OSError, PostgresError, InterfaceError, InternalClientError)
"""What the driver raises; TimeoutError is an OSError."""
GOOD_BYE = (AdminShutdownError, CrashShutdownError, InternalClientError)
"""The server has said that it ends the connection, whose end the driver has not read yet."""
CLOSE_S = 2.0
"""For a connection to end in order before it is cut off, its statement cancelled; at the end, for the last answers."""


class LookUps:
    """At most ``size`` connections, each made when it is needed and kept.

    One that was given up in the middle of an answer, or has failed, is not used again. What fails is one of
    :data:`FAILURES`.
    """

    def __init__(self, connect: Connect, size: int, wait_s: float) -> None:
        """``wait_s``: for a connection that is free."""
        self._connect = connect
        self._wait_s = wait_s
        self._size = size
        self._places = asyncio.Semaphore(size)
        self._idle: list[Any] = []  # the one used last goes first: it is the likeliest to live
        self._ending: set[asyncio.Task[None]] = set()

    async def fetch(self, query: Select[Any], values: Mapping[str, object]) -> Sequence[Sequence[Any]]:
        """The rows of ``query``, prepared once on each connection; if the server had closed it, from a new one."""
        sql, names = _compiled(query)
        given = [values[name] for name in names]
        if self._places.locked():
            async with asyncio.timeout(self._wait_s):
                await self._places.acquire()
        else:
            await self._places.acquire()  # does not wait
        connection: Any = None
        try:
            connection = self._living() or await self._connect()
            try:
                rows = await connection.fetch(sql, *given)
            except FAILURES as error:
                if not (connection.is_closed() or isinstance(error, GOOD_BYE)):
                    raise
                self._end(connection)
                connection = None
                connection = await self._connect()
                rows = await connection.fetch(sql, *given)
        except PostgresError as error:
            error.detail = None  # it quotes the values of a row
            self._give_back(connection)
            raise
        except BaseException:  # given up, or no answer came: it may come to whoever asks there next
            self._give_up(connection)
            raise
        self._give_back(connection)
        return rows  # type: ignore[no-any-return]

    async def close(self) -> None:
        """End all connections, once what is being asked is answered; asked again, new ones are made."""
        taken = 0
        with contextlib.suppress(TimeoutError):  # who still waits for an answer gets it, and keeps a connection
            async with asyncio.timeout(CLOSE_S):
                while taken < self._size:
                    await self._places.acquire()
                    taken += 1
        while self._idle:
            self._end(self._idle.pop())
        if self._ending:
            await asyncio.wait(self._ending)
        for _ in range(taken):
            self._places.release()

    def _living(self) -> Any:
        while self._idle:
            connection = self._idle.pop()
            if not connection.is_closed():
                return connection
        return None

    def _give_back(self, connection: Any) -> None:
        if connection is not None:
            self._idle.append(connection)
        self._places.release()

    def _give_up(self, connection: Any) -> None:
        if connection is not None:
            self._end(connection)
        self._places.release()

    def _end(self, connection: Any) -> None:
        task = asyncio.create_task(_ended(connection))
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)


async def _ended(connection: Any) -> None:
    try:
        await connection.close(timeout=CLOSE_S)
    except FAILURES:
        connection.terminate()


@lru_cache(maxsize=64)
def _compiled(query: Select[Any]) -> tuple[str, tuple[str, ...]]:
    """The SQL of a query, and the names of its values in their order."""
    compiled = query.compile(dialect=dialect())  # type: ignore[no-untyped-call]
    return str(compiled), tuple(compiled.positiontup or ())
