"""``callrouter alerts evaluate``: what is printed of a detector follows from what it finds in made-up years."""

from __future__ import annotations

import csv
import math
from xml.etree import ElementTree

import numpy as np
import pytest
from typer.testing import CliRunner

from alerts.surveillance import report, simulate
from alerts.surveillance.cli import app
from alerts.surveillance.evaluate import FALSE_A_YEAR, Row, by_hour, weekly
from alerts.surveillance.scoring import Estimate, detections, false_episodes

SOME = simulate.WEEKLY[4]


@pytest.fixture(scope="module")
def rows() -> list[Row]:
    return [*weekly(40, 7, [SOME]), *by_hour(20, 7, [simulate.HOURLY[1]])]


def probability(rows: list[Row], detector: str, size: str) -> float:
    return next(row.probability.value for row in rows if (row.detector, row.size) == (detector, size))


@pytest.mark.slow
def test_larger_outbreaks_are_found_more_often(rows: list[Row]) -> None:
    assert probability(rows, "farrington-flexible", "10") > probability(rows, "farrington-flexible", "2")
    assert probability(rows, "farrington-flexible", "10") > 0.8
    assert probability(rows, "hour-of-week", "strong") > probability(rows, "hour-of-week", "weak")


def test_detectors_are_compared_at_about_the_same_number_of_false_episodes(rows: list[Row]) -> None:
    for row in rows:
        assert row.false_a_year.low <= 2 * FALSE_A_YEAR, row
        assert row.false_a_year.low <= row.false_a_year.value <= row.false_a_year.high


def test_every_estimate_has_an_interval_around_it(rows: list[Row]) -> None:
    for row in rows:
        assert 0 <= row.probability.low <= row.probability.value <= row.probability.high <= 1
        if row.probability.value > 0:
            assert row.delay.low <= row.delay.value <= row.delay.high


def test_the_same_seed_gives_the_same_figures() -> None:
    again = [str(list(weekly(10, 3, [SOME]))) for _ in range(2)]

    assert again[0] == again[1]


def test_thresholds_are_set_on_other_series_than_those_scored(rows: list[Row]) -> None:
    # On the series that set it, a threshold has at most the allowed number; on others it may have more.
    assert any(row.false_a_year.value > FALSE_A_YEAR for row in rows)


def test_an_outbreak_brings_as_many_cases_as_its_size_says() -> None:
    rng = np.random.default_rng(1)
    quiet = simulate.quiet_weeks(SOME, 400, rng)

    counts, starts = simulate.with_outbreaks(quiet, SOME, 5, rng)

    added = counts - quiet
    expected = 5 * math.sqrt(math.exp(SOME.level) * SOME.dispersion)
    assert added.sum(axis=1).mean() == pytest.approx(expected, rel=0.1)
    assert all(added[each, : starts[each]].sum() == 0 for each in range(400))


def test_the_delay_counts_from_the_start_and_a_late_alarm_is_a_miss() -> None:
    alarm = np.zeros((3, 20), bool)
    alarm[0, [2, 7]] = True
    alarm[1, 15] = True

    found = detections(alarm, np.array([5, 5, 5]), longest=8)

    assert found.delay[0] == 2
    assert np.isnan(found.delay[1:]).all()
    assert found.probability().value == pytest.approx(1 / 3)


def test_no_false_episode_has_an_interval_up_from_zero() -> None:
    none = false_episodes(np.zeros((10, 52), bool), 1, 52)

    assert (none.value, none.low) == (0, 0)
    assert none.high == pytest.approx(3.689 / 10, rel=1e-3)  # the exact upper limit of no events is 3.689


def test_the_table_and_the_plot_show_every_detector(rows: list[Row]) -> None:
    table = list(csv.DictReader(report.as_csv(rows).splitlines()))
    plot = ElementTree.fromstring(report.as_svg(rows))

    assert len(table) == len(rows)
    names = {"farrington-flexible", "ears-c1", "ears-c2", "ears-c3"}
    assert names <= {text.text for text in plot.iter("{http://www.w3.org/2000/svg}text")}
    assert all(name in report.as_table(rows) for name in names)
    titles = [text.text for text in plot.iter("{http://www.w3.org/2000/svg}text") if text.get("font-size") == "14"]
    assert [title for title in titles if title and title.startswith("Delay")] == [
        "Delay of those found, in weeks",
        "Delay of those found, in hours",
    ]
    # every point that is known has its interval, in both plots
    known = sum(
        not math.isnan(each.value) for row in rows if row.design == "hourly" for each in (row.probability, row.delay)
    )
    assert len(list(plot.iter("{http://www.w3.org/2000/svg}path"))) >= known


def test_the_printed_table_has_the_interval_of_each_mean() -> None:
    wide, narrow, none = Estimate(0.5, 0.2, 0.7), Estimate(0.7, 0.66, 0.84), Estimate(math.nan, math.nan, math.nan)
    rows = [
        Row("weekly", scenario, "ears-c2", "5", 100, 1.0, false, narrow, delay, "weeks")
        for scenario, false, delay in (("a", wide, Estimate(1.5, 1.2, 2.0)), ("b", narrow, none))
    ]

    # false episodes: 0.6, less the root of 0.3² + 0.04² over two, more that of 0.2² + 0.14² over two
    line = "| weekly | ears-c2 | 5 | 0.60 (0.45 to 0.72) | 70% (67% to 80%) | 1.5 (1.2 to 2.0) weeks |"
    assert line in report.as_table(rows).splitlines()


def test_fewer_than_a_hundred_series_are_refused() -> None:
    answer = CliRunner().invoke(app, ["evaluate", "--output", "nowhere", "--series", "99"])

    assert answer.exit_code == 2
