"""EARS C1, C2 and C3: today against the days before it, for many series at once.

Hutwagner et al. 2003 (J. Urban Health 80, i89), Fricker et al. 2008 (Statist. Med. 27, 3407). C1 compares with the last
``baseline`` days; C2 leaves two days between; C3 adds up by how much C2 was above 1 on the two days before, as R does:
today's own count does not enter it (docs/surveillance.md). A standard deviation below ``minSigma`` counts as that.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from scipy import special

from alerts.surveillance.control import EarsControl
from alerts.surveillance.errors import HistoryError
from alerts.surveillance.glm import Array
from alerts.surveillance.model import Judged

Variant = Literal["C1", "C2", "C3"]
_LAG = {"C1": 0, "C2": 2, "C3": 2}
_SHORTEST = {"C1": 1, "C2": 3, "C3": 5}  # how far after the first baseline a day can be judged
_LEVEL = {"C1": 0.001, "C2": 0.001, "C3": 0.025}


def first_day(variant: Variant, control: EarsControl) -> int:
    """The first t, from 1, that can be judged."""
    return control.baseline + _SHORTEST[variant]


def judge(counts: Array, days: Sequence[int], variant: Variant, control: EarsControl) -> Judged:
    """Judge ``days`` (each from 1) of ``counts`` (S, days counted; NaN where missing).

    The bound is NaN where the count or the baseline of that day has a missing count (C3: also of the two days before),
    or where C3 has to compare with days that do not differ at all; then there is no alarm.
    ``score`` is C1, C2 or C3 over its threshold. Raises :class:`HistoryError` when the history is too short.
    """
    if min(days) < first_day(variant, control):
        raise HistoryError(f"t={min(days)}: {variant} with baseline {control.baseline} starts at "
                           f"t={first_day(variant, control)}: make range later or baseline smaller")  # fmt: skip
    level = _LEVEL[variant] if control.alpha is None else control.alpha
    z = float(special.ndtri(1 - level))
    at = np.array(days) - 1
    observed = counts[:, at]
    with np.errstate(divide="ignore", invalid="ignore"):
        mean, sigma = _window(counts, at, _LAG[variant], control)
        statistic = (observed - mean) / sigma
        if variant == "C3":
            statistic = np.maximum(_c2(counts, at - 1, control) - 1, 0)
            statistic = statistic + np.maximum(_c2(counts, at - 2, control) - 1, 0)
            # As R has it: where the count would be once the sum of the two days before reached its threshold.
            bound = np.maximum(observed + sigma * (z - statistic), 0)
        else:
            bound = mean + z * sigma
        undecided = np.isnan(bound) | np.isnan(observed)
        return Judged(observed, mean, bound, np.asarray(observed > bound), np.asarray(statistic / z), undecided)


def _c2(counts: Array, at: np.typing.NDArray[np.intp], control: EarsControl) -> Array:
    mean, sigma = _window(counts, at, 2, control)
    found: Array = (counts[:, at] - mean) / sigma
    return found


def _window(counts: Array, at: np.typing.NDArray[np.intp], lag: int, control: EarsControl) -> tuple[Array, Array]:
    """Mean and standard deviation of the baseline of each day, (S, T)."""
    columns = at[:, None] - lag - np.arange(control.baseline, 0, -1)
    past = counts[:, columns]
    return past.mean(axis=2), np.maximum(past.std(axis=2, ddof=1), control.minSigma)
