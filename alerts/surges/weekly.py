"""Once a day, where the years are there: the seven days that end yesterday, by Farrington Flexible. Needs numpy."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, time, timedelta
from functools import partial
from typing import Any

import numpy as np
from scipy import special
from sqlalchemy import Connection, func, select

from alerts.surges.archive import EPOCH, day_of
from alerts.surges.calls import counted_in
from alerts.surges.daily import Days, days_of
from alerts.surges.history import History
from alerts.surges.menus import Asked, read_asked
from alerts.surges.model import ALL, EVERYWHERE, Found, Kind, Series, start_of
from alerts.surges.tables import surge_days
from alerts.surges.usual import CALLS
from alerts.surveillance import daily
from alerts.surveillance.days import LONDON
from alerts.surveillance.errors import HistoryError
from alerts.surveillance.glm import Array
from alerts.surveillance.hourly import FEWEST
from alerts.surveillance.kinds import kind_of
from infra.areas import Areas
from infra.sql import Database

FALSE_A_DAY = 0.5
"""Its part of the budget of false episodes."""

SHARED_OUT = 0.35
"""What is shared out as the level of each series. The bound does not know how well the model is known, so alarms are
more than their level says; but the sums of two days overlap, so episodes are fewer. Of 200 series in simulated years
without a surge a level that sums up to 0.5 a day gave 0.32 to 0.52 false episodes a day, this one 0.23 to 0.42; of
years of other seeds docs/surveillance.md tells."""

_LEVEL = 0.01
_LEAST_DAYS = 7 * 52 * daily.LEAST_YEARS + 28
_LOOKS_BACK = 5 * 371 + 60  # days: five years of weeks, and the three weeks around
_AT_ONCE = 366


@dataclass(frozen=True, slots=True)
class Years:
    """``demand`` (S, D) by day, the last of them yesterday, NaN where not counted or before a new menu; all calls."""

    series: tuple[Series, ...]
    demand: Array
    total: Array
    last: int


async def judge_weeks(database: Database, areas: Areas, history: History) -> list[Found]:
    """What is unusual in the week that ends on the last whole day of ``history``, the most unusual first.

    Nothing where less than three years are kept. A series that broke since is not judged.
    """
    first = await database.read(lambda connection: connection.execute(select(func.min(surge_days.c.day))).scalar())
    recent = days_of(history)
    begin = (recent.first - EPOCH).days
    last = begin + len(recent.total) - 1
    if first is None or last - first < _LEAST_DAYS:
        return []
    tally = _Tally(max(first, last - _LOOKS_BACK), last, areas, await database.read(read_asked))
    for day in range(tally.first, begin, _AT_ONCE):
        tally.add(await database.read(partial(_rows, first=day, end=min(begin, day + _AT_ONCE))))
    return judge(tally.years(history, recent, begin))


def judge(years: Years) -> list[Found]:
    """As :func:`judge_weeks`, of these; a series that was not counted three years ago is left out."""
    old = np.asarray(~np.isnan(years.demand[:, : max(0, years.demand.shape[1] - _LEAST_DAYS)]).all(axis=1))
    if not old.any():
        return []
    series = [each for each, is_old in zip(years.series, old, strict=True) if is_old]
    years = replace(years, series=tuple(series), demand=years.demand[old])
    level = min(_LEVEL, SHARED_OUT / len(years.series))
    control = daily.IMPROVED.model_copy(update={"alpha": level})
    share = years.demand / np.where(years.total > 0, years.total, np.nan) * np.nanmean(years.total)
    last_day = EPOCH + timedelta(days=years.last)
    try:
        by_count, by_share = (daily.judge_week(each, last_day, control) for each in (years.demand, share))
    except HistoryError:
        return []
    since = datetime.combine(last_day - timedelta(days=6), time(), LONDON)
    bound = float(special.ndtri(1 - level))  # a score of 1 is the bound: told in standard deviations, as by hours
    found: list[tuple[Series, Kind, float]] = []
    for row, each in enumerate(years.series):
        kind = kind_of(bool(by_count.alarm[row, 0]), bool(by_share.alarm[row, 0]) and each != CALLS)
        if kind is not None and by_count.observed[row, 0] >= FEWEST:
            score = max(float(one.score[row, 0]) for one in (by_count, by_share) if one.alarm[row, 0])
            found.append((each, kind.value, round(bound * score, 3)))
    found.sort(key=lambda one: -one[2])
    return [Found(series, "weekly", kind, since, score, rank) for rank, (series, kind, score) in enumerate(found, 1)]


def _rows(connection: Connection, first: int, end: int) -> Sequence[Any]:
    at = surge_days.c
    query = select(at.day, at.signal, at.area, at.version, at.demand).where(at.day >= first, at.day < end)
    return connection.execute(query).all()


class _Tally:
    """Days added up as they come, each to all that holds its area."""

    def __init__(self, first: int, last: int, areas: Areas, asked: Asked) -> None:
        self._asked = asked
        self.first = first
        self._days = last + 1 - first
        self._areas = areas
        self._lines: dict[Series, Array] = {}
        self._met: dict[str, dict[int, Counter[str]]] = defaultdict(lambda: defaultdict(Counter))

    def add(self, rows: Sequence[Any]) -> None:
        """Count these, too."""
        for day, signal, area, version, demand in rows:
            for place in (EVERYWHERE,) if signal == ALL else counted_in(area, self._areas):
                self._line(Series(signal, place))[day - self.first] += demand
            self._met[signal][day][self._asked(signal, version)] += demand

    def years(self, history: History, recent: Days, begin: int) -> Years:
        """All of it, with the recent days, from ``begin`` on, in the place of what is not added up yet."""
        at = begin - self.first
        for row, each in enumerate(history.series):
            self._line(each)[at:] = recent.demand[row]
        total = self._line(CALLS)
        total[at:] = recent.total
        total[total == 0] = np.nan  # a day without a single call was not counted
        series = tuple(sorted(self._lines, key=lambda one: (one.signal, one.area)))
        demand = np.stack([self._lines[each] for each in series])
        demand[:, np.isnan(total)] = np.nan
        for row, each in enumerate(series):
            # before anybody was counted there, nobody looked: an area that is told since last year had no zeros before
            begun = int(np.argmax(demand[row] > 0))
            demand[row, : max(begun, self._changed(each.signal, history) - self.first)] = np.nan
        return Years(series, demand, total, self.first + self._days - 1)

    def _line(self, series: Series) -> Array:
        if series not in self._lines:
            self._lines[series] = np.zeros(self._days)
        return self._lines[series]

    def _changed(self, signal: str, history: History) -> int:
        """The first day of what is asked now."""
        if signal in history.changed:
            return (day_of(start_of(history.changed[signal])) - EPOCH).days + 1
        most = [(day, max(sorted(met), key=met.__getitem__)) for day, met in sorted(self._met[signal].items())]
        now = history.versions.get(signal) or (most[-1][1] if most else "")
        others = [day for day, version in most if version != now]
        return max(others) + 1 if others else self.first
