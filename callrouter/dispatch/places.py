"""Who waits for which services, and who of them is first. What it costs does not grow with those who wait."""

from __future__ import annotations

import itertools
from bisect import bisect_left, insort
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from ivr.model import Band


@dataclass(frozen=True, slots=True)
class Place:
    """A caller's place: who waits, for any of which services, and what decides their turn."""

    call_ref: str
    services: tuple[str, ...]
    band: Band
    arrived: datetime

    @property
    def order(self) -> tuple[int, datetime]:
        """The lowest comes first."""
        return (self.band.rank, self.arrived)


_Turn = tuple[tuple[int, datetime], int, str]
"""Order, then who came here first, and who it is."""


class Places:
    """One caller has one place. Those of the same order come in the order in which they were added."""

    def __init__(self) -> None:
        self._waiting: dict[str, tuple[Place, _Turn]] = {}
        self._queues: dict[str, list[_Turn]] = {}  # by service, the first in front
        self._numbers = itertools.count()

    def __bool__(self) -> bool:
        return bool(self._waiting)

    def add(self, place: Place) -> None:
        """Instead of the place that the caller had."""
        self.remove(place.call_ref)
        turn = (place.order, next(self._numbers), place.call_ref)
        self._waiting[place.call_ref] = (place, turn)
        for service in set(place.services):
            insort(self._queues.setdefault(service, []), turn)

    def remove(self, call_ref: str) -> None:
        """Nothing happens to a caller who has none."""
        found = self._waiting.pop(call_ref, None)
        if found is not None:
            place, turn = found
            for service in set(place.services):
                queue = self._queues[service]
                del queue[bisect_left(queue, turn)]

    def get(self, call_ref: str) -> Place | None:
        """The caller's place."""
        found = self._waiting.get(call_ref)
        return found[0] if found is not None else None

    def callers(self) -> list[str]:
        """Everybody who waits."""
        return list(self._waiting)

    def first(self, services: Iterable[str]) -> Place | None:
        """Whose turn it is among those who wait for any of these services."""
        heads = [queue[0] for service in services if (queue := self._queues.get(service))]
        return self._waiting[min(heads)[2]][0] if heads else None
