"""A dispatch of either kind for tests: its providers, its clock, its workers, and the offers that they make."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta

from callrouter.dispatch.lines import COOL_DOWN_S
from callrouter.dispatch.local import LocalDispatch
from callrouter.dispatch.providers import Provider, Providers
from callrouter.dispatch.shared import SharedDispatch
from callrouter.ports import Offer, Sought, Waiting
from infra.health import Health
from infra.redis import RedisLink
from ivr.model import Band
from tests.hand_clock import NOON, HandClock
from tests.service import a_provider

SOON_S = 30.0
"""How long a test waits for what comes at once."""

PATIENT_S = 20.0
"""Budget of a question to Redis where a test is not about time."""


def provider(provider_id: str, *services: str, lines: int | None = None) -> Provider:
    """A provider that is called like its id."""
    return a_provider(provider_id, *services, tel="+442079460101", lines=lines)


class Hall:
    """Workers before one house of providers: one with a dispatch of its own, or any number that share theirs."""

    def __init__(
        self, *providers: Provider, link: RedisLink | None, cool_down_s: Mapping[str, float] = COOL_DOWN_S
    ) -> None:
        self.clock = HandClock()
        self.redis_off_s = 0.0  # what Redis' clock of the day was set anew by
        self.offers: asyncio.Queue[tuple[str, Offer]] = asyncio.Queue()
        self._providers = Providers(providers)
        self._cool_down_s = cool_down_s
        self._link = link
        self._workers: list[SharedDispatch] = []
        self.dispatch: LocalDispatch | SharedDispatch
        if link is None:
            self.dispatch = LocalDispatch(self._providers, self.clock, cool_down_s)
            self.dispatch.on_offer = self.take
        else:
            self.dispatch = self.worker("first", link)

    def worker(
        self, name: str, link: RedisLink | None = None, take: Callable[[str, Offer], Awaitable[None]] | None = None
    ) -> SharedDispatch:
        """One more worker that shares the lines; ``take`` is what it does with the offers that it makes."""
        link = link or self._link
        assert link is not None
        worker = SharedDispatch(
            link, self._providers, self.clock, name,
            health=Health(self.clock), cool_down_s=self._cool_down_s, now_ms=self._redis_now_ms,
        )  # fmt: skip
        worker.on_offer = take or self.take
        self._workers.append(worker)
        return worker

    def _redis_now_ms(self) -> int:
        return round((self.clock.seconds + self.redis_off_s) * 1000)

    async def take(self, call_ref: str, offer: Offer) -> None:
        """The door takes an offer."""
        self.offers.put_nowait((call_ref, offer))

    async def seek(
        self,
        call_ref: str,
        *services: str,
        band: Band = Band.NORMAL,
        arrived: int = 0,
        hold: bool = True,
        at: LocalDispatch | SharedDispatch | None = None,
    ) -> Sought:
        """A caller who arrived some seconds after noon seeks 111 or these services, at the first worker or another."""
        when = NOON + timedelta(seconds=arrived)
        return await (at or self.dispatch).seek(call_ref, services or ("111",), band, when, hold=hold)

    async def waits(self, *callers: tuple[str, Band, int]) -> None:
        """These callers seek 111 and must wait."""
        for call_ref, band, arrived in callers:
            assert isinstance(await self.seek(call_ref, band=band, arrived=arrived), Waiting)

    async def next_offer(self) -> tuple[str, str]:
        """Who was offered a line next, and whose."""
        call_ref, offer = await asyncio.wait_for(self.offers.get(), SOON_S)
        return call_ref, offer.provider

    async def settle(self) -> None:
        """Every offer that was made has come to its caller."""
        await asyncio.sleep(0)
        for worker in self._workers:
            await worker.close()

    async def pass_time(self, seconds: float, *workers: SharedDispatch) -> None:
        """Time passes; these workers live (all of them, if none is named), and sweep every second."""
        living = workers or tuple(self._workers)
        while seconds > 0:
            self.clock.move(min(1.0, seconds))
            seconds -= 1.0
            for each in living:
                await each.sweep()
            await self.settle()  # no second is too short for an offer to be taken
