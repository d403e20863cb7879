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
from alerts.surveillance.hourly import HourModel, Watched, fit, watch

FALSE_EPISODES_A_DAY = 2.0
APART = 96  # quarter-hours; alarms within a day of each other are one episode
_DAY = 96
_WARM_UP = 2 * _DAY  # the CUSUM starts at 0, below what it is in the long run


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
    expected = model.hourly[:, hours] / 4
    series, quarters = expected.shape
    within, daily = model.dispersion[:, :1], model.dispersion[:, -1:]
    mean_day = model.hourly.mean(axis=1, keepdims=True) * 24
    days = -(-quarters // _DAY)
    moved = _gamma(np.broadcast_to((daily - within).clip(0) / mean_day, (series, days)), rng)
    expected = expected * np.repeat(moved, _DAY, axis=1)[:, :quarters]
    spread = np.maximum(within - 1, 0) / (4 * expected[:, ::4])
    moved = np.repeat(_gamma(spread, rng), 4, axis=1)[:, :quarters]
    return rng.poisson(expected * moved).astype(float)


def _gamma(variance: Array, rng: np.random.Generator) -> Array:
    """Factors with mean 1 and this variance; 1 where there is none."""
    some = np.maximum(variance, 1e-9)
    return np.where(variance > 1e-9, rng.gamma(1 / some, some), 1.0)


def calibrate(watched: Watched, series: int, per_day: float = FALSE_EPISODES_A_DAY) -> Thresholds:
    """Thresholds that keep ``per_day`` over ``series`` series, from null years in ``watched``.

    The simulated ones may be fewer: the budget is shared out by series and day.
    """
    windows, cusum = watched.windows[:, _WARM_UP:], watched.cusum[:, _WARM_UP:]
    days = windows.shape[1] / _DAY
    half = per_day / 2 * days * len(windows) / series
    return Thresholds(lowest(windows, half, APART), lowest(cusum, half, APART))


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
    return watch(learnt, counts[:, len(time.past) :], time.ahead)


def together(watched: Sequence[Watched]) -> Watched:
    """Several stretches of the same length, as one of more series."""
    return Watched(np.vstack([each.windows for each in watched]), np.vstack([each.cusum for each in watched]))
