"""Dispatch: which provider or clinician takes which caller next.

Callers wait in one line for whatever services they may be put through to: by band, then by the time they
arrived. A raised caller who waits for clinician *and* handler is offered whichever is free first, so being
flagged is never a longer wait. Lines and places live in this process; a shared store takes their place in
production.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from callrouter.ports import Nobody, Offer, Sought, Waiting
from callrouter.providers import Provider, Providers
from infra.clock import Clock
from ivr.model import Band

COOL_DOWN_S = {"busy": 2.0, "no_answer": 5.0, "unreachable": 20.0, "rejected": 10.0}
"""How long a provider is passed over after a cause, seconds. Others: as ``unreachable``."""

TAKES_CALLS_AGAIN = ("busy", "no_answer")
"""Causes after which a caller may wait for the provider; after any other it is as good as not there."""


@dataclass(frozen=True, slots=True)
class _Place:
    call_ref: str
    services: tuple[str, ...]
    band: Band
    arrived: datetime

    @property
    def order(self) -> tuple[int, datetime]:
        return (self.band.rank, self.arrived)


class LocalDispatch:
    """:class:`callrouter.ports.Dispatch` inside one process. ``on_offer`` is told of every later offer."""

    def __init__(self, providers: Providers, clock: Clock, cool_down_s: Mapping[str, float] = COOL_DOWN_S) -> None:
        self._providers = providers
        self._clock = clock
        self._cool_down_s = cool_down_s
        self._lines: Counter[str] = Counter()
        self._taken: dict[str, Offer] = {}
        self._places: dict[str, _Place] = {}
        self._cooling: dict[str, tuple[float, str]] = {}  # until when (monotonic), and why
        self.on_offer: Callable[[str, Offer], Awaitable[None]] | None = None
        self._offers: set[asyncio.Task[None]] = set()

    async def seek(
        self, call_ref: str, services: Sequence[str], band: Band, arrived: datetime, *, hold: bool
    ) -> Sought:
        if (taken := self._taken.get(call_ref)) is not None:
            if taken.service in services:
                return taken
            await self.leave(call_ref)  # the caller has moved on, and needs somebody else now
        place = _Place(call_ref, tuple(services), band, arrived)
        if not any(self._lives(each) for s in services for each in self._providers.of_service(s)):
            self._places.pop(call_ref, None)
            return Nobody()
        if self._is_first(place) and (offer := self._reserve(place)):
            return offer
        if not hold:
            self._places.pop(call_ref, None)
            return Nobody()
        self._places[call_ref] = place
        return Waiting()

    async def leg_failed(self, call_ref: str, provider: str, cause: str) -> None:
        taken = self._taken.get(call_ref)
        if taken is None or taken.provider != provider:
            return  # told before: the caller has the line of somebody else by now, or none
        offer = self._give_back(call_ref)
        if offer is not None:
            cool = self._cool_down_s.get(cause, self._cool_down_s["unreachable"])
            self._cooling[offer.provider] = (self._clock.monotonic() + cool, cause)
            self._wake_after(cool)
        self._offer_lines()

    async def leave(self, call_ref: str) -> None:
        self._places.pop(call_ref, None)
        if self._give_back(call_ref) is not None:
            self._offer_lines()

    def _give_back(self, call_ref: str) -> Offer | None:
        offer = self._taken.pop(call_ref, None)
        if offer is not None:
            self._lines[offer.provider] -= 1
        return offer

    def _is_first(self, place: _Place) -> bool:
        """Nobody who waits for one of these services comes before this caller."""
        wanted = set(place.services)
        return not any(
            other.order < place.order and wanted & set(other.services)
            for other in self._places.values()
            if other.call_ref != place.call_ref
        )

    def _reserve(self, place: _Place) -> Offer | None:
        for service in place.services:
            free = [each for each in self._providers.of_service(service) if self._free(each)]
            if free:
                chosen = min(free, key=self._load)
                offer = Offer(chosen.id, service)
                self._lines[chosen.id] += 1
                self._taken[place.call_ref] = offer
                self._places.pop(place.call_ref, None)
                return offer
        return None

    def _load(self, provider: Provider) -> float:
        return self._lines[provider.id] / (provider.lines or 1000)

    def _cooling_for(self, provider: Provider) -> str | None:
        """Why the provider is passed over just now; None if it is not."""
        until, cause = self._cooling.get(provider.id, (0.0, ""))
        return cause if until > self._clock.monotonic() else None

    def _lives(self, provider: Provider) -> bool:
        """Whether waiting for the provider makes sense: one that was busy or slow to answer soon takes calls."""
        return self._cooling_for(provider) in (None, *TAKES_CALLS_AGAIN)

    def _free(self, provider: Provider) -> bool:
        has_line = provider.lines is None or self._lines[provider.id] < provider.lines
        return has_line and self._cooling_for(provider) is None

    def _wake_after(self, seconds: float) -> None:
        """A provider that has cooled down is free again without anybody hanging up."""
        asyncio.get_running_loop().call_later(seconds + 0.05, self._offer_lines)

    def _offer_lines(self) -> None:
        for place in sorted(self._places.values(), key=lambda each: each.order):
            offer = self._reserve(place)
            if offer is not None and self.on_offer is not None:
                task = asyncio.ensure_future(self.on_offer(place.call_ref, offer))
                self._offers.add(task)
                task.add_done_callback(self._offers.discard)
