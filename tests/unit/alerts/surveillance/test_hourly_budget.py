"""False episodes of the hour-of-week model over a whole board, learnt weekly and judged daily as live counts are.

The made-up worlds are not drawn from the model: rates vary by gamma factors from hour to hour and from day to day, each
series on its own, and nobody tells the model by how much.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from alerts.surveillance import hourly, live
from alerts.surveillance.budget import APART, Thresholds
from alerts.surveillance.calendar import hours_of_week
from alerts.surveillance.episodes import count_episodes
from alerts.surveillance.glm import Array

START = datetime(2026, 1, 19, tzinfo=UTC)
DAY = 96
LEARNT_FROM = 56
PER_DAY = 1.25
LEAST_BOUND = 3.0


def made_up(series: int, days: int, seed: int, by_hour: float, by_day: float = 0.06**2) -> tuple[Array, Array]:
    """(S, Q) from 0.05 to 30 callers an hour, with these variances of the factors; and of all calls (Q,)."""
    rng = np.random.default_rng(seed)
    hours = hours_of_week(START, days * DAY)
    shape = 1 + 0.75 * np.sin(2 * np.pi * (hours % 24 - 13) / 24) + 0.5 * (hours >= 120)
    shape /= shape.mean()
    mean = np.exp(rng.uniform(np.log(0.05), np.log(30), (series, 1))) * shape / 4
    mean = mean * np.repeat(rng.gamma(1 / by_day, by_day, (series, days)), DAY, axis=1)
    mean = mean * np.repeat(rng.gamma(1 / by_hour, by_hour, (series, days * 24)), 4, axis=1)
    return rng.poisson(mean).astype(float), rng.poisson(75 * shape).astype(float)


def false_episodes_a_day(series: int, days: int, seed: int, by_hour: float, null_cells: int) -> float:
    demand, total = made_up(series, LEARNT_FROM + days, seed, by_hour)
    names = [str(each) for each in range(series)]

    def counts(first: int, end: int) -> live.Counts:
        part = slice(first * DAY, end * DAY)
        return live.Counts(names, demand[:, part], total[part], START + timedelta(days=first))

    told = []
    for day in range(LEARNT_FROM, LEARNT_FROM + days):
        if (day - LEARNT_FROM) % 7 == 0:
            past = counts(day - LEARNT_FROM, day)
            learnt = live.learn(past, seed=1000 * seed + day, per_day=PER_DAY, null_cells=null_cells)
            bounds = learnt.thresholds
            bounds = Thresholds(max(LEAST_BOUND, bounds.windows), max(LEAST_BOUND, bounds.cusum))
        recent = counts(day - 6, day + 1)
        watched = hourly.watch(learnt.signals, recent.demand, recent.hours())
        told.append(bounds.exceeded(watched)[:, -DAY:])
    return count_episodes(np.hstack(told), APART) / days


def test_a_board_without_a_surge_keeps_the_budget_of_hours() -> None:
    told = false_episodes_a_day(120, 14, seed=6, by_hour=0.3, null_cells=6_000_000)

    assert told <= 1.25 * PER_DAY
    assert told > 0  # nor is it kept by never saying anything


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize(
    ("series", "seed", "by_hour"),
    [*((200, seed, by_hour) for by_hour in (0.02, 0.1, 0.3) for seed in (2, 3)), (1000, 21, 0.1), (1000, 22, 0.3)],
)
def test_twelve_weeks_without_a_surge_keep_the_budget_of_hours(series: int, seed: int, by_hour: float) -> None:
    told = false_episodes_a_day(series, 84, seed, by_hour, null_cells=40_000_000)

    print(f"\n{told:.2f} false episodes a day over {series} series, by hour {by_hour}")
    assert told <= PER_DAY * 1.2  # 105 episodes are allowed, and their deviation is a tenth of that
