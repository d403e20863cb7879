"""From where on EARS may tell of a day: its part of the budget of false episodes, by simulated years without a surge.

EARS' own level says little here: with a baseline of seven days the tails of its statistic are heavy. Of 200 series from
2 to 100 calls a day it told 3.7 false episodes a day, with this bound 0.24 (``test_daily_budget.py``).
"""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np

from alerts.surveillance import ears
from alerts.surveillance.budget import lowest
from alerts.surveillance.control import EarsControl
from alerts.surveillance.daily import Z, day_factors
from alerts.surveillance.days import kind_of_day
from alerts.surveillance.glm import Array
from alerts.surveillance.hourly import FEWEST

NULL_CELLS = 400_000
"""Series times days that are simulated: a quarter of a second."""

_YEAR = 365
_RECENT = 3  # days before the judged one that say nothing of what is usual: a surge may have begun
_SHRUNK = 20.0  # days' worth of what all series together say of their variance, in that of each


def bound(demand: Array, total: Array, first_day: date, per_day: float, seed: int) -> float:
    """Standard deviations of C2 from which on at most ``per_day`` false episodes are told over all series.

    ``demand`` (S, D; NaN where missing) and all calls ``total`` (D,) by day, the last of them judged. Never below
    :data:`~alerts.surveillance.daily.Z`. Raises :class:`HistoryError` where nothing was counted.
    """
    factors = day_factors(total, first_day)
    past = demand[:, :-_RECENT]
    past = past[(~np.isnan(past)).sum(axis=1) > 1]
    if not len(past):
        return Z
    means, excess = _usual(past, factors[_kinds(first_day, past.shape[1])])
    ahead = factors[_kinds(first_day, _YEAR)]
    rng = np.random.default_rng(seed)
    years = max(1, NULL_CELLS // (len(past) * _YEAR))
    scores = np.vstack([_null_year(means, excess, ahead, rng) for _ in range(years)])
    return max(Z, lowest(scores, per_day * scores.shape[1] * years, apart=1))


def _usual(past: Array, factors: Array) -> tuple[Array, Array]:
    """Of each series (S, 1) the mean of a day, and by how much the square of it varies beyond Poisson."""
    adjusted = past / factors
    days = (~np.isnan(adjusted)).sum(axis=1, keepdims=True)
    means = np.maximum(np.nanmean(adjusted, axis=1, keepdims=True), 1e-3)
    more = np.nansum((adjusted - means) ** 2 * days / (days - 1) - means / factors, axis=1, keepdims=True)
    square = means**2
    pooled = more.sum() / (days * square).sum()
    return means, np.maximum((more + _SHRUNK * pooled * square) / ((days + _SHRUNK) * square), 0.0)


def _null_year(means: Array, excess: Array, factors: Array, rng: np.random.Generator) -> Array:
    """C2 of each day of a year without a surge, (S, days): judged as a live day is."""
    shape = (len(means), len(factors))
    some = np.maximum(excess, 1e-9)
    moved = np.where(excess > 1e-9, rng.gamma(np.broadcast_to(1 / some, shape), some), 1.0)
    counts = rng.poisson(means * factors * moved).astype(float)
    control = EarsControl(minSigma=1.0)
    days = range(ears.first_day("C2", control), len(factors) + 1)
    found = ears.judge(counts / factors, days, "C2", control)
    told = counts[:, [day - 1 for day in days]] >= FEWEST
    return np.where(told, found.score * Z, 0.0)


def _kinds(first_day: date, days: int) -> list[int]:
    return [kind_of_day(first_day + timedelta(days=each)) for each in range(days)]
