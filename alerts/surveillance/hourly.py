"""The hour-of-week model: is this more than usual for this hour, day or night? Judged every 15 minutes.

A negative binomial count for each series and hour of London's week. What is usual for an hour of a series is its own
mean, drawn towards the series' level times the week's shape of all calls, which is known well from the first weeks
on; so the model carries the first year, before Farrington has its three. Two statistics:

- windows of 1 to 24 hours, ending now: Anscombe's residual of the sum (as Farrington et al. 1996, 3.6);
- a CUSUM of the residuals of whole hours (Page 1954, Biometrika 41, 100), for slow rises.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from alerts.surveillance.calendar import HOURS_A_WEEK
from alerts.surveillance.days import WINDOWS_H as WINDOWS_H
from alerts.surveillance.errors import HistoryError
from alerts.surveillance.glm import Array

LEAST_WEEKS = 4  # of each hour of the week four have been seen
FEWEST = 5  # cases in a window, below which nothing is said: small numbers leave no house
_PRIOR_CASES = 20.0  # the shape of all calls weighs as much as this many cases of the series' own
_SLACK = 0.5  # of the CUSUM: half of a rise by one standard deviation, which it is then quickest to find
_LEAST_MEAN = 1e-3  # cases an hour; a series never heard of is not expected never


@dataclass(frozen=True, slots=True)
class HourModel:
    """``hourly`` (S, 168): expected cases in an hour, NaN where too little is known.

    The variance over the mean of a window is ``dispersion`` (S, windows) where as much as in the mean of the week is
    expected, and what is ``rising`` (S, windows) of it goes up and down with what is expected. At least 1.
    """

    hourly: Array
    dispersion: Array
    rising: Array

    def of(self, rows: NDArray[np.bool_] | Sequence[int]) -> HourModel:
        """The part of some series."""
        return HourModel(self.hourly[rows], self.dispersion[rows], self.rising[rows])

    def known(self) -> HourModel:
        """The part of it of which enough is known."""
        return self.of(~np.isnan(self.hourly[:, 0]))

    def dispersed(self, window: int, usual: Array) -> Array:
        """Variance over mean of windows of ``WINDOWS_H[window]`` hours of which ``usual`` (S, T) cases are expected."""
        mean = self.hourly.mean(axis=1, keepdims=True) * WINDOWS_H[window]
        rising = self.rising[:, [window]]
        return np.asarray(np.maximum(self.dispersion[:, [window]] - rising + rising / mean * usual, 1.0))


@dataclass(frozen=True, slots=True)
class Watched:
    """(S, Q): the largest standardised residual of the windows that end with a quarter-hour, and the CUSUM after the
    last whole hour. NaN where every window reaches back before the first count, or over one that is missing."""

    windows: Array
    cusum: Array


def fit(counts: Array, hours: NDArray[np.intp], total: Array) -> HourModel:
    """What is usual, from quarter-hours ``counts`` (S, Q; NaN where missing), their ``hours`` of the week (Q,) and
    the calls of all kinds ``total`` (Q,). Raises :class:`HistoryError` under four weeks.

    A series of which less than four weeks were counted, as after a new menu, has a model of NaN: nothing is said of it.
    """
    if counts.shape[1] < LEAST_WEEKS * HOURS_A_WEEK * 4:
        raise HistoryError(f"the hour-of-week model needs {LEAST_WEEKS} weeks of quarter-hours")
    cells = np.equal.outer(hours, np.arange(HOURS_A_WEEK)).astype(float)
    seen = ~np.isnan(counts)
    cases, quarters = np.where(seen, counts, 0.0) @ cells, seen @ cells
    known = ~np.isnan(total)
    shape = (np.where(known, total, 0.0) @ cells) / np.maximum(known @ cells, 1)
    shape = np.maximum(shape, _LEAST_MEAN) / np.maximum(shape, _LEAST_MEAN).mean()
    # The level that makes the shape of all calls fit the series' own sum.
    level = np.maximum(cases.sum(axis=1) / np.maximum(quarters @ shape, 1), _LEAST_MEAN / 4)
    usual = level[:, None] * shape
    weight = _PRIOR_CASES / usual.sum(axis=1, keepdims=True) * HOURS_A_WEEK
    quarterly = (cases + weight * usual) / (quarters + weight)
    hourly = np.maximum(4 * quarterly, _LEAST_MEAN)
    hourly[seen.sum(axis=1) < LEAST_WEEKS * HOURS_A_WEEK * 4] = np.nan
    return HourModel(hourly, *_dispersions(hourly, counts, hours, _left(quarters, weight)))


def _left(quarters: Array, weight: Array) -> Array:
    """(S, 1): how much of the variance is left about means that the same counts have set: as n - 1 for n."""
    seen = quarters.mean(axis=1, keepdims=True)
    own, weeks = seen / (seen + weight), np.maximum(seen / 4, 1)
    return np.asarray(1 - 2 * own / weeks + own**2 / weeks)


def _dispersions(hourly: Array, counts: Array, hours: NDArray[np.intp], left: Array) -> tuple[Array, Array]:
    """``dispersion`` and ``rising``, from windows that do not overlap; longer ones also vary from day to day."""
    expected = hourly[:, hours] / 4
    at_mean, rising = [], []
    for window in WINDOWS_H:
        whole = counts.shape[1] // (4 * window) * 4 * window
        shape = (len(counts), -1, 4 * window)
        sums, means = (each[:, :whole].reshape(shape).sum(axis=2) for each in (counts, expected))
        excess = (sums - means) ** 2 / (means * left) - 1
        level, slope = _nonnegative_line(means / (hourly.mean(axis=1, keepdims=True) * window), excess, means)
        at_mean.append(1 + level + slope)
        rising.append(slope)
    return np.stack(at_mean, axis=1), np.stack(rising, axis=1)


def _nonnegative_line(x: Array, y: Array, means: Array) -> tuple[Array, Array]:
    """Level and slope (S,), neither below 0, of y (S, T; NaN is left out) by x: least squares, each point weighted by
    what Pearson's statistic of a Poisson count with its mean varies (2 + 1 / mean)."""
    known = ~np.isnan(y)
    weight = np.where(known, means / (1 + 2 * means), 0.0)
    x, y = np.where(known, x, 0.0), np.where(known, y, 0.0)
    n, sx, sy, sxx, sxy = (np.nansum(weight * each, axis=1) for each in (1.0, x, y, x * x, x * y))
    n, sxx, spread = np.maximum(n, 1e-12), np.maximum(sxx, 1e-12), n * sxx - sx**2
    slope = np.where(spread > 1e-9 * n * sxx, (n * sxy - sx * sy) / np.maximum(spread, 1e-12), 0.0)
    level = (sy - slope * sx) / n
    flat, steep = slope <= 0, (level < 0) & (slope > 0)
    slope = np.where(flat, 0.0, np.where(steep, np.maximum(sxy / sxx, 0.0), slope))
    level = np.where(flat, np.maximum(sy / n, 0.0), np.where(steep, 0.0, level))
    return level, slope


