"""Farrington Flexible: each week against the same season of earlier years, for many series at once.

Farrington et al. 1996 (J. R. Statist. Soc. A 159, 547) as improved by Noufaily et al. 2013 (Statist. Med. 32, 1206).
Where the papers leave a choice, it is that of R's ``surveillance`` 1.20, found by comparing results.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import special

from alerts.surveillance import thresholds
from alerts.surveillance.control import FarringtonControl
from alerts.surveillance.errors import ControlError, HistoryError
from alerts.surveillance.glm import Array, Design, Fits, fit
from alerts.surveillance.model import Judged
from alerts.surveillance.reference import Baseline, Look, baseline

Origin = Literal["judged", "first counted"]
_ROWS = 256  # fits at a time: their arrays stay in the processor's cache
_OWN_FIT = 1e-12  # what leverage leaves, at least, to a count that is alone in its season: it has no residual


def judge(counts: Array, weeks: Sequence[int], control: FarringtonControl, days: Sequence[int] | None = None, *,
          origin: Origin = "judged") -> Judged:  # fmt: skip
    """Judge ``weeks`` (each from 1) of ``counts`` (S, weeks counted; NaN where a count is missing).

    ``days``: of each week the days since 1970-01-01; then years are those of the calendar. A week whose own count, or
    one of the last ``limit54[1]``, is missing has no bound; missing counts of the baseline are left out of it.
    ``origin``: "first counted" predicts as many weeks too early as the baseline begins with weeks that were not
    counted, which R does with dates; it is for comparing with R alone.
    Raises :class:`HistoryError` and :class:`ControlError` as :func:`alerts.surveillance.reference.baseline` does.
    """
    gap = control.w if control.pastWeeksNotIncluded is None else control.pastWeeksNotIncluded
    look = Look(control.b, control.w, control.noPeriods, gap, control.freq)
    alike: dict[Baseline, list[int]] = {}
    for place, week in enumerate(weeks):
        alike.setdefault(baseline(week, look, days), []).append(place)
    enough = _enough(counts, weeks, control)
    found = Judged.nothing(counts[:, [week - 1 for week in weeks]])
    for past, places in alike.items():
        _check_size(past, control)
        group = np.array([weeks[place] for place in places])
        _judge_alike(counts, group, past, control, found, np.array(places), origin)
    found.expected[~enough | np.isnan(found.bound)] = np.nan
    found.expected[found.undecided] = 0.0  # what R writes there, too: it is a baseline without a case
    found.bound[~enough] = np.nan
    found.alarm[:] = (found.score > 1) & (found.observed != 0) & ~np.isnan(found.bound)
    return found


def _enough(counts: Array, weeks: Sequence[int], control: FarringtonControl) -> NDArray[np.bool_]:
    """(S, T): whether the last weeks, the judged one included, have cases enough for an alarm (1996, 3.8)."""
    cases, period = control.limit54
    if min(weeks) < period:
        raise HistoryError(f"limit54: the last {period} weeks before t={min(weeks)} are not all counted")
    recent = np.stack([counts[:, week - period : week].sum(axis=1) for week in weeks], axis=1)
    return np.asarray(recent >= cases, bool)  # a missing count compares as False


def _check_size(past: Baseline, control: FarringtonControl) -> None:
    """Raise :class:`ControlError` where there is no count more than what is fitted to them: they say nothing then."""
    fitted = len(set(past.seasons)) + int(control.trend and control.reweight)
    if len(past.offsets) <= fitted - int(len(past.offsets) > 1 and not control.reweight):
        raise ControlError(f"{len(past.offsets)} weeks to compare with are too few for the model: make b or w larger")


def _judge_alike(counts: Array, weeks: NDArray[np.intp], past: Baseline, control: FarringtonControl, found: Judged,
                 places: NDArray[np.intp], origin: Origin) -> None:  # fmt: skip
    """All series in the weeks whose baselines lie alike, some rows at a time."""
    design = Design(np.array(past.offsets, float), np.array(past.seasons), control.noPeriods)
    indices = weeks[:, None] + np.array(past.offsets) - 1
    pairs = np.indices((len(counts), len(weeks))).reshape(2, -1)
    for start in range(0, pairs.shape[1], _ROWS):
        series, week = pairs[:, start : start + _ROWS]
        forecast = predict(design, counts[series[:, None], indices[week]], control, origin)
        here = (series, places[week])
        expected, bound, score = _bound(forecast, found.observed[here], control)
        found.expected[here], found.bound[here], found.score[here] = expected, bound, score
        found.undecided[here] = ~forecast.fitted


@dataclass(frozen=True, slots=True)
class Forecast:
    """Of each fit (F,): the linear predictor at the judged week, its variance, the dispersion (at least 1), and
    whether there is a fit at all."""

    eta: Array
    variance: Array
    dispersion: Array
    fitted: NDArray[np.bool_]


def predict(design: Design, history: Array, control: FarringtonControl, origin: Origin = "judged") -> Forecast:
    """Fit ``history`` (F, N; NaN where missing), and again without a trend where it is not to be kept."""
    season = control.noPeriods - 1
    present = ~np.isnan(history)
    counts = np.where(present, history, 0.0)
    at = np.zeros(len(counts))
    if not control.trend:
        return _forecast(*_fit(design, counts, present, control, trend=False), at, season, trend=False)
    if origin == "first counted":
        at = design.times[0] - design.times[present.argmax(axis=1)]
    fits, extra = _fit(design, counts, present, control, trend=True)
    found = _forecast(fits, extra, at, season, trend=True)
    kept = _keeps_trend(fits, extra, found, np.where(present, history, -np.inf).max(axis=1), control)
    if kept.all():
        return found
    drop = ~kept
    without = _forecast(*_fit(design, counts[drop], present[drop], control, trend=False), at[drop], season, trend=False)
    for name in ("eta", "variance", "dispersion", "fitted"):
        getattr(found, name)[drop] = getattr(without, name)
    return found


@dataclass(frozen=True, slots=True)
class _Spread:
    dispersion: Array  # of the new count, at least 1
    error: Array  # what the variances of the fit are multiplied with
    fitted: NDArray[np.bool_]  # whether the regression before reweighting came to an end


def _fit(design: Design, counts: Array, present: NDArray[np.bool_], control: FarringtonControl, *,
         trend: bool) -> tuple[Fits, _Spread]:  # fmt: skip
    """The regression, past outbreaks weighed down by their Anscombe residuals (1996, 3.6; 2013, 3.4)."""
    weights = present.astype(np.float64)
    fits = fit(design, counts, weights, trend=trend)
    dispersion = fits.dispersion(counts)
    if not control.reweight:
        return fits, _Spread(np.maximum(dispersion, 1), dispersion, fits.converged)
    with np.errstate(divide="ignore", invalid="ignore"):
        root = np.sqrt(fits.mean)
        residual = 1.5 * (np.cbrt(counts * counts / root) - root)
        room = np.maximum(1 - fits.leverage(design, trend=trend), _OWN_FIT)
        residual /= np.sqrt(np.maximum(dispersion, 1)[:, None] * room)
        weights *= np.where(residual > control.weightsThreshold, residual**-2.0, 1.0)
        weights *= (present.sum(axis=1) / weights.sum(axis=1))[:, None]
    fitted = fits.converged
    fits = fit(design, counts, weights, trend=trend)
    # R keeps the prior weights in place of the working ones here, so its standard errors use them, too.
    return fits, _Spread(np.maximum(fits.dispersion(counts), 1), fits.dispersion(counts, weights), fitted)


def _forecast(fits: Fits, spread: _Spread, at: Array, season: int, *, trend: bool) -> Forecast:
    eta, variance = fits.predict(at, season, trend=trend)
    seen = fits.season_weight[:, season] > 0  # of a season without a count nothing is known
    return Forecast(eta, variance * spread.error, spread.dispersion, spread.fitted & seen)


def _keeps_trend(fits: Fits, spread: _Spread, found: Forecast, largest: Array, control: FarringtonControl
                 ) -> NDArray[np.bool_]:  # fmt: skip
    """Significant, of at least three years, and not leading beyond anything seen (1996, 3.4)."""
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        t = fits.slope / np.sqrt(spread.error / fits.slope_information)
        p = 2 * special.stdtr(fits.freedom, -np.abs(t))
        kept: NDArray[np.bool_] = (p <= control.pThresholdTrend) & (np.exp(found.eta) <= largest)
    return kept & found.fitted & (control.b >= 3)


def _bound(forecast: Forecast, observed: Array, control: FarringtonControl) -> tuple[Array, Array, Array]:
    """Expected count, bound and score."""
    with np.errstate(over="ignore"):
        mean = np.where(forecast.fitted, np.exp(forecast.eta), np.nan)
    centre = mean
    if control.thresholdMethod == "delta":
        bound = thresholds.delta(mean, forecast.dispersion, forecast.variance, control.level, control.powertrans)
    else:
        centre = np.where(forecast.fitted, forecast.eta, np.nan)
        likely = mean if control.thresholdMethod == "nbPlugin" else thresholds.upper_mean(
            centre, forecast.variance, control.level)  # fmt: skip
        bound = thresholds.quantile(likely, forecast.dispersion, control.level)
    with np.errstate(divide="ignore", invalid="ignore"):
        score = (observed - centre) / (bound - centre)
    return mean, bound, score
