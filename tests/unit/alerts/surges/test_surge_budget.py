"""The whole budget: false episodes of all detectors together, on boards without a surge, judged as live counts are.

Each week what is usual is learnt anew, each quarter-hour is judged by hours; each day yesterday by EARS, of what a new
menu has broken, and the week that ended yesterday by Farrington Flexible. The made-up worlds are drawn from none of the
models, and their seeds have set no threshold.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import special

from alerts.surges import weekly
from alerts.surges.archive import EPOCH
from alerts.surges.daily import days_of, judge_yesterday
from alerts.surges.history import A_DAY, History
from alerts.surges.model import EVERYWHERE, Found, Series, quarter_of, start_of
from alerts.surges.screening import BY_HOURS, JUDGED, LEARN_FROM, LEAST_BOUND, NULL_CELLS
from alerts.surveillance import live
from alerts.surveillance.budget import APART, FALSE_EPISODES_A_DAY, Thresholds
from alerts.surveillance.calendar import hours_of_week
from alerts.surveillance.days import kind_of_day
from alerts.surveillance.episodes import count_episodes
from alerts.surveillance.glm import Array

BEGIN = quarter_of(datetime(2025, 10, 27, tzinfo=UTC))  # a Monday, in winter: London's days are those of UTC
LEARNT_DAYS = LEARN_FROM // A_DAY
YEARS = 5 * 371 + 60  # days before, as Farrington looks back
DAYS = 84
NEW_MENU_EVERY = 42  # days; each is another menu for a fifth of the series
BY_DAY = 0.06**2
SERIES = 200
AT_CHRISTMAS = "of those by weeks, around Christmas"
SEEDS = (401, 402)


@dataclass(frozen=True, slots=True)
class World:
    """``quarters`` (S, Q) from :data:`BEGIN` on and ``days`` (S, D) of the years before, with all calls of both."""

    series: tuple[Series, ...]
    quarters: Array
    calls: Array
    days: Array
    calls_by_day: Array


def made_up(series: int, seed: int, by_hour: float) -> World:
    """From 0.05 to 30 callers an hour; rates vary by gamma factors from hour to hour and from day to day."""
    rng = np.random.default_rng([seed, int(1000 * by_hour)])
    days = LEARNT_DAYS + DAYS
    hours = hours_of_week(start_of(BEGIN), days * A_DAY)
    shape = 1 + 0.75 * np.sin(2 * np.pi * (np.arange(168) % 24 - 13) / 24) + 0.5 * (np.arange(168) >= 120)
    shape /= shape.mean()
    level = np.exp(rng.uniform(np.log(0.05), np.log(30), (series, 1)))
    mean = level * shape[hours] / 4 * np.repeat(rng.gamma(1 / BY_DAY, BY_DAY, (series, days)), A_DAY, axis=1)
    mean *= np.repeat(rng.gamma(1 / by_hour, by_hour, (series, days * 24)), 4, axis=1)
    kinds = [kind_of_day(start_of(BEGIN).date() - timedelta(days=each)) for each in range(YEARS, 0, -1)]
    of_days = shape.reshape(7, 24).sum(axis=1)[np.minimum(kinds, 6)]
    varies = BY_DAY + by_hour / 24 * 1.3  # of a day: its hours are not alike
    before = level * of_days * rng.gamma(1 / varies, varies, (series, YEARS))
    return World(
        tuple(Series(f"signal{each:04}", EVERYWHERE) for each in range(series)),
        rng.poisson(mean).astype(float), rng.poisson(300 * shape[hours]).astype(float),
        rng.poisson(before).astype(float), rng.poisson(1200 * of_days).astype(float),
    )  # fmt: skip


def history(world: World, first: int, end: int) -> History:
    """What the database would tell of these days, counted from :data:`BEGIN`."""
    part = slice(first * A_DAY, end * A_DAY)
    newest = (end - 1 - LEARNT_DAYS) // NEW_MENU_EVERY * NEW_MENU_EVERY + LEARNT_DAYS
    broken = [each.signal for each in world.series[::5]] if end > LEARNT_DAYS else []
    changed = dict.fromkeys(broken, BEGIN + newest * A_DAY)
    demand, calls = world.quarters[:, part], world.calls[part]
    return History(world.series, demand, calls, BEGIN + first * A_DAY, {}, changed)


def told_of(found: list[Found], series: tuple[Series, ...]) -> NDArray[np.bool_]:
    """(S,): of which anybody is told; a change of mix is only shown."""
    of = {each.series for each in found if each.kind != "change_of_mix"}
    return np.array([each in of for each in series])


def learn(world: World, day: int, seed: int) -> live.Learnt:
    past = history(world, day - LEARNT_DAYS, day)
    counts = replace(past, demand=past.since_changes()).counts(range(len(world.series)))
    learnt = live.learn(counts, seed=1000 * seed + day, per_day=BY_HOURS, null_cells=NULL_CELLS)
    bounds = Thresholds(max(LEAST_BOUND, learnt.thresholds.windows), max(LEAST_BOUND, learnt.thresholds.cusum))
    return replace(learnt, thresholds=bounds)


def by_week(world: World, recent: History) -> list[Found]:
    days = days_of(recent)
    begin = (days.first - EPOCH).days
    until = (start_of(BEGIN).date() - EPOCH).days
    last = begin + len(days.total) - 1
    since = (last + 1 - until) * A_DAY
    demand = np.hstack([world.days, world.quarters[:, :since].reshape(len(world.series), -1, A_DAY).sum(axis=2)])
    total = np.concatenate([world.calls_by_day, world.calls[:since].reshape(-1, A_DAY).sum(axis=1)])
    demand[[each.signal in recent.changed for each in world.series]] = np.nan
    return weekly.judge(weekly.Years(world.series, demand, total, last))


def false_episodes(world: World, seed: int) -> dict[str, int]:
    """Of twelve weeks, by method."""
    hourly: list[NDArray[np.bool_]] = []
    daily: list[NDArray[np.bool_]] = []
    weeks: list[NDArray[np.bool_]] = []
    learnt, of_day = learn(world, LEARNT_DAYS, seed), LEARNT_DAYS
    for day in range(LEARNT_DAYS, LEARNT_DAYS + DAYS):
        if day - of_day == 7:
            learnt, of_day = learn(world, day, seed), day
        now = history(world, day + 1 - JUDGED // A_DAY, day + 1)
        changed = [now.changed.get(each.signal, 0) >= BEGIN + of_day * A_DAY for each in world.series]
        known = ~np.isnan(learnt.signals.hourly[:, 0]) & ~np.array(changed)
        look = live.look(learnt, now.counts(range(len(world.series))))
        hourly.append(known[:, None] & look.thresholds.exceeded(look.by_count)[:, -A_DAY:])
        recent = history(world, day - LEARNT_DAYS + 1, day + 1)
        whole = replace(recent, demand=np.pad(recent.since_changes(), ((0, 0), (0, 8))),
                        total=np.pad(recent.total, (0, 8)))  # fmt: skip
        daily.append(told_of(judge_yesterday(whole, list(np.flatnonzero(~known))), world.series))
        weeks.append(told_of(by_week(world, whole), world.series))
    return {
        "by hours": count_episodes(np.hstack(hourly), APART),
        "by days": count_episodes(np.array(daily).T, 2),
        "by weeks": count_episodes(np.array(weeks).T, 2),
        AT_CHRISTMAS: count_episodes(np.array(weeks)[:18].T, 2),  # weeks with a bank holiday among their days
    }


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("by_hour", [0.1, 0.3])
def test_boards_without_a_surge_keep_the_whole_budget(by_hour: float) -> None:
    found: Counter[str] = Counter()
    for seed in SEEDS:
        found += Counter(false_episodes(made_up(SERIES, seed, by_hour), seed))

    days = DAYS * len(SEEDS)
    total = found.total() - found[AT_CHRISTMAS]
    low, high = special.gammaincinv([total, total + 1], [0.025, 0.975]) / days  # of a Poisson count (Garwood 1936)
    print(f"\n{total / days:.2f} ({low:.2f} to {high:.2f}) false episodes a day, by hour {by_hour}: {dict(found)}")
    assert total / days <= FALSE_EPISODES_A_DAY
