"""The hour-of-week model, by the clocks of London, and the budget of false episodes."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest

from alerts.surveillance import hourly
from alerts.surveillance.budget import APART, Time, calibrate, null_counts, null_year
from alerts.surveillance.calendar import hours_of_week
from alerts.surveillance.episodes import count_episodes
from alerts.surveillance.errors import HistoryError
from alerts.surveillance.kinds import Kind, kind_of

START = datetime(2026, 9, 7, tzinfo=UTC)
WEEK = 7 * 96
SERIES = 24


def world(weeks: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Counts of the signals, of all calls, and the hours: quiet nights, busy evenings, weekends busier still."""
    rng = np.random.default_rng(seed)
    hours = hours_of_week(START, weeks * WEEK)
    shape = 1 + 0.8 * np.sin(2 * np.pi * (hours % 24 - 13) / 24) + 0.7 * (hours >= 120)
    levels = np.exp(rng.uniform(-2, 1.5, (SERIES, 1)))
    return rng.poisson(levels * shape).astype(float), rng.poisson(60 * shape).astype(float), hours


def fitted(seed: int = 1) -> tuple[hourly.HourModel, np.ndarray]:
    counts, total, hours = world(8, seed)
    return hourly.fit(counts, hours, total), hours


def time() -> Time:
    _, total, hours = world(11, seed=2)
    return Time(hours[: 8 * WEEK], total[: 8 * WEEK], hours[8 * WEEK :])


def test_when_clocks_go_back_the_hour_from_one_comes_twice() -> None:
    hours = hours_of_week(datetime(2026, 10, 25, tzinfo=UTC), 12)

    assert hours.tolist() == [145] * 8 + [146] * 4


def test_when_clocks_go_forward_the_hour_from_one_does_not_come() -> None:
    hours = hours_of_week(datetime(2026, 3, 29, 0, 30, tzinfo=UTC), 4)

    assert hours.tolist() == [144, 144, 146, 146]


def test_a_bank_holiday_is_a_sunday() -> None:
    assert hours_of_week(datetime(2026, 12, 25, 9, tzinfo=UTC), 1).tolist() == [6 * 24 + 9]


def test_what_is_usual_is_found_for_each_hour() -> None:
    counts, total, hours = world(8, seed=4)
    busiest = counts.mean(axis=1).argmax()

    model = hourly.fit(counts, hours, total)

    evening, night = 2 * 24 + 19, 2 * 24 + 5
    assert model.hourly[busiest, evening] > 3 * model.hourly[busiest, night]
    assert np.allclose(model.hourly.mean(axis=1), 4 * counts.mean(axis=1), rtol=0.05, atol=0.01)
    assert (model.dispersion >= 1).all()


def test_three_weeks_are_too_few() -> None:
    counts, total, hours = world(3, seed=1)

    with pytest.raises(HistoryError):
        hourly.fit(counts, hours, total)


def test_the_budget_of_false_episodes_is_kept_in_weeks_that_set_no_threshold() -> None:
    model, _ = fitted()
    thresholds = calibrate(null_year(model, time(), np.random.default_rng(10)), series=SERIES, per_day=0.5)

    other = thresholds.exceeded(null_year(model, time(), np.random.default_rng(11)))

    days = 3 * 7
    assert count_episodes(other, APART) / days < 2 * 0.5
    assert count_episodes(other, APART) > 0  # nor is it kept by never saying anything


def test_a_surge_is_an_exceedance_within_hours_and_the_rest_is_not() -> None:
    model, hours = fitted()
    thresholds = calibrate(null_year(model, time(), np.random.default_rng(10)), series=SERIES, per_day=0.02)
    counts = null_counts(model, hours, np.random.default_rng(12))
    busiest = int(model.hourly.sum(axis=1).argmax())
    begins = 5 * WEEK + 40
    counts[busiest, begins : begins + 24] *= 3

    found = thresholds.exceeded(hourly.watch(model, counts, hours))

    assert found[busiest, begins : begins + 24].any()
    assert not found[busiest, :begins].any()


def test_where_all_calls_double_it_is_demand_and_no_surge() -> None:
    counts, total, hours = world(9, seed=6)
    past, now = slice(0, 8 * WEEK), slice(8 * WEEK, None)
    model = hourly.fit(counts[:, past], hours[past], total[past])
    all_calls = hourly.fit(total[np.newaxis, past], hours[past], total[past])
    busiest = int(model.hourly.sum(axis=1).argmax())
    usual_total = all_calls.hourly[0, hours[now]] / 4
    surge = counts[:, now].copy()
    surge[busiest, -24:] *= 2

    def kind(signal: np.ndarray, calls: np.ndarray) -> Kind | None:
        scale = np.repeat(calls.reshape(-1, 24).sum(axis=1) / usual_total.reshape(-1, 24).sum(axis=1), 24)
        by_count = hourly.watch(model, signal, hours[now]).windows[busiest, -1]
        by_share = hourly.watch(model, signal, hours[now], scale).windows[busiest, -1]
        return kind_of(bool(by_count > 4), bool(by_share > 4))

    assert kind(counts[:, now], total[now]) is None
    assert kind(surge, total[now]) is Kind.SURGE
    assert kind(2 * counts[:, now], 2 * total[now]) is Kind.DEMAND


def test_a_quarter_that_was_not_counted_raises_nothing_and_hides_nothing_after_it() -> None:
    model, hours = fitted()
    counts = null_counts(model, hours, np.random.default_rng(5))
    gap = 3 * WEEK
    counts[:, gap] = np.nan

    found = hourly.watch(model, counts, hours)

    assert np.isnan(found.windows[:, gap]).all()
    assert not np.isnan(found.windows[:, gap + 4 :]).any()
    assert not np.isnan(found.cusum).any()


def test_fewer_than_five_cases_are_never_an_exceedance() -> None:
    model, hours = fitted()
    model = replace(model, hourly=np.full_like(model.hourly, 0.001))
    counts = np.zeros((SERIES, len(hours)))
    counts[:, WEEK : WEEK + 4] = 1

    assert (hourly.watch(model, counts, hours).windows[:, WEEK + 3 : WEEK + 8] == 0).all()


def test_an_empty_series_is_judged_without_an_alarm() -> None:
    counts, total, hours = world(8, seed=1)

    model = hourly.fit(np.zeros_like(counts), hours, total)

    assert np.nanmax(hourly.watch(model, np.zeros_like(counts), hours).windows) == 0
