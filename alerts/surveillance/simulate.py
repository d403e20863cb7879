"""Made-up years with and without outbreaks, to find what the detectors are worth.

Weekly: the design of Noufaily et al. 2013, section 4: negative binomial counts around a trend and up to two waves
a year; an outbreak of size k brings Poisson(k standard deviations of its first week) cases, each a lognormal(0, 0.5)
number of weeks after its start. Hourly: quarter-hours of calls by the hour of the week, noise from hour to hour and
day to day; a surge rises for six hours, stays, and is over after a day.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from alerts.surveillance.budget import null_counts
from alerts.surveillance.calendar import hours_of_week
from alerts.surveillance.glm import Array
from alerts.surveillance.hourly import WINDOWS_H, HourModel

WEEKS = 52 * 5 + 26 + 49
CURRENT = 49  # the last weeks, which are judged
LONGEST = 8  # weeks after its start in which finding an outbreak still counts

QUARTERS_A_WEEK = 7 * 96
TRAINING_WEEKS, JUDGED_WEEKS = 8, 3
SURGE_QUARTERS = 96
_RISE_QUARTERS = 24


@dataclass(frozen=True, slots=True)
class Weekly:
    """log mean = ``level`` + ``trend`` t + ``waves`` of ``cosine``, ``sine``; variance = ``dispersion`` × mean."""

    name: str
    level: float
    dispersion: float
    trend: float = 0.0
    waves: int = 0
    cosine: float = 0.0
    sine: float = 0.0

    def means(self) -> Array:
        t = np.arange(WEEKS)
        log = self.level + self.trend * t
        for wave in range(1, self.waves + 1):
            log = log + self.cosine * np.cos(2 * np.pi * wave * t / 52) + self.sine * np.sin(2 * np.pi * wave * t / 52)
        return np.asarray(np.exp(log))


# Each level of the design, plain, and with trend and season.
WEEKLY = (
    Weekly("rare", -2.0, 2.0),
    Weekly("rare, trend, season", -2.0, 2.0, 0.005, 1, 0.1, 0.3),
    Weekly("few", 0.1, 1.5),
    Weekly("few, trend, season", 0.1, 1.5, 0.0025, 1, 0.6, 0.6),
    Weekly("some", 1.5, 1.0),
    Weekly("some, trend, two waves", 1.5, 1.0, 0.003, 2, 0.2, -0.4),
    Weekly("clustered", 0.5, 5.0),
    Weekly("clustered, season", 0.5, 5.0, 0.0, 1, 0.5, 0.5),
    Weekly("many, clustered", 2.5, 3.0),
    Weekly("many, clustered, two waves", 2.5, 3.0, 0.001, 2, 1.0, 0.1),
    Weekly("many", 3.75, 1.1),
    Weekly("many, season", 3.75, 1.1, 0.0001, 1, 0.1, -0.1),
    Weekly("very many", 5.0, 1.2),
    Weekly("very many, season", 5.0, 1.2, 0.0001, 1, 0.05, 0.01),
)


def quiet_weeks(design: Weekly, series: int, rng: np.random.Generator) -> Array:
    """(S, weeks) without an outbreak."""
    mean = np.broadcast_to(design.means(), (series, WEEKS))
    if design.dispersion > 1:
        shape = mean / (design.dispersion - 1)
        mean = rng.gamma(shape, design.dispersion - 1)
    return rng.poisson(mean).astype(float)


def with_outbreaks(
    quiet: Array, design: Weekly, size: float, rng: np.random.Generator
) -> tuple[Array, NDArray[np.intp]]:
    """``quiet`` with one outbreak in the current weeks of each series, and the place of its start."""
    series = len(quiet)
    starts = rng.integers(WEEKS - CURRENT, WEEKS - LONGEST, series)
    deviation = np.sqrt(design.means() * design.dispersion)[starts]
    counts = quiet.copy()
    for each, cases in enumerate(np.maximum(rng.poisson(size * deviation), 1)):
        weeks = starts[each] + np.minimum(rng.lognormal(0, 0.5, cases).astype(int), LONGEST - 1)
        np.add.at(counts[each], weeks, 1)
    return counts, starts


@dataclass(frozen=True, slots=True)
class Hourly:
    """``calls`` an hour in the mean."""

    name: str
    calls: float


HOURLY = (Hourly("2 calls an hour", 2), Hourly("8 calls an hour", 8), Hourly("30 calls an hour", 30))
STRENGTHS = {"weak": 0.3, "middle": 0.6, "strong": 1.2}  # of what is usual, on top
_HOURLY_DISPERSION, _DAILY_DISPERSION = 1.2, 1.6  # of calls an hour and a day


@dataclass(frozen=True, slots=True)
class Quarters:
    """``counts`` (S, Q) with one surge in each series from ``starts`` (S,) on, ``total`` (Q,) calls, ``hours`` (Q,)."""

    counts: Array
    total: Array
    hours: NDArray[np.intp]
    starts: NDArray[np.intp]


def quarters(design: Hourly, strength: float, series: int, rng: np.random.Generator) -> Quarters:
    """Eight weeks to learn from, and three with a surge of ``strength`` (0: none) that starts in the last two."""
    hours = hours_of_week(datetime(2026, 1, 19, tzinfo=UTC), (TRAINING_WEEKS + JUDGED_WEEKS) * QUARTERS_A_WEEK)
    week = np.arange(168)
    shape = 1 + 0.75 * np.sin(2 * np.pi * (week % 24 - 12) / 24) + 0.6 * (week >= 120)
    usual = np.broadcast_to(design.calls * shape / shape.mean(), (series, 168))
    levels = np.broadcast_to(
        np.linspace(_HOURLY_DISPERSION, _DAILY_DISPERSION, len(WINDOWS_H)), (series, len(WINDOWS_H))
    )
    counts = null_counts(HourModel(usual, levels, np.zeros_like(levels)), hours, rng)
    first = (TRAINING_WEEKS + 1) * QUARTERS_A_WEEK
    starts = rng.integers(first, len(hours) - SURGE_QUARTERS, series)
    rising = np.minimum(np.arange(1, SURGE_QUARTERS + 1) / _RISE_QUARTERS, 1.0)
    for each, start in enumerate(starts):
        during = slice(start, start + SURGE_QUARTERS)
        counts[each, during] += rng.poisson(strength * rising * usual[each, hours[during]] / 4)
    total = rng.poisson(300 * shape[hours] / shape.mean()).astype(float)
    return Quarters(counts, total, hours, starts)
