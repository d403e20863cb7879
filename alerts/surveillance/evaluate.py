"""What the detectors are worth, on made-up years: ``callrouter alerts evaluate``.

Thresholds are set on series of a seed of their own, each detector's so that it raises the same number of false episodes
a year of a series (half a one: 2 a day over 1,460 series), and scored on others. So the detectors differ only in
what they find, and how soon.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from alerts.surveillance import ears, farrington, hourly, simulate
from alerts.surveillance.budget import APART, Time, calibrate, null_year, together
from alerts.surveillance.control import EarsControl, FarringtonControl
from alerts.surveillance.episodes import count_episodes
from alerts.surveillance.glm import Array
from alerts.surveillance.scoring import Detections, Estimate, detections, false_episodes

FALSE_A_YEAR = 0.5
SIZES = (2, 3, 4, 5, 6, 7, 8, 9, 10)
_IMPROVED = FarringtonControl(
    b=5, noPeriods=10, pastWeeksNotIncluded=26, pThresholdTrend=1, thresholdMethod="nbPlugin", alpha=0.01
)
_EARS = EarsControl(minSigma=1.0)
_WEEKS = range(simulate.WEEKS - simulate.CURRENT + 1, simulate.WEEKS + 1)
_NULL_STRETCHES = 6  # of three weeks each, to set an hourly threshold
_FIRST = simulate.WEEKS - simulate.CURRENT


@dataclass(frozen=True, slots=True)
class Row:
    """One detector in one scenario. ``unit``: of the delay."""

    design: str
    scenario: str
    detector: str
    size: str
    series: int
    threshold: float
    false_a_year: Estimate
    probability: Estimate
    delay: Estimate
    unit: str


Scores = Callable[[Array], Array]  # counts (S, weeks) → scores (S, current weeks)
WEEKLY_DETECTORS: dict[str, Scores] = {
    "farrington-flexible": lambda counts: farrington.judge(counts, _WEEKS, _IMPROVED).score,
    "ears-c1": lambda counts: ears.judge(counts, _WEEKS, "C1", _EARS).score,
    "ears-c2": lambda counts: ears.judge(counts, _WEEKS, "C2", _EARS).score,
    "ears-c3": lambda counts: ears.judge(counts, _WEEKS, "C3", _EARS).score,
}


def weekly(series: int, seed: int, designs: Sequence[simulate.Weekly] = simulate.WEEKLY) -> Iterator[Row]:
    """Every scenario of ``designs`` in every size, ``series`` series each."""
    for number, design in enumerate(designs):
        setting, scoring = (np.random.default_rng([seed, number, each]) for each in range(2))
        for_thresholds = simulate.quiet_weeks(design, series, setting)
        quiet = simulate.quiet_weeks(design, series, scoring)
        hit = {size: simulate.with_outbreaks(quiet, design, size, scoring) for size in SIZES}
        for name, scores in WEEKLY_DETECTORS.items():
            threshold = _threshold(scores(for_thresholds))
            false = false_episodes(_over(scores(quiet), threshold), 1, 52)
            for size, (counts, starts) in hit.items():
                found = detections(_over(scores(counts), threshold), starts - _FIRST, simulate.LONGEST)
                yield _row("weekly", design.name, name, str(size), threshold, false, found, "weeks", 1.0, seed)


def _threshold(scores: Array) -> float:
    """The lowest above which quiet series have no more than the allowed episodes; of scores that were seen."""
    allowed = FALSE_A_YEAR * scores.size / 52
    candidates = np.unique(scores[np.isfinite(scores)])
    low, high = 0, len(candidates) - 1
    while low < high:
        middle = (low + high) // 2
        if count_episodes(_over(scores, float(candidates[middle])), 1) > allowed:
            low = middle + 1
        else:
            high = middle
    return max(float(candidates[high]), 0.0) if len(candidates) else 0.0


def _over(scores: Array, threshold: float) -> np.typing.NDArray[np.bool_]:
    with np.errstate(invalid="ignore"):
        return np.asarray(scores > threshold)


def by_hour(series: int, seed: int, designs: Sequence[simulate.Hourly] = simulate.HOURLY) -> Iterator[Row]:
    """The hour-of-week model in every scenario of ``designs`` and every strength, ``series`` series each."""
    first = simulate.TRAINING_WEEKS * simulate.QUARTERS_A_WEEK
    for number, design in enumerate(designs):
        for place, (strength, extra) in enumerate(simulate.STRENGTHS.items()):
            quiet = simulate.quarters(design, 0.0, series, np.random.default_rng([seed, 100 + number, place, 0]))
            world = simulate.quarters(design, extra, series, np.random.default_rng([seed, 100 + number, place, 1]))
            alarms, threshold = {}, 0.0
            for name, each in (("quiet", quiet), ("hit", world)):
                model = hourly.fit(each.counts[:, :first], each.hours[:first], each.total[:first])
                time = Time(each.hours[:first], each.total[:first], each.hours[first:])
                rng = np.random.default_rng([seed, 200 + number, place])
                null = together([null_year(model, time, rng) for _ in range(_NULL_STRETCHES)])
                thresholds = calibrate(null, series, FALSE_A_YEAR * series / 365)
                threshold = thresholds.windows
                judged = hourly.watch(model, each.counts[:, first:], each.hours[first:])
                alarms[name] = thresholds.exceeded(judged)
            false = false_episodes(alarms["quiet"], APART, 365 * 96)
            found = detections(alarms["hit"], world.starts - first, simulate.SURGE_QUARTERS)
            yield _row("hourly", design.name, "hour-of-week", strength, threshold, false, found, "hours", 0.25, seed)


def _row(design: str, scenario: str, detector: str, size: str, threshold: float, false: Estimate, found: Detections,
         unit: str, step: float, seed: int) -> Row:  # fmt: skip
    return Row(design, scenario, detector, size, len(found.delay), threshold, false, found.probability(),
               found.timeliness(step, seed), unit)  # fmt: skip
