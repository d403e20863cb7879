"""PostgreSQL through asyncpg."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from sqlalchemy import URL, Connection
from sqlalchemy.ext.asyncio import create_async_engine

T = TypeVar("T")


class PostgresDatabase:
    """A server with a pool of connections; see :class:`infra.sql.Database`."""

    dialect = "postgresql"

    def __init__(self, address: URL) -> None:
        address = address.set(drivername="postgresql+asyncpg")
        self._writing = create_async_engine(address, hide_parameters=True, pool_pre_ping=True)
        # one round trip for a query, not three: nothing to begin and nothing to roll back
        self._reading = self._writing.execution_options(isolation_level="AUTOCOMMIT")

    async def read(self, work: Callable[[Connection], T]) -> T:
        """See :class:`infra.sql.Database`."""
        async with self._reading.connect() as connection:
            return await connection.run_sync(work)

    async def write(self, work: Callable[[Connection], T]) -> T:
        """See :class:`infra.sql.Database`."""
        async with self._writing.begin() as connection:
            return await connection.run_sync(work)

    async def maintain(self, work: Callable[[Connection], T]) -> T:
        """See :class:`infra.sql.Database`."""
        return await self.write(work)

    async def close(self) -> None:
        """See :class:`infra.sql.Database`."""
        await self._writing.dispose()
