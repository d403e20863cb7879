"""Which part of the service a process does: it takes calls, or what is made of them, or both (docs/adr/0039).

A *desk* writes the journal, counts, judges figures and serves pages, beside processes that only take calls: no caller
waits behind that. While no desk lives the others do its work in its stead, as they did before there were desks.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable
from contextlib import suppress
from typing import Any

import structlog

from alerts.surges.watch import PART as SURGES
from callrouter.figures.check import PART as FIGURES
from callrouter.plans.sources import SOURCE_PART
from careplans.audit.keeping import HEADS
from infra.errors import StateUnavailable
from infra.health import Health
from infra.lease import Leases, say_alive
from infra.loops import until_next
from infra.turns import alike

PART = "desk"
"""What the desk is called among the parts of a process that takes calls, and its lease."""

TOLD_BY_DESK = frozenset({SURGES, FIGURES, SOURCE_PART, HEADS})
"""The kinds of parts that nobody knows but who does a desk's work."""

SAY_EVERY_S = 2.0
SAID_S = 8.0
"""How long a desk's word that it lives holds: three of its words may be lost or late. With :data:`SAY_EVERY_S`, so long
at most its work stands still after its death."""

Work = Callable[[], Iterable[Coroutine[Any, Any, None]]]

log = structlog.get_logger()


async def say_desk_lives(leases: Leases) -> None:
    """A desk's word to all, again and again until cancelled: that of each holds for all of them."""
    while True:
        with suppress(StateUnavailable):  # who cannot hear it knows that the store is away, and changes nothing
            await say_alive(leases, PART, SAID_S)
        await asyncio.sleep(until_next(SAY_EVERY_S))


class Reserve:
    """A desk's ``work``, done by a process that takes calls while no desk lives.

    It is the part :data:`PART` of its ``health``. A process that has just begun gives a desk time to begin, too
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
        self._leave_it_to_the_desk()
        begins = asyncio.get_running_loop().time() + self._patience_s
        try:
            while True:
                if await self._desk_lives():
                    await self._rest()
                elif not self._begun and asyncio.get_running_loop().time() >= begins:
                    log.error("desk_silent", doing="its work")
                    self._begun = [asyncio.create_task(alike(each)) for each in self._work()]
                await asyncio.sleep(until_next(self._look_every_s))
        finally:
            await self._end()

    async def _desk_lives(self) -> bool:
        """As it was, while that cannot be known."""
        try:
            lives = await self._leases.is_held(PART)
        except StateUnavailable:
            return not self._begun
        if lives:
            self._health.ok(PART)
        else:
            self._health.failed(PART, "not_heard")
        return lives

    async def _rest(self) -> None:
        if self._begun:
            log.info("desk_is_back")
            await self._end()
            self._leave_it_to_the_desk()

    async def _end(self) -> None:
        begun, self._begun = self._begun, []
        for each in begun:
            each.cancel()
        await asyncio.gather(*begun, return_exceptions=True)

    def _leave_it_to_the_desk(self) -> None:
        """Nothing of its parts is wrong here, else an alert of this process would never clear."""
        for each in self._health.parts():
            if each.name.partition(":")[0] in TOLD_BY_DESK:
                self._health.ok(each.name)
