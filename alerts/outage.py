"""Alerts that do not die with the database: kept in the process until it is back.

While the database is away, alerts go on from where they were last seen, in memory, and their notices go out from
there: at once, and at least once (two workers that both lose it tell twice). When it is back, each alert that
moved meanwhile is written to it, unless another worker moved it there; then that worker looks after it.
What this process alone sees (:data:`alerts.model.OWN_METRICS`) stays in memory always: a worker that has lost a
part must not be contradicted by one that has not, and its knowledge ends with it.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import TypeVar

import structlog

from alerts.memory import MemoryStore
from alerts.model import AlertState, Notice
from alerts.ports import Store
from alerts.store import Delivery
from infra.breaker import Breaker
from infra.clock import Clock

ANSWER_S = 2.0
"""A database that takes longer for a few rows is as good as away."""

log = structlog.get_logger(__name__)
T = TypeVar("T")


class _Away(Exception):
    """The database does not answer; memory stands in."""


class OutageStore:
    """:class:`alerts.ports.Store` over SQL and memory. ``own``: names of the rules whose alerts stay in memory."""

    def __init__(self, sql: Store, clock: Clock, own: Collection[str] = ()) -> None:
        self._sql = sql
        self._memory = MemoryStore()
        self._own = frozenset(own)
        self._last_seen: dict[str, AlertState] = {}
        self._moved: set[str] = set()  # alerts of everybody's that moved in memory
        self._breaker = Breaker(clock.monotonic, trips=1, on_change=_log_change)

    async def states(self) -> dict[str, AlertState]:
        """As last seen in the database, with what moved in memory on top."""
        with contextlib.suppress(_Away):
            self._last_seen = await self._ask(self._return)
        return self._last_seen | await self._memory.states()

    async def move(self, state: AlertState, notices: Sequence[Notice]) -> bool:
        """In the database, or else in memory. A commit whose answer was lost tells its notices twice."""
        if not self._is_own(state.rule):
            try:
                return await self._ask(partial(self._sql.move, state, notices))
            except _Away:
                self._moved.add(state.rule)
        return await self._memory.move(state, notices)

    async def open_deliveries(self, channel: str) -> list[Delivery]:
        """Those of memory first: they cannot wait for another worker."""
        own = await self._memory.open_deliveries(channel)
        try:
            return own + await self._ask(partial(self._sql.open_deliveries, channel))
        except _Away:
            return own

    async def claim(self, delivery: Delivery, next_try_at: datetime) -> bool:
        """False, too, while the database that holds the notice is away."""
        try:
            return await self._ask_of(delivery, lambda store: store.claim(delivery, next_try_at))
        except _Away:
            return False

    async def put_off(self, delivery: Delivery, next_try_at: datetime) -> None:
        """Left undone while the database is away: the claim's end is then the next try."""
        try:
            await self._ask_of(delivery, lambda store: store.put_off(delivery, next_try_at))
        except _Away:
            log.warning("notice_not_put_off", notice=delivery.notice.id)

    async def close(
        self, delivery: Delivery, *, sent_at: datetime | None, failed_at: datetime | None, then: Notice | None = None
    ) -> None:
        """Left undone while the database is away: the notice is then sent again, with the same id."""
        try:
            await self._ask_of(
                delivery, lambda store: store.close(delivery, sent_at=sent_at, failed_at=failed_at, then=then)
            )
        except _Away:
            log.warning("notice_not_closed", notice=delivery.notice.id)

    def _is_own(self, alert: str) -> bool:
        return alert.partition(":")[0] in self._own

    async def _return(self) -> dict[str, AlertState]:
        """The database's states, after what moved in memory was given back to it."""
        found = await self._sql.states()
        if not self._moved:
            return found
        for alert in sorted(self._moved):
            now = found.get(alert)
            if now == self._last_seen.get(alert):
                kept = (await self._memory.states())[alert]
                await self._sql.move(replace(kept, version=now.version if now else 0), ())
            self._memory.forget(alert)
            self._moved.discard(alert)
        return await self._sql.states()

    async def _ask_of(self, delivery: Delivery, work: Callable[[Store], Awaitable[T]]) -> T:
        if delivery.id < 0:
            return await work(self._memory)
        return await self._ask(lambda: work(self._sql))

    async def _ask(self, work: Callable[[], Awaitable[T]]) -> T:
        if not self._breaker.allows():
            raise _Away
        try:
            async with asyncio.timeout(ANSWER_S):
                answer = await work()
        except Exception as error:
            self._breaker.failed()
            raise _Away from error
        self._breaker.succeeded()
        return answer


def _log_change(away: bool) -> None:
    if away:
        log.error("alert_store_away")
    else:
        log.info("alert_store_back")
