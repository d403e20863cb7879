"""Which part of the service a process does: it takes calls, or what is made of them, or both (docs/adr/0039).

A *background process* writes the journal, counts, judges figures and serves pages, beside processes that only take
calls: no caller waits behind that. While none works the others do that in its stead, as they did before there were any.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from contextlib import suppress
from typing import Any

import structlog

from alerts.surges.watch import PART as SURGES
from callrouter.figures.check import PART as FIGURES
from callrouter.plans.sources import SOURCE_PART
from careplans.audit.keeping import HEADS
from infra.clock import Clock
from infra.errors import StateUnavailable
from infra.health import Health
from infra.lease import Leases, say_alive
from infra.loops import until_next
from infra.turns import alike

PART = "background"
"""What background processes are called among the parts of a process that takes calls, and their lease."""

TOLD_BY_BACKGROUND = frozenset({SURGES, FIGURES, SOURCE_PART, HEADS})
"""The kinds of parts that nobody knows but who does the work of a background process."""

SAY_EVERY_S = 2.0
SAID_S = 8.0
"""How long a background process' word that it works holds: three of its words may be lost or late. With
:data:`SAY_EVERY_S`, so long at most its work stands still after its death, or a failure. It is so long, too, that its
reader may take for a step."""

PROBATION_S = 60.0
"""Before one whose reader has failed is believed without having gone again: else a fault of its own would have the
others begin and end with its work every ten seconds."""

Work = Callable[[], Iterable[Coroutine[Any, Any, None]]]

log = structlog.get_logger()


class Going:
    """Whether the work of a process goes on, by the ``step`` of a reader whose lease one process at a time holds."""

    def __init__(self, step: Callable[[float], Awaitable[int]], clock: Clock) -> None:
        self._step = step
        self._clock = clock
        self._went_at = self._failed_at = float("-inf")

    async def step(self, wait_s: float) -> int:
        """The reader's, looked at."""
        try:
            done = await self._step(wait_s)
        except StateUnavailable:  # nobody can work then, and nobody hears any word
            raise
        except Exception:
            self._went_at, self._failed_at = float("-inf"), self._clock.monotonic()
            raise
        self._went_at, self._failed_at = self._clock.monotonic(), float("-inf")
        return done

    def left_to_another(self) -> None:
        """Another process has the lease, perhaps one that waits for our word to leave the work to us."""
        now = self._clock.monotonic()
        if now - self._failed_at >= PROBATION_S:
            self._went_at = now

    @property
    def goes_on(self) -> bool:
        """Whether it went, or was another's, within :data:`SAID_S`, and has not failed since."""
        return self._clock.monotonic() - self._went_at < SAID_S


async def say_background_works(leases: Leases, works: Callable[[], bool]) -> None:
    """A background process' word to all, again and again until cancelled: that of each holds for all of them."""
    while True:
        if works():
            with suppress(StateUnavailable):  # who cannot hear it knows that the store is away, and changes nothing
                await say_alive(leases, PART, SAID_S)
        await asyncio.sleep(until_next(SAY_EVERY_S))


class Reserve:
    """A background process' ``work``, done by a process that takes calls while none works.

    It is the part :data:`PART` of its ``health``. A process that has just begun gives others time to begin, too
    (``patience_s``).
    """

    def __init__(
        self, work: Work, leases: Leases, health: Health, *, look_every_s: float = SAY_EVERY_S,
        patience_s: float = SAID_S,
    ) -> None:  # fmt: skip
        self._work = work
        self._leases = leases
        self._health = health
        self._look_every_s = look_every_s
        self._patience_s = patience_s
        self._begun: list[asyncio.Task[None]] = []

    async def run(self) -> None:
        """Look after it until cancelled."""
        self._health.expect(PART)
        self._leave_it_to_the_background()
        begins = asyncio.get_running_loop().time() + self._patience_s
        try:
            while True:
                if await self._background_works():
                    await self._rest()
                elif not self._begun and asyncio.get_running_loop().time() >= begins:
                    log.error("background_silent", doing="its work")
                    self._begun = [asyncio.create_task(alike(each)) for each in self._work()]
                await asyncio.sleep(until_next(self._look_every_s))
        finally:
            await self._end()

    async def _background_works(self) -> bool:
        """As it was, while that cannot be known."""
        try:
            works = await self._leases.is_held(PART)
        except StateUnavailable:
            return not self._begun
        if works:
            self._health.ok(PART)
        else:
            self._health.failed(PART, "not_heard")
        return works

    async def _rest(self) -> None:
        if self._begun:
            log.info("background_is_back")
            await self._end()
            self._leave_it_to_the_background()

    async def _end(self) -> None:
        begun, self._begun = self._begun, []
        for each in begun:
            each.cancel()
        await asyncio.gather(*begun, return_exceptions=True)

    def _leave_it_to_the_background(self) -> None:
        """Nothing of its parts is wrong here, else an alert of this process would never clear."""
        for each in self._health.parts():
            if each.name.partition(":")[0] in TOLD_BY_BACKGROUND:
                self._health.ok(each.name)
