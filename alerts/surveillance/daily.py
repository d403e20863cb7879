"""From raw daily counts to what the daily detectors may be given: never a raw day (docs/surveillance.md)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
from numpy.typing import NDArray

from alerts.surveillance import ears, farrington
from alerts.surveillance.calendar import BANK_HOLIDAY, kind_of_day
from alerts.surveillance.control import EarsControl, FarringtonControl
from alerts.surveillance.errors import HistoryError
from alerts.surveillance.glm import Array
from alerts.surveillance.model import Judged

_EPOCH = date(1970, 1, 1)
_SUNDAY = 6
Z = 3.090
"""Standard deviations from which EARS finds at its own level of 0.001: a score of 1."""

LEAST_YEARS = 3
LEAST_DAYS_OF_A_KIND = 4
IMPROVED = FarringtonControl(
    b=LEAST_YEARS, noPeriods=10, pastWeeksNotIncluded=26, pThresholdTrend=1, thresholdMethod="nbPlugin", alpha=0.01
)


@dataclass(frozen=True, slots=True)
class WeeklySums:
    """``sums`` (S, W) of seven days each; ``days``: the last day of each, since 1970-01-01."""

    sums: Array
    days: tuple[int, ...]


def weekly_sums(counts: Array, last_day: date) -> WeeklySums:
    """Seven-day sums of daily ``counts`` (S, D), the last one ending on ``last_day``: yesterday, for live use.

    All end on the same weekday, so that each week has each day once. A week with a day not counted is NaN.
    """
    weeks = counts.shape[1] // 7
    sums = counts[:, counts.shape[1] - 7 * weeks :].reshape(len(counts), weeks, 7).sum(axis=2)
    last = (last_day - _EPOCH).days
    return WeeklySums(sums, tuple(last - 7 * back for back in range(weeks - 1, -1, -1)))


def judge_week(counts: Array, last_day: date, control: FarringtonControl = IMPROVED) -> Judged:
    """Farrington Flexible on the week that ends on ``last_day``, from daily ``counts`` (S, D).

    Looks back five years where they are there, three at the least; else raises :class:`HistoryError`. A series that
    was first counted, or broke, less than three years ago is undecided.
    """
    weekly = weekly_sums(counts, last_day)
    before = weekly.sums[:, : max(0, len(weekly.days) - 52 * LEAST_YEARS)]
    old = np.asarray(~np.isnan(before).all(axis=1, keepdims=True))
    weeks = len(weekly.days)
    if weeks == 0:
        raise HistoryError("Farrington Flexible needs whole weeks")
    for years in (5, 4, LEAST_YEARS):
        try:
            found = farrington.judge(weekly.sums, [weeks], control.model_copy(update={"b": years}), weekly.days)
            return _only(found, old)
        except HistoryError:
            continue
    raise HistoryError(
        f"Farrington Flexible needs {LEAST_YEARS} years of weeks: the hour-of-week model carries until then"
    )


def _only(found: Judged, decided: NDArray[np.bool_]) -> Judged:
    """``found`` without what is said of series that are not to be decided on."""
    expected, bound, score = (np.where(decided, each, np.nan) for each in (found.expected, found.bound, found.score))
    return Judged(found.observed, expected, bound, found.alarm & decided, score, found.undecided | ~decided)


def day_factors(total: Array, first_day: date) -> Array:
    """(8,): calls of all kinds on Monday … Sunday and on bank holidays, over the mean day, from ``total`` (D,).

    A kind of day seen fewer than four times has the factor of a Sunday, and a Sunday then 1.
    """
    if np.isnan(total).all():
        raise HistoryError("no day has a count of all calls")
    kinds = _kinds(first_day, len(total))
    mean = float(np.nanmean(total)) or 1.0
    factors = np.ones(BANK_HOLIDAY + 1)
    for kind in (_SUNDAY, *range(_SUNDAY), BANK_HOLIDAY):
        of_kind = total[(kinds == kind) & ~np.isnan(total)]
        factors[kind] = of_kind.mean() / mean if len(of_kind) >= LEAST_DAYS_OF_A_KIND else factors[_SUNDAY]
    return np.maximum(factors, 0.05)


def judge_days(counts: Array, total: Array, first_day: date, variant: ears.Variant = "C2") -> Judged:
    """EARS on every day of ``counts`` (S, D) that has the history, divided by what such a day brings in all calls.

    Bounds and counts in the answer are those of the day itself. A deviation of less than 1 counts as 1, so that one
    call after days without any is no alarm.
    """
    control = EarsControl(minSigma=1.0)
    factors = day_factors(total, first_day)[_kinds(first_day, counts.shape[1])]
    days = range(ears.first_day(variant, control), counts.shape[1] + 1)
    if not days:
        raise HistoryError("EARS needs ten days")
    found = ears.judge(counts / factors, days, variant, control)
    back = factors[np.array(days) - 1]
    return Judged(found.observed * back, found.expected * back, found.bound * back, found.alarm, found.score,
                  found.undecided)  # fmt: skip


def _kinds(first_day: date, days: int) -> NDArray[np.intp]:
    return np.array([kind_of_day(first_day + timedelta(days=each)) for each in range(days)])
