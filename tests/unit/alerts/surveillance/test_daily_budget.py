"""The bound of EARS by days: two made-up years without a surge, one to set it by, one to count false episodes in.

And what Farrington Flexible, whose level is shared out, tells in such years.
"""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest

from alerts.surges.weekly import FALSE_A_DAY, SHARED_OUT
from alerts.surveillance.daily import IMPROVED, Z, judge_days, judge_week
from alerts.surveillance.daily_budget import bound
from alerts.surveillance.episodes import count_episodes
from alerts.surveillance.glm import Array

MONDAY = date(2026, 1, 5)
SERIES = 200
PER_DAY = 0.25


def made_up(days: int, seed: int, varies: float) -> tuple[Array, Array]:
    """(S, D) counts from 2 to 100 a day, half as many again at weekends, and of all calls."""
    rng = np.random.default_rng(seed)
    shape = np.where(np.arange(days) % 7 >= 5, 1.5, 1.0)
    means = np.geomspace(2, 100, SERIES)[:, None] * shape
    counts = rng.poisson(means * rng.gamma(1 / varies, varies, means.shape)).astype(float)
    return counts, 50_000 * shape


def false_episodes_a_day(from_: float, varies: float) -> float:
    counts, total = made_up(365, 2, varies)
    found = judge_days(counts, total, MONDAY)
    told = (found.score * Z > from_) & (found.observed >= 5)
    return count_episodes(told, 1) / told.shape[1]


def test_a_year_without_a_surge_keeps_the_budget_of_days() -> None:
    for varies in (0.01, 0.1):
        known = bound(*made_up(28, 1, varies), MONDAY, PER_DAY, seed=3)

        assert false_episodes_a_day(known, varies) <= PER_DAY * 1.3
        assert false_episodes_a_day(Z, varies) > 2 * PER_DAY  # what EARS' own level would tell


@pytest.mark.slow
@pytest.mark.parametrize("varies", [0.02, 0.1])
def test_two_months_without_a_surge_keep_the_budget_of_weeks(varies: float) -> None:
    """Farrington Flexible has no bound of its own by simulation: its level is shared out over the series."""
    counts, _ = made_up(6 * 364 + 60, 5, varies)
    control = IMPROVED.model_copy(update={"alpha": SHARED_OUT / SERIES})
    told = []
    for day in range(60, 0, -1):
        found = judge_week(counts[:, :-day], MONDAY, control)
        told.append(found.alarm[:, 0] & (found.observed[:, 0] >= 5))
    episodes = count_episodes(np.array(told).T, 1) / len(told)
    print(f"\n{episodes:.2f} false episodes a day over {SERIES} series")
    assert episodes <= FALSE_A_DAY


def test_a_surge_of_the_last_days_does_not_hide_itself() -> None:
    counts, total = made_up(28, 1, 0.05)
    usual = bound(counts, total, MONDAY, PER_DAY, seed=3)
    counts[150:, -2:] *= 3

    assert bound(counts, total, MONDAY, PER_DAY, seed=3) == usual


def test_few_series_are_told_from_the_level_of_ears_itself() -> None:
    counts, total = made_up(28, 1, 0.01)

    assert bound(counts[:1], total, MONDAY, PER_DAY, seed=3) == Z


def test_a_signal_of_two_days_and_one_never_counted_leave_a_bound() -> None:
    counts, total = made_up(28, 1, 0.01)
    counts[0, :-2] = np.nan
    counts[1] = np.nan
    counts[2] = 0.0

    assert bound(counts, total, MONDAY, PER_DAY, seed=3) > Z
    assert bound(counts[:2], total, MONDAY, PER_DAY, seed=3) == Z
