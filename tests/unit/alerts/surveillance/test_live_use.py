"""What is made of live counts before and after the detectors: days, weeks, breaks, episodes, kinds."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pytest

from alerts.surveillance.calendar import kind_of_day
from alerts.surveillance.daily import day_factors, judge_days, judge_week, weekly_sums
from alerts.surveillance.episodes import Episode, count_episodes, episodes, fading
from alerts.surveillance.errors import HistoryError
from alerts.surveillance.kinds import Kind, adjust, kind_of, ranks

YESTERDAY = date(2026, 11, 20)


def days_of(years: float, level: float = 10) -> np.ndarray:
    """(1, D): more calls at weekends, more in winter, up to yesterday; no chance in it but a little ripple."""
    days = int(years * 364)
    when = [YESTERDAY - timedelta(days=days - 1 - each) for each in range(days)]
    weekend = np.array([2.0 if each.weekday() >= 5 else 1.0 for each in when])
    winter = np.array([1 + 0.3 * np.cos(2 * np.pi * each.timetuple().tm_yday / 365) for each in when])
    return np.round(level * weekend * winter + np.arange(days) % 5)[np.newaxis]


def test_weeks_end_on_the_weekday_of_yesterday() -> None:
    weekly = weekly_sums(np.arange(16.0)[np.newaxis], YESTERDAY)

    assert weekly.sums.tolist() == [[sum(range(2, 9)), sum(range(9, 16))]]
    assert [date(1970, 1, 1) + timedelta(days=each) for each in weekly.days] == [
        YESTERDAY - timedelta(days=7), YESTERDAY]  # fmt: skip


def test_a_week_twice_as_busy_as_in_other_years_is_found_and_the_usual_one_is_not() -> None:
    usual, busy = days_of(3.5), days_of(3.5)
    busy[:, -7:] *= 2

    found = judge_week(np.vstack([usual, busy]), YESTERDAY)

    assert found.alarm.tolist() == [[False], [True]]


def test_two_years_are_too_few_for_farrington() -> None:
    with pytest.raises(HistoryError):
        judge_week(days_of(2.5), YESTERDAY)


def test_a_series_that_broke_with_a_new_menu_is_undecided_until_it_has_three_years() -> None:
    counts = np.vstack([days_of(4), days_of(4)])
    counts[:, -7:] *= 3
    counts[1, :-400] = np.nan

    found = judge_week(counts, YESTERDAY)

    assert (found.alarm[:, 0].tolist(), found.undecided[:, 0].tolist()) == ([True, False], [False, True])


def test_a_bank_holiday_is_no_alarm_where_all_calls_are_as_many_again() -> None:
    first = date(2025, 12, 1)
    total = np.array([3000.0 if kind_of_day(first + timedelta(days=each)) >= 5 else 1000 for each in range(140)])
    good_friday = (date(2026, 4, 3) - first).days
    signal = np.round(total / 50)[np.newaxis] + np.arange(140) % 3

    found = judge_days(signal, total, first)

    assert not found.alarm.any()
    signal[0, good_friday] *= 2
    assert judge_days(signal, total, first).alarm[0, good_friday - 9]


def test_a_kind_of_day_seldom_seen_brings_what_a_sunday_brings() -> None:
    first = date(2026, 1, 5)
    total = np.array([4000.0 if (first + timedelta(days=each)).weekday() == 6 else 1000 for each in range(56)])

    factors = day_factors(total, first)

    assert factors[7] == factors[6] > 2 * factors[0]


def test_without_any_count_of_all_calls_days_cannot_be_told_apart() -> None:
    with pytest.raises(HistoryError):
        day_factors(np.full(20, np.nan), date(2026, 1, 5))


def test_alarms_that_follow_one_another_are_one_episode() -> None:
    alarm = np.zeros((3, 20), bool)
    alarm[0, [2, 3, 6]] = True
    alarm[2, [0, 9, 19]] = True

    assert episodes(alarm, apart=3) == [
        Episode(0, 2, 6), Episode(2, 0, 0), Episode(2, 9, 9), Episode(2, 19, 19)]  # fmt: skip


@pytest.mark.parametrize("apart", [1, 2, 7])
def test_counting_episodes_is_as_long_as_their_list(apart: int) -> None:
    alarm = np.random.default_rng(3).random((40, 200)) < 0.1

    assert count_episodes(alarm, apart) == len(episodes(alarm, apart))


def test_taking_off_is_proposed_only_after_the_whole_time_below() -> None:
    below = np.ones((3, 200), bool)
    below[1, -192] = False
    below[2, -193] = False

    assert fading(below, 192).tolist() == [True, False, True]
    assert fading(below[:, :191], 192).tolist() == [False] * 3


def test_count_and_share_are_judged_together() -> None:
    assert [kind_of(True, True), kind_of(True, False), kind_of(False, True), kind_of(False, False)] == [
        Kind.SURGE, Kind.DEMAND, Kind.MIX, None]  # fmt: skip


def test_ranks_go_by_the_false_discovery_rate() -> None:
    # The example of the paper (table 1 of Benjamini and Hochberg 1995): the fourth is the last one at 5 %.
    p = np.array([0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459, 0.3240, 0.4262, 0.5719,
                  0.6528, 0.7590, 1.0000])  # fmt: skip

    assert int((adjust(p) <= 0.05).sum()) == 4
    assert ranks(p[::-1])[-1] == 1