def watch(model: HourModel, counts: Array, hours: NDArray[np.intp], scale: Array | None = None) -> Watched:
    """Judge each quarter-hour of ``counts`` (S, Q).

    ``scale`` (Q,): all calls over what was usual for them, to judge the *share* of a signal and not its count.
    """
    expected = model.hourly[:, hours] / 4 * (1.0 if scale is None else scale)
    missing = np.isnan(counts) | np.isnan(expected)
    until = [_running(np.where(missing, 0.0, each)) for each in (counts, expected)]
    missing_until = _running(missing.astype(float))
    best = np.full(counts.shape, np.nan)
    for place, window in enumerate(WINDOWS_H):
        width = 4 * window
        if counts.shape[1] < width:
            break
        observed, usual = (each[:, width:] - each[:, :-width] for each in until)
        score = residual(observed, np.maximum(usual, _LEAST_MEAN), model.dispersed(place, usual))
        score = np.where(observed >= FEWEST, score, 0.0)
        score[missing_until[:, width:] > missing_until[:, :-width]] = np.nan
        best[:, width - 1 :] = np.fmax(best[:, width - 1 :], score)
    return Watched(best, _cusum(model, counts, expected))


def residual(observed: Array, usual: Array, dispersion: Array) -> Array:
    """Anscombe's residual: nearly standard normal where all is usual."""
    found: Array = 1.5 * (observed ** (2 / 3) - usual ** (2 / 3)) / (usual ** (1 / 6) * np.sqrt(dispersion))
    return found


def _running(values: Array) -> Array:
    """Sums from the start, (S, Q + 1)."""
    return np.concatenate([np.zeros((len(values), 1)), np.cumsum(values, axis=1)], axis=1)


def _cusum(model: HourModel, counts: Array, expected: Array) -> Array:
    """(S, Q); hours are counted from the first quarter. An hour that is missing leaves the sum as it was."""
    whole = counts.shape[1] // 4
    shape = (len(counts), whole, 4)
    observed, usual = (each[:, : 4 * whole].reshape(shape).sum(axis=2) for each in (counts, expected))
    rises = np.nan_to_num(residual(observed, usual, model.dispersed(0, usual)) - _SLACK, nan=0.0)
    sums = np.zeros((len(counts), whole + 1))
    for hour in range(whole):
        np.maximum(sums[:, hour] + rises[:, hour], 0.0, out=sums[:, hour + 1])
    # A whole hour is known with its last quarter.
    after: Array = np.repeat(sums, 4, axis=1)[:, 1 : counts.shape[1] + 1]
    return after
