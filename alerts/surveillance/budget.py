"""How much must be seen before a person is told: at most two false episodes a day, over all series.

The thresholds come from null years: years without a surge, simulated from the models that were fitted, and judged as
live counts are. Half of the budget goes to the windows, half to the CUSUM. What the model does not know (a strike, a
football final) is not in it, which is why people decide.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from alerts.surveillance.episodes import count_episodes
from alerts.surveillance.glm import Array
from alerts.surveillance.hourly import WINDOWS_H, HourModel, Watched, fit, watch

FALSE_EPISODES_A_DAY = 2.0
APART = 96  # quarter-hours; alarms within a day of each other are one episode
_DAY = 96
_RUN_UP = 6 * _DAY  # a live look, too, sees six days before the one that it judges; the CUSUM starts at 0


@dataclass(frozen=True, slots=True)
class Thresholds:
    """From where on a window's residual, or the CUSUM, is an exceedance."""

    windows: float
    cusum: float

    def exceeded(self, watched: Watched) -> NDArray[np.bool_]:
        """(S, Q); False where nothing can be said."""
        with np.errstate(invalid="ignore"):
            return np.asarray((watched.windows > self.windows) | (watched.cusum > self.cusum))


def null_counts(model: HourModel, hours: NDArray[np.intp], rng: np.random.Generator) -> Array:
    """Quarter-hours (S, Q) without a surge, as dispersed from hour to hour and from day to day as the model says."""
    series, quarters = len(model.hourly), len(hours)
    days = -(-quarters // _DAY)
    expected = model.hourly[:, np.resize(hours, days * _DAY)[::4]]
    within = model.dispersed(0, expected) - 1
    by_day = expected.reshape(series, days, 24)
    a_day = by_day.sum(axis=2)
    of_hours = (by_day * within.reshape(series, days, 24)).sum(axis=2) / a_day
    moved = _gamma((model.dispersed(len(WINDOWS_H) - 1, a_day) - 1 - of_hours).clip(0) / a_day, rng)
    expected = expected * np.repeat(moved, 24, axis=1) * _gamma(within / expected, rng)
    return rng.poisson(np.repeat(expected / 4, 4, axis=1)[:, :quarters]).astype(float)


def _gamma(variance: Array, rng: np.random.Generator) -> Array:
    """Factors with mean 1 and this variance; 1 where there is none."""
    some = np.maximum(variance, 1e-9)
    return np.where(variance > 1e-9, rng.gamma(1 / some, some), 1.0)


def calibrate(watched: Watched, series: int, per_day: float = FALSE_EPISODES_A_DAY) -> Thresholds:
    """Thresholds that keep ``per_day`` over ``series`` series, from null years in ``watched``.

    The simulated ones may be fewer: the budget is shared out by series and day.
    """
    days = watched.windows.shape[1] / _DAY
    half = per_day / 2 * days * len(watched.windows) / series
    return Thresholds(lowest(watched.windows, half, APART), lowest(watched.cusum, half, APART))


def lowest(scores: Array, allowed: float, apart: int) -> float:
    """The lowest threshold with at most ``allowed`` episodes over ``scores`` (S, T), to a hundredth."""
    low, high = 0.0, float(np.nanmax(scores)) + 0.01
    while high - low > 0.01:
        middle = (low + high) / 2
        with np.errstate(invalid="ignore"):
            many = count_episodes(np.asarray(scores > middle), apart) > allowed
        low, high = (middle, high) if many else (low, middle)
    return high


@dataclass(frozen=True, slots=True)
class Time:
    """``past`` (P,) and ``ahead`` (Q,): hours of the week to learn from and to judge; ``total`` (P,): past calls."""

    past: NDArray[np.intp]
    total: Array
    ahead: NDArray[np.intp]


def null_year(model: HourModel, time: Time, rng: np.random.Generator) -> Watched:
    """A stretch without a surge, judged as a live one is: by a model learnt from its own past.

    What is wrong with a model that saw few weeks is so part of the noise that the thresholds allow for.
    """
    counts = null_counts(model, np.concatenate([time.past, time.ahead]), rng)
    learnt = fit(counts[:, : len(time.past)], time.past, time.total)
    seen = len(time.past) - _RUN_UP
    found = watch(learnt, counts[:, seen:], np.concatenate([time.past[seen:], time.ahead]))
    return Watched(found.windows[:, _RUN_UP:], found.cusum[:, _RUN_UP:])


def together(watched: Sequence[Watched]) -> Watched:
    """Several stretches of the same length, as one of more series."""
    return Watched(np.vstack([each.windows for each in watched]), np.vstack([each.cusum for each in watched]))
