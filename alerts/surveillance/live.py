"""Live counts every 15 minutes: what is unusual now, what kind of unusual, and what to look at first.

:func:`learn` once a week, from weeks without a surge in them; :func:`screen` every quarter of an hour. Both get
*demand*, callers deflected or self-served among them; to learn from, counts of before a new menu or lexicon are NaN
(``alerts/surges/calls.py``, ``history.py``). An exceedance is a proposal.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
from numpy.typing import NDArray
from scipy import special

from alerts.surveillance import hourly
from alerts.surveillance.budget import APART, FALSE_EPISODES_A_DAY, Thresholds, Time, calibrate, null_year, together
from alerts.surveillance.calendar import hours_of_week
from alerts.surveillance.episodes import episodes, fading
from alerts.surveillance.errors import HistoryError
from alerts.surveillance.glm import Array
from alerts.surveillance.hourly import HourModel, Watched
from alerts.surveillance.kinds import Kind, kind_of, ranks

QUARTER = timedelta(minutes=15)
_JUDGED_WEEK = 7 * 96
_NULL_CELLS = 40_000_000  # series times quarter-hours that are simulated at the most: some seconds
_NULL_EPISODES = 50  # to set a threshold by: fewer would leave it to luck (one by 5 is 20 % off in the mean)
_QUIET = 48 * 4  # quarter-hours below the bound before taking a message off is proposed (docs/safety/rules.md, 9)
_SHARE_WINDOW = 16  # quarter-hours over which all calls are compared with what is usual for them


@dataclass(frozen=True, slots=True)
class Counts:
    """``demand`` (S, Q; NaN where missing) of ``names`` (S,), and all calls ``total`` (Q,), by quarter-hours from
    ``start`` (with its zone) on."""

    names: Sequence[str]
    demand: Array
    total: Array
    start: datetime

    def hours(self) -> NDArray[np.intp]:
        return hours_of_week(self.start, len(self.total))


@dataclass(frozen=True, slots=True)
class Learnt:
    """What is usual of each signal and of all calls, and from where on it is not."""

    signals: HourModel
    calls: HourModel
    thresholds: Thresholds


def learn(past: Counts, seed: int, *, per_day: float = FALSE_EPISODES_A_DAY, null_cells: int = _NULL_CELLS) -> Learnt:
    """From at least four weeks; raises :class:`HistoryError` where no signal has them.

    Thresholds keep ``per_day`` false episodes over all signals, in simulated stretches of ``null_cells``
    series times quarter-hours at the most.
    """
    hours = past.hours()
    signals = hourly.fit(past.demand, hours, past.total)
    rng = np.random.default_rng(seed)
    time = Time(hours, past.total, hours[:_JUDGED_WEEK])
    known = signals.known()
    if not len(known.hourly):
        raise HistoryError(f"no signal was counted for {hourly.LEAST_WEEKS} weeks since it last changed")
    enough = math.ceil(_NULL_EPISODES * len(past.names) / (per_day / 2 * 7 * len(known.hourly)))
    times = max(1, min(enough, null_cells // (len(known.hourly) * (len(hours) + _JUDGED_WEEK))))
    null = together([null_year(known, time, rng) for _ in range(times)])
    calls = hourly.fit(past.total[np.newaxis], hours, past.total)
    return Learnt(signals, calls, calibrate(null, len(past.names), per_day))


@dataclass(frozen=True, slots=True)
class Exceedance:
    """``name`` is unusual now, since the quarter-hour that began at ``since``. ``score``: standard deviations of the
    most unusual window that ends now; ``rank``: 1 is to be looked at first."""

    name: str
    kind: Kind
    since: datetime
    score: float
    rank: int


@dataclass(frozen=True, slots=True)
class Look:
    """``recent`` counts as they were judged: by count and by share of all calls, and where either is up, (S, Q)."""

    recent: Counts
    thresholds: Thresholds
    by_count: Watched
    by_share: Watched

    def exceedances(self) -> list[Exceedance]:
        """What is unusual in the last quarter-hour, by rank."""
        count_up, share_up = (self.thresholds.exceeded(each) for each in (self.by_count, self.by_share))
        ongoing = {each.series: each for each in episodes(count_up | share_up, APART)}  # the last one of each series
        score = np.where(count_up[:, -1], self.by_count.windows[:, -1], self.by_share.windows[:, -1])
        place = ranks(special.ndtr(-np.nan_to_num(self.by_count.windows[:, -1], nan=0.0)))
        found = []
        for series, name in enumerate(self.recent.names):
            kind = kind_of(bool(count_up[series, -1]), bool(share_up[series, -1]))
            if kind is not None:
                since = self.recent.start + ongoing[series].start * QUARTER
                found.append(Exceedance(name, kind, since, float(score[series]), int(place[series])))
        return sorted(found, key=lambda each: each.rank)

    def quiet(self, steps: int = _QUIET) -> NDArray[np.bool_]:
        """(S,): whether the windows of the last ``steps`` quarter-hours (48 hours) were all below the bound.

        Not the CUSUM, which comes down for days after a surge that was strong. Not counted is not below.
        """
        with np.errstate(invalid="ignore"):
            return fading(np.asarray(self.by_count.windows <= self.thresholds.windows), steps)


def look(learnt: Learnt, recent: Counts) -> Look:
    """Judge ``recent``: some days, the last quarter-hour of them now."""
    hours = recent.hours()
    by_count = hourly.watch(learnt.signals, recent.demand, hours)
    by_share = hourly.watch(learnt.signals, recent.demand, hours, _busier(learnt, recent.total, hours))
    return Look(recent, learnt.thresholds, by_count, by_share)


def screen(learnt: Learnt, recent: Counts) -> list[Exceedance]:
    """What is unusual in the last quarter-hour of ``recent`` (some days, the last of them judged), by rank."""
    return look(learnt, recent).exceedances()


def _busier(learnt: Learnt, total: Array, hours: NDArray[np.intp]) -> Array:
    """(Q,): all calls of the last four hours over what is usual; NaN where one of these was not counted."""
    usual = learnt.calls.hourly[0, hours] / 4
    missing = np.isnan(total)
    counted = (np.where(missing, 0.0, total), usual, missing)
    observed_until, usual_until, missing_until = (np.concatenate([[0.0], np.cumsum(each)]) for each in counted)
    end = np.arange(1, len(total) + 1)
    begin = np.maximum(end - _SHARE_WINDOW, 0)
    busier = (observed_until[end] - observed_until[begin]) / (usual_until[end] - usual_until[begin])
    whole = missing_until[end] == missing_until[begin]
    return np.where(whole, np.maximum(busier, 0.1), np.nan)
