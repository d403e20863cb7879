"""Places, lines and failing providers: the rules of dispatch, without I/O.

Callers go by band, then by arrival. One caller has one place or one line. A provider is passed over while it
cools down after a failure, and while every edge that speaks of it says that it is down.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from callrouter.dispatch.places import Place, Places
from callrouter.dispatch.providers import Provider, Providers, next_provider
from callrouter.ports import STATEMENT_S, Nobody, Offer, Sought, Waiting
from infra.clock import Clock

COOL_DOWN_S = {"busy": 2.0, "no_answer": 5.0, "unreachable": 20.0, "rejected": 10.0}
"""How long a provider is passed over after its first failure, by cause, seconds. Others: as ``unreachable``.

Doubled with each failure after it was tried again, until it answers.
"""

LONGEST_COOL_DOWN_S = 60.0
"""A provider that is back is tried within a minute."""

TAKES_CALLS_AGAIN = ("busy", "no_answer")
"""Causes after which a caller may wait for the provider; after any other it is as good as not there."""

TOLD_AGAIN_S = 3.0
"""An offer that nobody has taken by then is told again: the process that was to take it may have died."""


def first_cool_down_s(cause: str, table: Mapping[str, float] = COOL_DOWN_S) -> float:
    """How long a provider is passed over after a first failure with this cause."""
    return table.get(cause, table["unreachable"])


@dataclass(frozen=True, slots=True)
class _Failing:
    """``until`` (monotonic): passed over. ``times``: failures in a row, those during one cool-down counted once."""

    until: float
    cause: str
    times: int


class Lines:
    """What one process knows of callers and providers."""

    def __init__(self, providers: Providers, clock: Clock, cool_down_s: Mapping[str, float] = COOL_DOWN_S) -> None:
        self._providers = providers
        self._clock = clock
        self._cool_down_s = cool_down_s
        self._places = Places()
        self._taken: dict[str, Offer] = {}
        self._used: Counter[str] = Counter()
        self._told: dict[str, float] = {}  # offers that nobody has taken yet: when they were told (monotonic)
        self._failing: dict[str, _Failing] = {}
        self._statements: dict[tuple[str, str], tuple[bool, float]] = {}  # (provider, edge) → up, until (monotonic)

    # ------------------------------------------------------------------ callers

    def seek(self, place: Place, *, hold: bool) -> Sought:
        """See :meth:`callrouter.ports.Dispatch.seek`; a line of a service that is not wanted must be given back."""
        if (taken := self._taken.get(place.call_ref)) is not None:
            self._told.pop(place.call_ref, None)
            return taken
        self._places.remove(place.call_ref)
        if not any(self._lives(each) for s in place.services for each in self._providers.of_service(s)):
            return Nobody()
        if self._is_first(place) and (offer := self._reserve(place)):
            return offer
        if not hold:
            return Nobody()
        self._places.add(place)
        return Waiting()

    def leave(self, call_ref: str) -> None:
        """The caller has neither place nor line any more."""
        self._places.remove(call_ref)
        self._told.pop(call_ref, None)
        if (offer := self._taken.pop(call_ref, None)) is not None:
            self._used[offer.provider] -= 1

    def remember(self, place: Place, offer: Offer | None) -> None:
        """What others say of a caller: they wait in this place, or have this line, whatever is free here."""
        self.leave(place.call_ref)
        if offer is None:
            self._places.add(place)
        else:
            self._take(place.call_ref, offer)

    def callers(self) -> list[str]:
        """Everybody who has a place or a line."""
        return [*self._places.callers(), *self._taken]

    def place_of(self, call_ref: str) -> Place | None:
        """The place in which the caller waits."""
        return self._places.get(call_ref)

    def line_of(self, call_ref: str) -> Offer | None:
        """The line that is reserved for the caller."""
        return self._taken.get(call_ref)

    def offers(self) -> list[tuple[str, Offer]]:
        """Reserve every free line for those who wait, in their order; and what was told long ago, once more."""
        now = self._clock.monotonic()
        late = [call_ref for call_ref, at in self._told.items() if at + TOLD_AGAIN_S <= now]
        offers = [(call_ref, self._taken[call_ref]) for call_ref in late]
        while self._places and (place := self._places.first(self._free_services())) is not None:
            if (offer := self._reserve(place)) is None:
                break  # cannot be: one of their services has a free line
            offers.append((place.call_ref, offer))
        self._told.update((call_ref, now) for call_ref, _ in offers)
        return offers

    def told(self, call_ref: str, offer: Offer) -> None:
        """Somebody has dealt with this offer to the caller."""
        if self._taken.get(call_ref) == offer:
            self._told.pop(call_ref, None)

    def _is_first(self, place: Place) -> bool:
        """Nobody who waits for one of these services comes before this caller."""
        first = self._places.first(place.services)
        return first is None or place.order <= first.order

    def _free_services(self) -> list[str]:
        free = {service for each in self._providers if self._free(each) for service in each.services}
        return list(free)

    def _reserve(self, place: Place) -> Offer | None:
        for service in place.services:
            free = [each for each in self._providers.of_service(service) if self._free(each)]
            if (chosen := next_provider(free, self._used)) is not None:
                return self._take(place.call_ref, Offer(chosen.id, service))
        return None

    def _take(self, call_ref: str, offer: Offer) -> Offer:
        self._places.remove(call_ref)
        self._used[offer.provider] += 1
        self._taken[call_ref] = offer
        return offer

    # ------------------------------------------------------------------ providers

    def leg_failed(self, call_ref: str, provider: str, cause: str) -> float | None:
        """Give the line back and pass the provider over: for how many seconds; None if the caller has no such line."""
        taken = self._taken.get(call_ref)
        if taken is None or taken.provider != provider:
            return None  # told before: the caller has the line of somebody else by now, or none
        self.leave(call_ref)
        known, now = self._failing.get(provider), self._clock.monotonic()
        times = 1 if known is None else known.times if known.until > now else known.times + 1
        cool = min(LONGEST_COOL_DOWN_S, first_cool_down_s(cause, self._cool_down_s) * 2.0 ** min(max(times - 1, 0), 8))
        until = max(now + cool, known.until if known else 0.0)
        self._failing[provider] = _Failing(until, cause, times)
        return until - now

    def leg_answered(self, call_ref: str, provider: str) -> None:
        """The provider works; a cool-down that goes on is left to end."""
        taken, failing = self._taken.get(call_ref), self._failing.get(provider)
        if taken is not None and taken.provider == provider and failing is not None:
            self._failing[provider] = _Failing(failing.until, failing.cause, 0)

    def reachable(self, provider: str, edge: str, up: bool | None) -> None:
        """Keep an edge's word; None takes it back."""
        if up is None:
            self._statements.pop((provider, edge), None)
        else:
            self._statements[provider, edge] = (up, self._clock.monotonic() + STATEMENT_S)

    def _is_down(self, provider: Provider) -> bool:
        said = list(self._said_of(provider))
        return bool(said) and not any(said)

    def _said_of(self, provider: Provider) -> Iterator[bool]:
        now = self._clock.monotonic()
        return (up for (about, _), (up, until) in self._statements.items() if about == provider.id and until > now)

    def _cooling_for(self, provider: Provider) -> str | None:
        """Why the provider is passed over just now; None if it is not."""
        failing = self._failing.get(provider.id)
        return failing.cause if failing is not None and failing.until > self._clock.monotonic() else None

    def state(self, service: str) -> str:
        """Of a service, now: ``free``, ``busy`` (soon free again), ``down``; ``unknown`` if nobody offers it."""
        offering = self._providers.of_service(service)
        if not offering:
            return "unknown"
        if any(self._free(each) for each in offering):
            return "free"
        return "busy" if any(self._lives(each) for each in offering) else "down"

    def _lives(self, provider: Provider) -> bool:
        """Whether waiting for the provider makes sense: one that was busy or slow to answer soon takes calls."""
        return not self._is_down(provider) and self._cooling_for(provider) in (None, *TAKES_CALLS_AGAIN)

    def _free(self, provider: Provider) -> bool:
        has_line = provider.lines is None or self._used[provider.id] < provider.lines
        return has_line and not self._is_down(provider) and self._cooling_for(provider) is None
