"""The largest count that is still ordinary, given what the regression expects.

``nbPlugin`` (Noufaily et al. 2013, 3.3): a quantile of the negative binomial with the expected count and the
dispersion. ``muan``: the same around an upper quantile of the expected count itself. ``delta`` (Farrington et al.
1996, 3.7): a normal quantile on a power scale, the errors of fit and of the new count together.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import special

from alerts.surveillance.glm import Array

_FUZZ = 64 * float(np.finfo(np.float64).eps)  # a probability that equals the target to rounding has reached it
_NO_MEAN = 1e-300  # below, sums and quotients underflow, and no search would end
POWERS = {"2/3": 2 / 3, "1/2": 1 / 2, "none": 1.0}


def delta(mean: Array, dispersion: Array, variance: Array, alpha: float, power: str) -> Array:
    """The bound (F,) from the expected count, its dispersion and the variance of the linear predictor."""
    z = abs(float(special.ndtri(1 - alpha)))
    exponent = POWERS[power]
    with np.errstate(over="ignore", invalid="ignore"):
        spread = np.sqrt(dispersion * mean + mean**2 * variance)
        found: Array = (mean**exponent + z * exponent * mean ** (exponent - 1) * spread) ** (1 / exponent)
    return found


def upper_mean(eta: Array, variance: Array, alpha: float) -> Array:
    """The 1 - ``alpha`` quantile (F,) of the expected count, its logarithm being nearly normal."""
    with np.errstate(over="ignore", invalid="ignore"):
        found: Array = np.exp(eta + special.ndtri(1 - alpha) * np.sqrt(variance))
    return found


def quantile(mean: Array, dispersion: Array, alpha: float) -> Array:
    """The smallest whole number (F,) that a count of this mean and dispersion exceeds with at most ``alpha``.

    Poisson where the dispersion is 1. NaN where the mean is not finite, 0 where it is too small to be anything else.
    """
    usable = np.isfinite(mean) & np.isfinite(dispersion)
    found = np.full(len(mean), np.nan)
    none = usable & (mean < _NO_MEAN)
    found[none], usable = 0.0, usable & ~none
    if alpha <= 0:
        found[usable] = np.inf
    elif alpha >= 1:
        found[usable] = 0.0
    elif usable.any():
        found[usable] = _search(mean[usable], dispersion[usable], 1 - alpha)
    return found


def _search(mean: Array, dispersion: Array, probability: float) -> Array:
    """Bracket around a guess with the right mean, variance and skewness, then halve."""
    z = float(special.ndtri(probability))
    spread = np.sqrt(mean * dispersion)
    skewness = (2 * dispersion - 1) / spread
    guess = np.maximum(np.floor(mean + spread * (z + skewness * (z * z - 1) / 6)), 0.0)
    step = np.maximum(np.floor(0.02 * spread), 1.0)
    low, high = guess - step, guess + step
    while (far := _reached(high, mean, dispersion, probability) == 0).any():
        low = np.where(far, high, low)
        high = np.where(far, high + step, high)
        step = np.where(far, 2 * step, step)
    while (far := _reached(low, mean, dispersion, probability) == 1).any():
        high = np.where(far, low, high)
        low = np.where(far, low - step, low)
        step = np.where(far, 2 * step, step)
    while True:
        middle = np.floor((low + high) / 2)
        wide = (low < middle) & (middle < high)  # beyond 2**53 neighbours are more than 1 apart
        if not wide.any():
            return high
        reached = _reached(middle, mean, dispersion, probability)
        high = np.where(wide & reached, middle, high)
        low = np.where(wide & ~reached, middle, low)


def _reached(count: Array, mean: Array, dispersion: Array, probability: float) -> NDArray[np.bool_]:
    """Whether a count of at most ``count`` has the probability; below 0 it never has."""
    inside = np.maximum(count, 0.0)
    over = dispersion > 1
    size = mean / np.where(over, dispersion - 1, 1.0)
    below = np.where(over, special.betainc(size, inside + 1, 1 / dispersion), special.pdtr(inside, mean))
    found: NDArray[np.bool_] = (count >= 0) & (below >= probability * (1 - _FUZZ))
    return found
