"""A counter for each thing that all workers keep in memory: who sees it grow reads that thing again.

Whoever changes the thing calls :func:`advance` first in the same transaction. On PostgreSQL that also makes writers
wait for one another, so that a counter is never seen before what it counts.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

import structlog
from sqlalchemy import Column, Connection, Integer, MetaData, String, Table, bindparam, select, update
from sqlalchemy.exc import SQLAlchemyError

from infra.health import Health
from infra.loops import until_next
from infra.sql import Database
from infra.turns import alike, within

LOOK_EVERY_S = 0.5
"""A change is known to every worker within this and the time of two small queries (one second is promised)."""

BUDGET_S = 5.0
"""A database that has not answered after this is asked anew: a hung connection must not end the looking."""

log = structlog.get_logger()
T = TypeVar("T")
metadata = MetaData()
revisions = Table(
    "revisions",
    metadata,
    Column("name", String(32), primary_key=True),
    Column("revision", Integer, nullable=False),
)


def advance(connection: Connection, name: str) -> None:
    """Count a change of ``name``, and hold every other writer of it off until this transaction ends."""
    changed = connection.execute(
        update(revisions).where(revisions.c.name == name).values(revision=revisions.c.revision + 1)
    )
    if not changed.rowcount:
        raise LookupError(f"there is no revision {name}: a migration makes it")


_REVISION = select(revisions.c.revision).where(revisions.c.name == bindparam("name"))


async def revision(database: Database, name: str) -> int:
    """How often ``name`` has changed."""
    ((found,),) = await database.poll(_REVISION, {"name": name})
    return int(found)


class Follower(Generic[T]):
    """Keeps a copy fresh: whenever ``name`` has changed, ``keep`` is given what ``load`` reads from a connection.

    ``keep`` runs in a thread of its own, since it may take its time: no caller waits for it. It is never left behind:
    the next look begins when it has ended, so that what was loaded first is never kept last.
    """

    def __init__(
        self, database: Database, name: str, load: Callable[[Connection], T], keep: Callable[[T], None]
    ) -> None:
        self._database = database
        self._name = name
        self._load = load
        self._keep = keep
        self._seen: int | None = None
        self._fails = False
        self._one_at_a_time = asyncio.Lock()
        self._looks: set[asyncio.Task[bool]] = set()

    async def look(self) -> bool:
        """Take over what is new; returns whether anything was. Raises what the database raises, TimeoutError.

        Whoever stops waiting does not stop the look: a thread cannot be cancelled.
        """
        async with within(BUDGET_S):
            if await revision(self._database, self._name) == self._seen:
                return False
        look = asyncio.create_task(alike(self._look()))
        self._looks.add(look)
        look.add_done_callback(self._over)
        return await asyncio.shield(look)

    async def _look(self) -> bool:
        async with self._one_at_a_time:
            async with within(BUDGET_S):
                seen = await revision(self._database, self._name)
                if seen == self._seen:
                    return False
                loaded = await self._database.read(self._load)
            await asyncio.to_thread(self._keep, loaded)
            self._seen = seen  # read before its content: at worst the same is read once more
            return True

    def _over(self, look: asyncio.Task[bool]) -> None:
        self._looks.discard(look)
        if not look.cancelled():
            look.exception()  # told to whoever waits; nobody may wait any more

    async def follow(self, health: Health, beside: Callable[[], Awaitable[None]] | None = None) -> None:
        """Look every :data:`LOOK_EVERY_S`, until cancelled; ``beside`` is awaited after each look that went well.

        No error ends it. What is not the database's (which says so itself) makes the part ``copy:NAME`` a failed one.
        """
        part = f"copy:{self._name}"
        while True:
            try:
                await self.look()
                if beside is not None:
                    async with within(BUDGET_S):
                        await beside()
            except Exception as error:  # noqa: BLE001 - whatever one change does, the next may be an "off"
                if not self._fails:  # once: the copy stays as it was, and callers notice nothing
                    log.warning("copy_not_refreshed", name=self._name, error=type(error).__name__)
                self._fails = True
                if not isinstance(error, SQLAlchemyError | OSError | TimeoutError):
                    health.failed(part, type(error).__name__)
            else:
                self._fails = False
                if part in health.failing_s():
                    health.ok(part)
            await asyncio.sleep(until_next(LOOK_EVERY_S))
