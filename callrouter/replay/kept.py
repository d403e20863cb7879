"""Replays that people ask for on a page: long work beside the requests, whose state every process knows.

One process works on a replay and tells the database how far it is; who asks any other process hears it, and finds the
report there. If the one that works on it ends, the next process that is asked begins it again, and says so.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Protocol, TypeVar

import structlog
from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from callrouter import approvals as ap
from callrouter.handover import SignedIn
from callrouter.publishing.errors import OutOfRange
from callrouter.publishing.model import READERS
from callrouter.replay import store
from callrouter.replay.report import Report
from callrouter.replay.service import Progress
from callrouter.replay.store import Kept, Key
from infra.clock import Clock
from infra.sql import Database

PATIENCE_S = 2.0
"""How long who asks waits for a replay: a short one is there at once, of a long one how far it is."""

TELLS_EVERY_S = 2.0
GONE_AFTER = timedelta(seconds=20)
"""Nothing was heard of the process that works on it: it has ended."""

HOLDS = timedelta(days=1)
HOLDS_OF_NOW = timedelta(minutes=1)
"""How long a report is shown again: of a time that was over then, and of one in which calls still came."""

T = TypeVar("T")
log = structlog.get_logger()


class Replaying(Protocol):
    """What replays recorded calls (:class:`callrouter.replay.service.Replay`)."""

    async def run(
        self, version: str, start: datetime, end: datetime, who: SignedIn, progress: Progress | None = None
    ) -> Report:
        """Every call of that time through a version."""


class KeptReplays:
    """The replays of all processes. In each, one runs at a time."""

    def __init__(
        self,
        replaying: Replaying,
        database: Database,
        clock: Clock,
        *,
        patience_s: float = PATIENCE_S,
        tells_every_s: float = TELLS_EVERY_S,
    ) -> None:
        self._patience_s = patience_s
        self._tells_every_s = tells_every_s
        self._replaying = replaying
        self._database = database
        self._clock = clock
        self._name = secrets.token_hex(8)
        self._running: dict[Key, tuple[Progress, asyncio.Task[Report]]] = {}
        self._one_at_a_time = asyncio.Lock()

    async def ask(self, version: str, start: datetime, end: datetime, who: SignedIn) -> Report | Progress:
        """The report, or how far it is; begins it where nobody is at it.

        Raises a :class:`callrouter.approvals.Refused` as the replay does; then it is forgotten.
        """
        ap.require_role(who, READERS)
        if end <= start:
            raise OutOfRange("the time ends before it begins")
        key = (version, start, end)
        if key not in self._running:
            kept = await self._do(lambda c: store.find(c, key), reads=True)
            if kept is not None and not self._is_over(key, kept):
                return kept.report or kept.progress
            claimed = await self._do(lambda c: store.claim(c, key, kept, self._name, self._clock.now()))
            if not claimed:  # somebody else was asked at the same moment
                return Progress()
            self._begin(key, who, Progress(again=store.times_again(kept)))
        progress, task = self._running[key]
        await asyncio.wait([task], timeout=self._patience_s)
        return task.result() if task.done() else progress

    async def close(self) -> None:
        """End what this process works on, so that another may begin it again at once."""
        tasks = [task for _, task in self._running.values()]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.gather(*tasks, return_exceptions=True)
            with contextlib.suppress(ap.StoreAway):
                await self._do(lambda c: store.leave(c, self._name))

    def _begin(self, key: Key, who: SignedIn, progress: Progress) -> None:
        task = asyncio.create_task(self._work(key, who, progress), name="replay")
        task.add_done_callback(_take)
        self._running[key] = progress, task

    def _is_over(self, key: Key, kept: Kept) -> bool:
        """Whether it has to be begun (again)."""
        age = self._clock.now() - kept.told_at
        if kept.report is None:
            return age > GONE_AFTER
        return age > (HOLDS if kept.begun_at >= key[2] else HOLDS_OF_NOW)

    async def _work(self, key: Key, who: SignedIn, progress: Progress) -> Report:
        telling = asyncio.create_task(self._tell(key, progress))
        try:
            async with self._one_at_a_time:
                report = await self._replaying.run(*key, who, progress)
            await self._do(lambda c: store.finish(c, key, self._name, report, self._clock.now()))
            return report
        except Exception as error:
            log.warning("replay_failed", version=key[0], error=type(error).__name__)
            with contextlib.suppress(ap.StoreAway):
                await self._do(lambda c: store.forget(c, key, self._name))
            raise
        finally:
            telling.cancel()
            self._running.pop(key, None)

    async def _tell(self, key: Key, progress: Progress) -> None:
        """Also while it waits for its turn: the process is there."""
        while True:
            await asyncio.sleep(self._tells_every_s)
            with contextlib.suppress(ap.StoreAway):  # told again in a moment
                await self._do(lambda c: store.tell(c, key, self._name, progress, self._clock.now()))

    async def _do(self, work: Callable[[Connection], T], *, reads: bool = False) -> T:
        try:
            return await (self._database.read(work) if reads else self._database.write(work))
        except (SQLAlchemyError, OSError) as error:
            raise ap.StoreAway("the database is away: ask again") from error


def _take(task: asyncio.Task[Report]) -> None:
    """Nobody may be waiting any more for what it raised: it was logged."""
    if not task.cancelled():
        task.exception()
