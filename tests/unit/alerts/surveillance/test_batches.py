"""Many series at once, or many weeks, are judged as each is by itself; so is a week after others have come."""

from __future__ import annotations

import numpy as np
import pytest

from alerts.surveillance import ears, farrington
from alerts.surveillance.control import EarsControl, FarringtonControl
from alerts.surveillance.model import Judged

WEEKS = 300
DAYS = tuple(12422 + 7 * week for week in range(WEEKS))
CONTROLS = [
    FarringtonControl(b=4, noPeriods=10, pastWeeksNotIncluded=26, thresholdMethod=method, pThresholdTrend=trend)
    for method in ("delta", "nbPlugin", "muan")
    for trend in (0.05, 1)
]


def counts() -> np.ndarray:
    """Busy and rare, with a gap, constant, all zeros."""
    rng = np.random.default_rng(5)
    found = rng.poisson(np.exp(rng.uniform(-2, 4, (12, 1))) * np.ones((12, WEEKS))).astype(float)
    found[3, 100:103] = np.nan
    found[4] = 6
    found[5] = 0
    return found


def assert_alike(some: Judged, others: Judged) -> None:
    for name in ("observed", "expected", "bound", "alarm", "score", "undecided"):
        np.testing.assert_allclose(getattr(some, name), getattr(others, name), rtol=1e-9, equal_nan=True, err_msg=name)


@pytest.mark.parametrize("days", [None, DAYS], ids=["by row", "by calendar"])
@pytest.mark.parametrize(
    "control", CONTROLS, ids=lambda control: f"{control.thresholdMethod} {control.pThresholdTrend}"
)
def test_a_series_is_judged_in_a_batch_as_by_itself(control: FarringtonControl, days: tuple[int, ...] | None) -> None:
    series, weeks = counts(), [230, 262, 299, 300]

    together = farrington.judge(series, weeks, control, days)

    for each in range(len(series)):
        alone = farrington.judge(series[[each]], weeks, control, days)
        assert_alike(Judged(*(getattr(together, name)[[each]] for name in Judged.__slots__)), alone)


def test_what_comes_later_changes_nothing_before() -> None:
    series = counts()
    whole = farrington.judge(series, [250], CONTROLS[1])

    assert_alike(farrington.judge(series[:, :250], [250], CONTROLS[1]), whole)


@pytest.mark.parametrize("variant", ["C1", "C2", "C3"])
def test_ears_judges_a_day_in_a_batch_as_by_itself(variant: ears.Variant) -> None:
    series, control = counts(), EarsControl()
    together = ears.judge(series, range(20, 40), variant, control)

    for place, day in enumerate(range(20, 40)):
        alone = ears.judge(series, [day], variant, control)
        assert_alike(Judged(*(getattr(together, name)[:, [place]] for name in Judged.__slots__)), alone)


def test_more_cases_never_turn_an_alarm_off() -> None:
    series = counts()[:4]
    for control in CONTROLS:
        fewer, more = series.copy(), series.copy()
        fewer[:, -1], more[:, -1] = 30, 31

        before, after = (farrington.judge(each, [WEEKS], control).alarm for each in (fewer, more))

        assert (after >= before).all()
