"""What a person looks at before assessing: a series by hours with what is usual, and its neighbours. No numpy."""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, func, select

from alerts.surges.calls import counted_in
from alerts.surges.model import ALL, EVERYWHERE, Series, quarter_of, start_of
from alerts.surges.tables import dispersions, surge_counts, surge_usual
from alerts.surveillance.days import hour_of_week
from infra.areas import Areas

AN_HOUR = 4
SHOWN_H = 72
NEAR_H = 24


@dataclass(frozen=True, slots=True)
class Hour:
    """One hour from ``at``: callers, those of them kept from the queue, what is usual, and from where on it is unusual;
    ``calls`` of all kinds, and how many are usual.

    None: not to be shown (a count), or not known (what is usual).
    """

    at: datetime
    demand: int | None
    deflected: int | None
    expected: float | None
    bound: float | None
    calls: int = 0
    usual_calls: float | None = None

    @property
    def share(self) -> float | None:
        """Of all calls, from 0 to 1."""
        return share_of(self.demand, self.calls)

    @property
    def usual_share(self) -> float | None:
        """What is usual for the hour."""
        return share_of(self.expected, self.usual_calls)


def share_of(some: float | None, calls: float | None) -> float | None:
    """``some`` of all ``calls``; None where either is not known, or nobody called."""
    return some / calls if some is not None and calls else None


@dataclass(frozen=True, slots=True)
class Neighbour:
    """Another series in the last 24 hours, of all ``calls`` in them."""

    series: Series
    demand: int
    expected: float | None
    calls: int = 0

    @property
    def share(self) -> float | None:
        """Of all calls, from 0 to 1."""
        return share_of(self.demand, self.calls)


@dataclass(frozen=True, slots=True)
class _Usual:
    hourly: list[float]
    dispersion: float
    rising: float
    windows: float

    def bound(self, hour: int) -> float:
        """The count of one hour whose Anscombe residual is the bound (:func:`alerts.surveillance.hourly.residual`)."""
        usual = self.hourly[hour]
        mean = sum(self.hourly) / len(self.hourly)
        dispersion = max(1.0, self.dispersion + self.rising * (usual / mean - 1))
        more = self.windows * usual ** (1 / 6) * math.sqrt(dispersion) / 1.5
        return float((usual ** (2 / 3) + more) ** 1.5)


def hours_of(connection: Connection, series: Series, end: datetime, areas: Areas) -> list[Hour]:
    """The last whole :data:`SHOWN_H` hours before ``end``, oldest first."""
    last = quarter_of(end) // AN_HOUR
    known = _usual(connection)
    usual, usual_calls = known.get(series), known.get(Series(ALL, EVERYWHERE))
    calls = _calls(connection, last - SHOWN_H, last)
    counted: dict[int, list[int]] = defaultdict(lambda: [0, 0])
    for quarter, area, demand, deflected in _narrow(connection, series.signal, last - SHOWN_H, last):
        if _holds(areas, series.area, area):
            counted[quarter // AN_HOUR][0] += demand
            counted[quarter // AN_HOUR][1] += deflected
    found = []
    for hour in range(last - SHOWN_H, last):
        at, (demand, deflected) = start_of(hour * AN_HOUR), counted[hour]
        place = hour_of_week(at)
        expected, bound = (usual.hourly[place], usual.bound(place)) if usual else (None, None)
        in_all = usual_calls.hourly[place] if usual_calls else None
        found.append(Hour(at, demand, deflected, expected, bound, calls.get(hour, 0), in_all))
    return found


def _calls(connection: Connection, first: int, last: int) -> Mapping[int, int]:
    """Calls of all kinds by hour."""
    found: dict[int, int] = defaultdict(int)
    for quarter, _, demand, _ in _narrow(connection, ALL, first, last):
        found[quarter // AN_HOUR] += demand
    return found


def neighbours_of(connection: Connection, series: Series, end: datetime, areas: Areas) -> list[Neighbour]:
    """The same signal in other areas, then other signals in the same area, the most unusual first in each."""
    last = quarter_of(end) // AN_HOUR
    first = last - NEAR_H
    at = surge_counts.c
    query = select(at.signal, at.area, func.sum(at.demand)).where(
        at.quarter >= first * AN_HOUR, at.quarter < last * AN_HOUR, at.signal != ALL
    )
    counted: dict[Series, int] = defaultdict(int)
    for signal, area, demand in connection.execute(query.group_by(at.signal, at.area)):
        for place in counted_in(area, areas):
            counted[Series(signal, place)] += int(demand)
    usual = _usual(connection)
    calls = sum(_calls(connection, first, last).values())
    places = [hour_of_week(start_of(hour * AN_HOUR)) for hour in range(first, last)]
    found = []
    for each in set(counted) | set(usual):
        if each != series and each.signal != ALL and (each.signal == series.signal or each.area == series.area):
            expected = sum(usual[each].hourly[place] for place in places) if each in usual else None
            found.append(Neighbour(each, counted.get(each, 0), expected, calls))
    return sorted(found, key=lambda each: (each.series.signal != series.signal, -_times(each), each.series.area))


def _times(neighbour: Neighbour) -> float:
    return neighbour.demand / neighbour.expected if neighbour.expected else 0.0


def _narrow(connection: Connection, signal: str, first: int, last: int) -> Collection[tuple[int, str, int, int]]:
    at = surge_counts.c
    query = select(at.quarter, at.area, at.demand, at.deflected)
    query = query.where(at.quarter >= first * AN_HOUR, at.quarter < last * AN_HOUR, at.signal == signal)
    return [(row.quarter, row.area, row.demand, row.deflected) for row in connection.execute(query)]


def _usual(connection: Connection) -> Mapping[Series, _Usual]:
    found = {}
    for row in connection.execute(select(surge_usual)):
        of_an_hour, rising = (each[0] for each in dispersions(row.dispersion))
        found[Series(row.signal, row.area)] = _Usual(json.loads(row.hourly), of_an_hour, rising, row.windows)
    return found


def _holds(areas: Areas, outer: str, inner: str) -> bool:
    return outer in counted_in(inner, areas) or outer == inner
