"""Once a day, on what has no four weeks yet: yesterday by EARS C2, divided by what such a day brings in all calls.

A new signal, or one after a new menu, is so not without a watch for its first weeks. Needs numpy.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import numpy as np

from alerts.surges.archive import day_of
from alerts.surges.history import History
from alerts.surges.model import Found, Kind, Series, start_of
from alerts.surveillance import daily, daily_budget, ears
from alerts.surveillance.control import EarsControl
from alerts.surveillance.daily import Z
from alerts.surveillance.days import LONDON, kind_of_day
from alerts.surveillance.errors import HistoryError
from alerts.surveillance.glm import Array
from alerts.surveillance.hourly import FEWEST
from alerts.surveillance.kinds import kind_of

FALSE_A_DAY = 0.25
"""Its part of the budget of false episodes, over all series that are judged so."""


@dataclass(frozen=True, slots=True)
class Days:
    """``demand`` (S, D) and all calls (D,) by London's days, from ``first`` on; NaN where a part was not counted."""

    demand: Array
    total: Array
    first: date


def days_of(history: History) -> Days:
    """Whole days; those at both ends of ``history`` of which it has a part are left out."""
    quarters = len(history.total)
    dates = np.array([day_of(start_of(history.first + 4 * hour)) for hour in range(-(-quarters // 4))])
    dates = np.repeat(dates, 4)[:quarters]
    whole = sorted(set(dates))[1:-1]
    columns = [np.flatnonzero(dates == each) for each in whole]
    demand = np.stack([history.demand[:, each].sum(axis=1) for each in columns], axis=1)
    return Days(demand, np.array([history.total[each].sum() for each in columns]), whole[0])


def has_faded(days: Days, row: int, since: date) -> bool:
    """Whether the last two days were below the bound of the four weeks, a week at the least, before ``since``.

    Not by EARS: its baseline follows, so that a surge that lasts is usual to it after some days.
    """
    if np.isnan(days.total).all():
        return False
    begin = (since - days.first).days
    kinds = [kind_of_day(days.first + timedelta(days=each)) for each in range(len(days.total))]
    demand = days.demand[row] / daily.day_factors(days.total, days.first)[kinds]
    before = demand[max(0, begin - 28) : max(0, begin)]
    before = before[~np.isnan(before)]
    if len(before) < 7 or begin > len(demand) - 2:
        return False
    return bool((demand[-2:] <= before.mean() + Z * max(1.0, before.std(ddof=1))).all())


def judge_yesterday(history: History, rows: Sequence[int]) -> list[Found]:
    """What is unusual on the last whole day among some rows of ``history``, the most unusual first."""
    if not rows:
        return []
    days = days_of(history)
    demand = days.demand[list(rows)]
    share = demand / np.where(days.total > 0, days.total, np.nan) * np.nanmean(days.total)
    try:
        by_count = daily.judge_days(demand, days.total, days.first)
        bound = daily_budget.bound(demand, days.total, days.first, FALSE_A_DAY, seed=days.first.toordinal())
    except HistoryError:
        return []
    by_share = ears.judge(share, [len(days.total)], "C2", EarsControl(minSigma=1.0))
    since = datetime.combine(days.first + timedelta(days=len(days.total) - 1), datetime.min.time(), LONDON)
    found: list[tuple[Series, Kind, float]] = []
    for place, row in enumerate(rows):
        by = [Z * float(each.score[place, -1]) for each in (by_count, by_share)]
        kind = kind_of(by[0] > bound, by[1] > bound)
        if kind is not None and demand[place, -1] >= FEWEST:
            score = float(np.nanmax(by))
            found.append((history.series[row], kind.value, round(score, 3)))
    found.sort(key=lambda each: -each[2])
    return [Found(series, "daily", kind, since, score, rank) for rank, (series, kind, score) in enumerate(found, 1)]
