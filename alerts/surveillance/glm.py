"""Many quasi-Poisson regressions at once: log link, one level for each season, at most one linear trend.

Iteratively reweighted least squares (McCullagh and Nelder 1989, 2.5) over a batch of series that share one design. The
model has one intercept for each season, and a slope, so the normal equations need no matrix: take the weighted mean of
each season from the times, and the slope stands alone. The convention of when to stop is that of R's ``glm``: start at
mu = y + 0.1, stop when the deviance changes by less than 1e-8 of itself, after 25 steps at the latest; what
depends on working weights (leverage, standard errors) is taken at the weights of the last step.

Shapes: F fits, N baseline points, G seasons. A point without a count, or with weight 0, is no part of its fit.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

TOLERANCE = 1e-8
MAX_STEPS = 25
_SMALLEST_MEAN = float(np.finfo(np.float64).eps)  # where R's log link cuts off


@dataclass(frozen=True, slots=True)
class Design:
    """What all fits of a batch share. ``times`` (N,) float; ``seasons`` (N,) integers from 0 to ``levels`` - 1."""

    times: Array
    seasons: NDArray[np.intp]
    levels: int

    def columns(self) -> Array:
        """(N, G): 1 where the point is in the season."""
        return np.equal.outer(self.seasons, np.arange(self.levels)).astype(np.float64)


@dataclass(slots=True)
class Fits:
    """The state of F regressions. ``slope`` is 0 where no trend was asked for."""

    intercepts: Array  # (F, G), on the log scale
    slope: Array  # (F,)
    mean: Array  # (F, N)
    working: Array  # (F, N): the weights of the last step
    season_weight: Array  # (F, G): their sums
    season_time: Array  # (F, G): mean time of a season under them
    slope_information: Array  # (F,): inverse of the slope's unscaled variance
    freedom: Array  # (F,): residual degrees of freedom
    converged: NDArray[np.bool_]  # (F,): False where 25 steps did not do, as when every count is 0

    def dispersion(self, counts: Array, weights: Array | None = None) -> Array:
        """Pearson's statistic over its degrees of freedom, (F,); ``weights`` in place of the working weights."""
        with np.errstate(divide="ignore", invalid="ignore"):
            residual = counts / self.mean - 1.0
            residual *= residual
            residual *= self.working if weights is None else weights
            found: Array = residual.sum(axis=1) / self.freedom
        return found

    def leverage(self, design: Design, *, trend: bool) -> Array:
        """The diagonal of the hat matrix, (F, N)."""
        with np.errstate(divide="ignore", invalid="ignore"):
            hat: Array = np.take(1.0 / self.season_weight, design.seasons, axis=1)
            if trend:
                away = design.times - np.take(self.season_time, design.seasons, axis=1)
                away *= away
                hat += away / self.slope_information[:, None]
            hat *= self.working
        return hat

    def predict(self, time: Array, season: int, *, trend: bool) -> tuple[Array, Array]:
        """At a time each (F,) of one season: the linear predictor (F,) and its variance before dispersion (F,)."""
        with np.errstate(divide="ignore", invalid="ignore"):
            eta: Array = self.intercepts[:, season] + self.slope * time
            variance: Array = 1.0 / self.season_weight[:, season]
            if trend:
                variance = variance + (time - self.season_time[:, season]) ** 2 / self.slope_information
        return eta, variance


def fit(design: Design, counts: Array, weights: Array, *, trend: bool) -> Fits:
    """Fit ``counts`` (F, N, finite) with prior ``weights`` (F, N; 0 leaves a point out)."""
    rows, width = counts.shape
    columns = design.columns()
    present = (weights > 0).astype(np.float64)
    filled = present @ columns > 0
    fits = Fits(
        intercepts=np.zeros((rows, design.levels)),
        slope=np.zeros(rows),
        mean=np.zeros((rows, width)),
        working=np.zeros((rows, width)),
        season_weight=np.zeros((rows, design.levels)),
        season_time=np.zeros((rows, design.levels)),
        slope_information=np.ones(rows),
        freedom=present.sum(axis=1) - filled.sum(axis=1) - int(trend),
        converged=np.zeros(rows, bool),
    )
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):  # a fit that fails has not converged
        _iterate(design, columns, fits, counts, weights, trend=trend)
    return fits


