"""The looks, one for each quarter-hour: screened apart, kept as proposals, told once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Protocol

import structlog

from alerts.surges.errors import ScreeningFailed
from alerts.surges.model import EVERYWHERE, NOT_COUNTED, Proposal, Screened, Step, quarter_of, start_of
from alerts.surges.store import APART, FADED_TOLD, KEPT, THE_SERVICE, TOLD, TOLD_SURGE, Look, ProposalStore
from infra.areas import Areas
from infra.clock import Clock
from infra.health import Health
from infra.loops import until_next

SETTLED = timedelta(minutes=2)
"""After its end a quarter-hour is left alone so long: who called in it may still be choosing."""

AGAIN_S = 60.0
"""After a look that failed. The next is for the quarter-hour that is then the last; none is made up for."""

PART = "surges"
"""The part of the service that health and alert rules name."""

log = structlog.get_logger()


class Tell(Protocol):
    """Word to people; telling the same again changes nothing."""

    async def found(self, proposal: Proposal) -> None:
        """Something is unusual, and somebody is to assess it."""

    async def faded(self, proposal: Proposal) -> None:
        """Taking off the message of this proposal is proposed."""


class SurgeWatch:
    """To be stepped by one process at a time; two at once do the same work twice and change nothing."""

    def __init__(
        self,
        store: ProposalStore,
        look: Callable[[datetime], Awaitable[Screened]],
        tell: Tell,
        areas: Areas,
        clock: Clock,
        health: Health,
    ) -> None:
        self._store = store
        self._look = look
        self._tell = tell
        self._areas = areas
        self._clock = clock
        self._health = health
        self._task: asyncio.Task[Screened] | None = None
        self._due = datetime.min.replace(tzinfo=UTC)
        self._again_at = float("-inf")
        self._done: datetime | None = None
        self._failed: datetime | None = None

    async def step(self, wait_s: float) -> int:
        """Begin the look that is due, or wait for the one that goes on; returns how many ended. Cancelled, it ends."""
        try:
            return await self._step(wait_s)
        except asyncio.CancelledError:
            if self._task is not None:
                self._task.cancel()
                await asyncio.gather(self._task, return_exceptions=True)
            raise

    async def _step(self, wait_s: float) -> int:
        if self._task is None:
            due = start_of(quarter_of(self._clock.now() - SETTLED))
            if self._clock.monotonic() < self._again_at or await self._is_done(due):
                await asyncio.sleep(until_next(wait_s))
                return 0
            self._task, self._due = asyncio.ensure_future(self._look(due)), due
        await asyncio.wait({self._task}, timeout=wait_s)  # no longer: the lease is renewed between two steps
        if not self._task.done():
            return 0
        task, self._task = self._task, None
        try:
            screened = task.result()
        except ScreeningFailed as error:
            self._again_at = self._clock.monotonic() + AGAIN_S
            self._failed = self._due
            self._health.failed(PART, "screening_failed")
            log.error("surges_not_screened", reason=str(error))
            return 1
        await self._keep(screened)
        return 1

    async def _is_done(self, due: datetime) -> bool:
        if self._done is None or self._done < due:
            last = await self._store.last_look()
            self._done = last.at if last else None
        return self._done is not None and self._done >= due

    async def heal(self) -> bool:
        """Whether another process has looked since this one failed: then the part works again, also as seen here."""
        last = await self._store.last_look() if self._failed is not None else None
        if last is None or self._failed is None or last.at < self._failed or _counts_stopped(last):
            return False
        self._failed = None
        self._health.ok(PART)
        return True

    async def _keep(self, screened: Screened) -> None:
        await self._store.record(screened)
        self._done, self._failed = screened.at, None
        if _counts_stopped(screened):
            self._failed = screened.at
            self._health.failed(PART, "not_counted")
        else:
            self._health.ok(PART)
        log.info("surges_screened", series=screened.series, judged=screened.judged, found=len(screened.found))
        await self.tell(screened.at)

    async def tell(self, now: datetime) -> None:
        """Tell what nobody was told of yet, and once more what has become a surge.

        Of one rise that one look finds in an area and in those around it, once. Afterwards a wider area is news of its
        own, and a smaller one is not, while what was told goes on and nobody dismissed it.
        """
        recent = await self._store.recent(now - APART)
        surges = await self._store.with_step(TOLD_SURGE, now - KEPT)
        known = surges | await self._store.with_step(TOLD, now - KEPT)
        before = [each for each in recent if each.id in (surges if each.kind == "surge" else known)]
        untold = [each for each in recent if each not in before and _is_news(each, now)]
        fresh: list[Proposal] = []
        for each in sorted(untold, key=lambda one: (one.rank, -self._depth(one.series.area))):
            with_ = next((one for one in fresh if self._holds(one, each) or self._holds(each, one)), None)
            with_ = with_ or next((one for one in before if _goes_on(one, each) and self._holds(one, each)), None)
            if with_ is None:
                await self._tell.found(each)  # first: who dies in between tells it again, and the notice knows itself
                fresh.append(each)
            step = TOLD_SURGE if each.kind == "surge" else TOLD
            await self._store.note(each.id, Step(now, step, THE_SERVICE, "", f"with {with_.id}" if with_ else ""))
        known = await self._store.with_step(FADED_TOLD, now - KEPT)
        for each in recent:
            if each.faded_at is not None and each.id not in known:
                await self._tell.faded(each)
                await self._store.note(each.id, Step(now, FADED_TOLD, THE_SERVICE, ""))

    def _holds(self, told: Proposal, new: Proposal) -> bool:
        """Whether ``new`` is of the same rise as ``told``, in its area or a part of it."""
        one, other = told.series, new.series
        is_part = one.area in (EVERYWHERE, other.area, *self._areas.around(other.area))
        return one.signal == other.signal and told.kind == new.kind and is_part

    def _depth(self, area: str) -> int:
        return len(self._areas.around(area))


def _counts_stopped(look: Screened | Look) -> bool:
    """Whether no series at all was counted lately: then no surge would be seen, and no quiet is to be believed."""
    return 0 < look.series == look.why_not.get(NOT_COUNTED)


def _goes_on(told: Proposal, new: Proposal) -> bool:
    """Whether the look that found ``new`` found ``told`` as well, and people still see it as something."""
    return told.state in ("open", "watched") and told.last_seen_at >= new.last_seen_at


def _is_news(proposal: Proposal, now: datetime) -> bool:
    """Whether people are to be told: a change of mix is only shown, and what somebody assesses already is known."""
    return proposal.kind != "change_of_mix" and proposal.state == "open" and proposal.last_seen_at >= now - APART
