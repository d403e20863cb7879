"""Dispatch shared by all workers through Redis, and what a worker does while Redis is away.

A worker keeps the places and lines of the callers whom it looks after: it renews their leases while it lives. If
it dies, whoever takes a caller over says so (``seek`` again, or ``keep``), or the lease runs out and the line is
free. Offers are told by whoever frees a line; one that nobody has taken is told again by the sweep.

Without Redis this worker goes on alone with what it last knew: its own callers in their order, its own lines, the
failures and edges that it heard of. Lines that other workers use are not counted, so a provider may be rung that
is full: it says busy, and the next is tried. When Redis is back, everything that changed meanwhile is written: what
this worker knows of its callers stands, unless since then another has taken the caller over or heard them leave.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from datetime import datetime
from functools import partial
from itertools import islice

import structlog

from callrouter.dispatch.lines import COOL_DOWN_S, Lines, first_cool_down_s
from callrouter.dispatch.local import OnOffer
from callrouter.dispatch.places import Place
from callrouter.dispatch.providers import Providers
from callrouter.dispatch.redis_lines import LEASE_S, SWEEP_S, Answer, Known, RedisLines
from callrouter.ports import Nobody, Offer, Sought, Waiting
from infra.clock import Clock
from infra.errors import StateUnavailable
from infra.health import Health
from infra.redis import RedisLink
from ivr.model import Band

RENEW_S = LEASE_S / 3
BATCH = 200  # callers in one question, so that none is slow

CLOSE_S = 5.0

PART = "shared_dispatch"
"""The name under which health knows it."""

log = structlog.get_logger()


class SharedDispatch:
    """:class:`callrouter.ports.Dispatch` on Redis. No method fails because Redis does.

    :meth:`run` must run: it renews leases, offers what nobody else offers, and finds Redis again. ``holder`` names
    this process among the workers. ``on_offer`` is told of every later offer that this process makes.
    """

    def __init__(
        self,
        link: RedisLink,
        providers: Providers,
        clock: Clock,
        holder: str,
        *,
        health: Health,
        cool_down_s: Mapping[str, float] = COOL_DOWN_S,
        now_ms: Callable[[], int] | None = None,
    ) -> None:
        self._clock = clock
        self._health = health
        cools_s = partial(first_cool_down_s, table=cool_down_s)
        self._shared = RedisLines(link, providers, holder, cools_s, now_ms=now_ms)
        self._own = Lines(providers, clock, cool_down_s)  # the callers whom this process keeps
        self.on_offer: OnOffer | None = None
        self._alone = False
        self._returning = False
        self._changed: dict[str, float] = {}  # while alone: whose place or line changed, and when (monotonic)
        self._taken_over: set[str] = set()  # while alone: whom this process keeps from now on, unknown to it
        self._renewed = clock.monotonic()
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def alone(self) -> bool:
        """Whether this worker goes on without Redis now."""
        return self._alone

    # ------------------------------------------------------------------ the port

    async def seek(
        self, call_ref: str, services: Sequence[str], band: Band, arrived: datetime, *, hold: bool
    ) -> Sought:
        place = Place(call_ref, tuple(services), band, arrived)
        answer = await self._ask(partial(self._shared.seek, place, hold=hold))
        if answer is None:
            return self._seek_alone(place, hold=hold)
        match answer.sought:
            case Nobody():
                self._own.leave(call_ref)
            case Waiting():
                self._own.remember(place, None)
            case Offer() as offer:
                self._own.remember(place, offer)
        return answer.sought

    async def keep(self, call_ref: str) -> None:
        answer = await self._ask(partial(self._shared.keep, [call_ref], take_over=True))
        if answer is None:
            self._taken_over.add(call_ref)
        else:
            await self._adopt([call_ref], answer)

    async def in_use(self, call_refs: Collection[str]) -> None:
        for part in _batches(call_refs):
            await self._ask(partial(self._shared.in_use, part))

    async def leg_failed(self, call_ref: str, provider: str, cause: str) -> None:
        self._own.leg_failed(call_ref, provider, cause)
        await self._change(call_ref, partial(self._shared.leg_failed, call_ref, provider, cause))

    async def leg_answered(self, call_ref: str, provider: str) -> None:
        self._own.leg_answered(call_ref, provider)
        await self._ask(partial(self._shared.leg_answered, call_ref, provider))

    async def leave(self, call_ref: str) -> None:
        self._own.leave(call_ref)
        self._taken_over.discard(call_ref)
        await self._change(call_ref, partial(self._shared.leave, call_ref))

    def state(self, service: str) -> str:
        """Unknown without asking: the lines are shared. Alone, see :meth:`callrouter.dispatch.lines.Lines.state`."""
        return self._own.state(service) if self.alone else "unknown"

    async def reachable(self, provider: str, edge: str, up: bool | None) -> None:
        self._own.reachable(provider, edge, up)
        if await self._ask(partial(self._shared.reachable, provider, edge, up)) is None:
            self._offer_alone()

    # ------------------------------------------------------------------ what goes on behind

    async def run(self) -> None:
        """Sweep until cancelled."""
        while True:
            try:
                await self.sweep()
            except Exception as error:  # noqa: BLE001 - callers wait for the next one
                log.error("dispatch_sweep_failed", error=type(error).__name__)
            await asyncio.sleep(SWEEP_S)

    async def sweep(self) -> None:
        """Offer what has become free, renew what is due, and try Redis again if it was away."""
        if self._alone:
            await self._come_back()
        if self._alone:
            self._offer_alone()  # what became free without anybody's doing
            return
        if await self._ask(self._shared.sweep) is not None:
            self._health.ok(PART)
        if self._clock.monotonic() - self._renewed >= RENEW_S:
            self._renewed = self._clock.monotonic()
            await self._renew()

    async def close(self) -> None:
        """Wait a moment for the offers that are on their way to their callers; others tell those that stay here."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=CLOSE_S)

    async def _renew(self) -> None:
        for call_refs in _batches(self._own.callers()):
            answer = await self._ask(partial(self._shared.keep, call_refs, take_over=False))
            if answer is None:
                return
            await self._adopt(call_refs, answer)

    async def _adopt(self, asked: Collection[str], answer: Answer) -> None:
        """Know of these callers what Redis knows; tell it of those whom it has forgotten."""
        mine = {known.place.call_ref: known for known in answer.mine}
        forgotten: list[tuple[Known, float]] = []
        for call_ref in asked:
            if call_ref in self._changed:
                continue  # this process has gone on alone meanwhile
            if (known := mine.get(call_ref)) is not None:
                self._own.remember(known.place, known.offer)
            elif call_ref not in answer.lost:
                self._own.leave(call_ref)
            elif (lost := self._known(call_ref)) is not None:
                forgotten.append((lost, 0.0))
        if forgotten:
            log.warning("dispatch_forgot_callers", callers=len(forgotten))
            await self._ask(partial(self._shared.restore, forgotten, {}))

    def _known(self, call_ref: str) -> Known | None:
        if (place := self._own.place_of(call_ref)) is not None:
            return Known(place, None)
        if (offer := self._own.line_of(call_ref)) is not None:
            return Known(Place(call_ref, (offer.service,), Band.NORMAL, self._clock.now()), offer)
        return None

    # ------------------------------------------------------------------ with Redis, and without

    async def _ask(self, question: Callable[[], Awaitable[Answer]]) -> Answer | None:
        """The answer, its offers on their way to the callers; None if this worker is alone, now or from now on."""
        if self._alone:
            return None
        try:
            answer = await question()
        except StateUnavailable as error:
            if not self._alone:
                self._alone = True
                self._health.failed(PART, str(error))
            return None
        self._tell_all(answer)
        return answer

    async def _change(self, call_ref: str, question: Callable[[], Awaitable[Answer]]) -> None:
        if await self._ask(question) is None:
            self._changed[call_ref] = self._clock.monotonic()
            self._offer_alone()

    def _seek_alone(self, place: Place, *, hold: bool) -> Sought:
        taken = self._own.line_of(place.call_ref)
        if taken is not None and taken.service not in place.services:
            self._own.leave(place.call_ref)
            self._offer_alone()
        self._changed[place.call_ref] = self._clock.monotonic()
        return self._own.seek(place, hold=hold)

    def _offer_alone(self) -> None:
        if self._returning:
            return  # Redis may be offering a line to the same callers; the next sweep sees to what is left
        for call_ref, offer in self._own.offers():
            self._changed[call_ref] = self._clock.monotonic()
            self._tell(call_ref, offer)

    async def _come_back(self) -> None:
        """Write what changed while this worker was alone, until nothing is left to write."""
        self._returning = True
        try:
            while self._alone:
                changed = dict(islice(self._changed.items(), BATCH))
                if not await self._restore(changed):
                    return
                self._alone = bool(self._changed)
        finally:
            self._returning = False
        for call_refs in _batches(self._taken_over):
            answer = await self._ask(partial(self._shared.keep, call_refs, take_over=True))
            if answer is None:
                return
            self._taken_over.difference_update(call_refs)
            await self._adopt(call_refs, answer)
        await self._renew()

    async def _restore(self, changed: Mapping[str, float]) -> bool:
        now = self._clock.monotonic()
        callers, gone = [], {}
        for call_ref, at in changed.items():
            del self._changed[call_ref]
            if (known := self._known(call_ref)) is not None:
                callers.append((known, now - at))
            else:
                gone[call_ref] = now - at
        try:
            answer = await self._shared.restore(callers, gone)
        except StateUnavailable:
            self._changed = {**changed, **self._changed}
            return False
        await self._adopt([known.place.call_ref for known, _ in callers], answer)
        self._tell_all(answer)
        return True

    # ------------------------------------------------------------------ offers

    def _tell_all(self, answer: Answer) -> None:
        for call_ref, offer in answer.offers:
            if (place := self._own.place_of(call_ref)) is not None:
                self._own.remember(place, offer)
            self._tell(call_ref, offer)

    def _tell(self, call_ref: str, offer: Offer) -> None:
        task = asyncio.ensure_future(self._take_to(call_ref, offer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _take_to(self, call_ref: str, offer: Offer) -> None:
        if self.on_offer is None:
            return
        try:
            await self.on_offer(call_ref, offer)
        except Exception as error:  # noqa: BLE001 - nobody awaits this; a sweep tells the offer again
            log.warning("offer_not_taken", call_ref=call_ref, provider=offer.provider, error=type(error).__name__)
            return
        self._own.told(call_ref, offer)
        await self._ask(partial(self._shared.taken, call_ref, offer))


def _batches(call_refs: Collection[str]) -> list[list[str]]:
    """In parts of which none makes a slow question; a copy, since callers come and go meanwhile."""
    every = list(call_refs)
    return [every[first : first + BATCH] for first in range(0, len(every), BATCH)]