def _iterate(design: Design, columns: Array, fits: Fits, counts: Array, weights: Array, *, trend: bool) -> None:
    """Step until each row has converged; rows that have are written away and leave the batch."""
    times = design.times
    sums = np.hstack([columns, columns * times[:, None], columns * (times**2)[:, None]]) if trend else columns
    back = np.vstack([columns.T, times]) if trend else columns.T
    rows = np.arange(len(counts))
    mean = counts + 0.1
    eta = np.log(mean)
    log_counts = np.log(np.where(counts > 0, counts, 1.0))
    deviance = _deviance(counts, log_counts, eta, mean, weights)
    for step in range(MAX_STEPS):
        working = weights * mean
        state = _solve(sums, working, eta + counts / mean - 1.0, design.levels, trend=trend)
        eta = np.hstack([state.intercepts, state.slope[:, None]]) @ back if trend else state.intercepts @ back
        mean = np.maximum(np.exp(eta), _SMALLEST_MEAN)
        before, deviance = deviance, _deviance(counts, log_counts, eta, mean, weights)
        going = np.abs(deviance - before) >= TOLERANCE * (np.abs(deviance) + 0.1)
        done = ~going | (step == MAX_STEPS - 1)
        if done.any():
            _keep(fits, rows, done, state, mean, working)
            fits.converged[rows[done]] = ~going[done] & np.isfinite(deviance[done])
            if done.all():
                return
            rows, counts, log_counts, weights = rows[going], counts[going], log_counts[going], weights[going]
            eta, mean, deviance = eta[going], mean[going], deviance[going]


@dataclass(frozen=True, slots=True)
class _Solution:
    intercepts: Array
    slope: Array
    season_weight: Array
    season_time: Array
    slope_information: Array


def _solve(sums: Array, working: Array, response: Array, levels: int, *, trend: bool) -> _Solution:
    """One weighted least-squares step: the slope from what is left within the seasons, then the intercepts."""
    moments = working @ sums
    right = (working * response) @ sums[:, : levels * (1 + int(trend))]
    weight = moments[:, :levels]
    if not trend:
        none = np.zeros(len(working))
        level = np.where(weight > 0, right / weight, 0.0)
        return _Solution(level, none, weight, np.zeros_like(weight), none + 1.0)
    centre = np.where(weight > 0, moments[:, levels : 2 * levels] / weight, 0.0)
    information = (moments[:, 2 * levels :] - centre * moments[:, levels : 2 * levels]).sum(axis=1)
    slope = (right[:, levels:] - centre * right[:, :levels]).sum(axis=1) / information
    level = np.where(weight > 0, right[:, :levels] / weight, 0.0) - slope[:, None] * centre
    return _Solution(level, slope, weight, centre, information)


def _deviance(counts: Array, log_counts: Array, eta: Array, mean: Array, weights: Array) -> Array:
    unit = log_counts - eta
    unit *= counts
    unit -= counts
    unit += mean
    found: Array = 2.0 * np.einsum("fn,fn->f", unit, weights)
    return found


def _keep(fits: Fits, rows: NDArray[np.intp], done: NDArray[np.bool_], state: _Solution, mean: Array,
          working: Array) -> None:  # fmt: skip
    to = rows[done]
    fits.intercepts[to], fits.slope[to] = state.intercepts[done], state.slope[done]
    fits.season_weight[to], fits.season_time[to] = state.season_weight[done], state.season_time[done]
    fits.slope_information[to] = state.slope_information[done]
    fits.mean[to], fits.working[to] = mean[done], working[done]
