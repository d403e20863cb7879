"""Every stored plan brought under the newest keys, in portions, while look-ups and imports go on.

Nothing is remembered between portions but the last row: a run that was stopped is begun again, and passes over what is
done. docs/careplans.md (keys) says in which order keys are added, used and taken away.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

import structlog
from sqlalchemy import Connection, Table, bindparam, func, select, update
from sqlalchemy.exc import SQLAlchemyError

from careplans.access.tables import plan_emergencies
from careplans.errors import PlanStoreFailed, PlanUnreadable
from careplans.reindexing import TABLES, bring_together, columns, reindex
from careplans.sealing import PersonKeys, Sealer
from careplans.tables import lock_for_writing, plans
from infra.crypto import KeyRing
from infra.rewrap import Rewrapped, WrappedKeys, rewrap
from infra.sql import Database

PORTION = 200
"""Plans in one transaction: a fifth of a second at most, so that an import beside it waits for no lock in vain."""
PASSES = 3
"""A pass that changes nothing ends it. If the third still does, somebody writes under an older key."""
TRIES = 60
"""Seconds that it waits for a database that does not answer, or for the lock of a long import."""

T = TypeVar("T")
_log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Rotated:
    """What was done, and which keys, by id, are still needed and by how many rows."""

    looked_at: int = 0
    changed: int = 0
    settled: bool = False
    masters_needed: Counter[str] = field(default_factory=Counter)
    index_keys_needed: Counter[str] = field(default_factory=Counter)
    unreviewed: int = 0
    """Emergency accesses that nobody has reviewed: who may not review them is told by the index key of their time."""


class Rotation:
    """One run. ``others``: tables of other packages whose data keys the same master keys wrap."""

    def __init__(
        self,
        database: Database,
        keys: KeyRing,
        others: Sequence[WrappedKeys] = (),
        *,
        told: Callable[[str, int, int], None] = lambda *_: None,
        pause_s: float = 1.0,
    ) -> None:
        """``told`` is called after each portion: table, rows looked at so far, changed so far."""
        self._database = _Patient(database, pause_s)
        self._keys = keys
        self._sealer = Sealer(keys)
        self._others = others
        self._told = told

    async def run(self) -> Rotated:
        """Bring every row under the newest keys; raises :class:`PlanStoreFailed`, and what is done stays done."""
        done = Rotated()
        for _ in range(PASSES):
            before = done.changed
            done.masters_needed.clear()
            done.index_keys_needed.clear()
            await self._pass(done)
            if done.changed == before:
                done.settled = True
                break
        done.unreviewed = await self._database.read(_unreviewed)
        return done

    async def _pass(self, done: Rotated) -> None:
        for table in TABLES:
            await self._follow(table.name, self._rows(table, done), done)
        for where in self._others:
            await self._follow(where.table.name, rewrap(self._database, self._keys, where), done)

    async def _follow(self, name: str, portions: AsyncIterator[Rewrapped], done: Rotated) -> None:
        looked_at = changed = 0
        async for portion in portions:
            looked_at, changed = looked_at + portion.looked_at, changed + portion.changed
            done.looked_at, done.changed = done.looked_at + portion.looked_at, done.changed + portion.changed
            done.masters_needed += portion.left
            self._told(name, looked_at, changed)

    async def _rows(self, table: Table, done: Rotated) -> AsyncIterator[Rewrapped]:
        query = (
            select(table.c.id, table.c.index_key, table.c.wrapped_key)
            .where(table.c.id > bindparam("after"))
            .order_by(table.c.id)
            .limit(PORTION)
        )
        after = ""
        while rows := await self._database.read(partial(_ask, query=query, after=after)):
            after = rows[-1].id
            older = [row.id for row in rows if self._is_older(row)]
            still = await self._database.write(partial(self._bring, table=table, ids=older)) if older else []
            done.index_keys_needed += Counter(row.index_key or "unknown" for row in still if self._index_older(row))
            left = Counter(
                self._keys.master_named(row.wrapped_key) or "unknown" for row in still if self._master_older(row)
            )
            yield Rewrapped(len(rows), len(older) - len(still), left)

    def _bring(self, connection: Connection, table: Table, ids: Sequence[str]) -> list[Any]:
        """Change what can be changed of these rows; returns those that could not be."""
        lock_for_writing(connection, plans)
        query = select(*columns(table)).where(table.c.id.in_(ids))
        rows = connection.execute(query).all()
        older = [row for row in rows if self._index_older(row)]
        bring_together(
            connection, self._sealer, [PersonKeys(row.nhs_key, row.name_key) for row in older if row.name_key]
        )
        reindex(connection, self._sealer, [(table, row) for row in older if not row.name_key])
        wrapped = [values for row in rows if self._master_older(row) and (values := self._rewrapped(row))]
        if wrapped:
            connection.execute(update(table).where(table.c.id == bindparam("row")), wrapped)
        return [row for row in connection.execute(query) if self._is_older(row)]

    def _rewrapped(self, row: Any) -> dict[str, Any] | None:
        try:
            return {"row": row.id, "wrapped_key": self._sealer.rewrap(row.wrapped_key)}
        except PlanUnreadable:
            _log.error("plan_key_not_rewrapped", plan=row.id)
            return None

    def _is_older(self, row: Any) -> bool:
        return self._index_older(row) or self._master_older(row)

    def _index_older(self, row: Any) -> bool:
        return bool(row.index_key != self._sealer.index_key)

    def _master_older(self, row: Any) -> bool:
        return row.wrapped_key is not None and self._keys.master_named(row.wrapped_key) != self._keys.masters[0]


def _unreviewed(connection: Connection) -> int:
    waiting = select(func.count()).select_from(plan_emergencies).where(plan_emergencies.c.reviewed_at.is_(None))
    return int(connection.execute(waiting).scalar_one())


def _ask(connection: Connection, query: Any, after: str) -> list[Any]:
    return list(connection.execute(query, {"after": after}))


class _Patient:
    """A database whose failures and locks are waited for."""

    def __init__(self, database: Database, pause_s: float) -> None:
        self._database = database
        self._pause_s = pause_s

    async def read(self, work: Callable[[Connection], T]) -> T:
        return await self._tried(partial(self._database.read, work))

    async def write(self, work: Callable[[Connection], T]) -> T:
        return await self._tried(partial(self._database.write, work))

    async def _tried(self, ask: Callable[[], Awaitable[T]]) -> T:
        for _ in range(TRIES - 1):
            try:
                return await ask()
            except (SQLAlchemyError, OSError) as error:
                _log.warning("key_rotation_waits", error=type(error).__name__)
                await asyncio.sleep(self._pause_s)
        try:
            return await ask()
        except (SQLAlchemyError, OSError) as error:
            raise PlanStoreFailed("the plan database did not answer; what is done stays done, begin again") from error
