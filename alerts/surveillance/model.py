"""What every detector finds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from alerts.surveillance.glm import Array


@dataclass(frozen=True, slots=True)
class Judged:
    """What was found, each (S, T): series by judged week. NaN: no bound, and then never an alarm.

    ``score`` is (count - expected) / (bound - expected), above 1 in an alarm; with a negative binomial bound the
    expected count enters it as its logarithm, as in R. ``undecided``: the detector says neither alarm nor none.
    """

    observed: Array
    expected: Array
    bound: Array
    alarm: NDArray[np.bool_]
    score: Array
    undecided: NDArray[np.bool_]

    @classmethod
    def nothing(cls, observed: Array) -> Judged:
        """No bound and no alarm for any of ``observed`` (S, T)."""
        unknown = (np.full(observed.shape, np.nan) for _ in range(3))
        expected, bound, score = unknown
        return cls(observed, expected, bound, np.zeros(observed.shape, bool), score, np.zeros(observed.shape, bool))
