"""How good a detector is: false episodes, probability of detection, timeliness, each with a 95 % interval."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

from alerts.surveillance.episodes import count_episodes

_Z = 1.959963984540054
_RESAMPLES = 500


@dataclass(frozen=True, slots=True)
class Estimate:
    value: float
    low: float
    high: float


def mean_of(estimates: Sequence[Estimate]) -> Estimate:
    """The mean of independent estimates, with the interval that theirs give it (Zou and Donner 2008, MOVER).

    Those without a value are left out; NaN where there is none.
    """
    known = np.array([(each.value, each.low, each.high) for each in estimates if not np.isnan(each.value)])
    if not len(known):
        return Estimate(np.nan, np.nan, np.nan)
    value, low, high = known.T
    below, above = (float(np.sqrt(((value - bound) ** 2).sum())) / len(known) for bound in (low, high))
    return Estimate(float(value.mean()), float(value.mean()) - below, float(value.mean()) + above)


@dataclass(frozen=True, slots=True)
class Detections:
    """``delay`` (S,): steps from the start of an outbreak to its first alarm; NaN where it was missed."""

    delay: NDArray[np.float64]

    def probability(self) -> Estimate:
        """Of finding an outbreak while it lasts; Wilson's interval."""
        n, found = len(self.delay), int((~np.isnan(self.delay)).sum())
        p = found / n
        middle = (p + _Z**2 / (2 * n)) / (1 + _Z**2 / n)
        half = _Z / (1 + _Z**2 / n) * np.sqrt(p * (1 - p) / n + _Z**2 / (4 * n**2))
        return Estimate(p, max(0.0, float(middle - half)), min(1.0, float(middle + half)))

    def timeliness(self, step: float, seed: int) -> Estimate:
        """The mean delay of those found, in units of ``step`` steps; a bootstrap interval. NaN where none was."""
        found = self.delay[~np.isnan(self.delay)] * step
        if not len(found):
            return Estimate(np.nan, np.nan, np.nan)
        rng = np.random.default_rng(seed)
        means = rng.choice(found, (_RESAMPLES, len(found))).mean(axis=1)
        low, high = np.quantile(means, [0.025, 0.975])
        return Estimate(float(found.mean()), float(low), float(high))


def detections(alarm: NDArray[np.bool_], starts: NDArray[np.intp], longest: int) -> Detections:
    """The first alarm of each series (S, T) from its start on, within ``longest`` steps."""
    delay = np.full(len(alarm), np.nan)
    for series, start in enumerate(starts):
        seen = np.flatnonzero(alarm[series, start : start + longest])
        if len(seen):
            delay[series] = seen[0]
    return Detections(delay)


def false_episodes(alarm: NDArray[np.bool_], apart: int, steps_a_year: float) -> Estimate:
    """Episodes in a year of a series where there is no outbreak; the exact interval of a Poisson count."""
    many = count_episodes(alarm, apart)
    years = alarm.size / steps_a_year
    low = float(special.gammaincinv(many, 0.025)) if many else 0.0
    return Estimate(many / years, low / years, float(special.gammaincinv(many + 1, 0.975)) / years)
