"""Every quarter of an hour: which signals are unusual now, of what kind, since when, and which to look at first."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from alerts.surveillance.calendar import hours_of_week
from alerts.surveillance.errors import HistoryError
from alerts.surveillance.kinds import Kind
from alerts.surveillance.live import Counts, Learnt, learn, look, screen

START = datetime(2026, 9, 7, tzinfo=UTC)
WEEK = 7 * 96
NAMES = ("vomiting", "rash", "cough", "fever")
LEVELS = np.array([[2.0], [1.0], [6.0], [4.0]])


def counts(start: datetime, quarters: int, seed: int, busier: float = 1.0) -> Counts:
    hours = hours_of_week(start, quarters)
    shape = busier * (1 + 0.7 * np.sin(2 * np.pi * (hours % 24 - 13) / 24) + 0.5 * (hours >= 120))
    rng = np.random.default_rng(seed)
    return Counts(NAMES, rng.poisson(LEVELS * shape).astype(float), rng.poisson(80 * shape).astype(float), start)


@pytest.fixture(scope="module")
def learnt() -> Learnt:
    # Two a day would be plenty for four signals: this is their part of two a day over 160.
    return learn(counts(START, 6 * WEEK, seed=1), seed=2, per_day=0.05, null_cells=300_000)


def recent(busier: float = 1.0) -> Counts:
    """Four days that end on a Thursday evening."""
    return counts(START + timedelta(days=42), 3 * 96 + 80, seed=3, busier=busier)


def test_on_a_usual_evening_nothing_is_proposed(learnt: Learnt) -> None:
    assert screen(learnt, recent()) == []


def test_a_signal_that_trebled_three_hours_ago_is_a_surge_since_then(learnt: Learnt) -> None:
    now = recent()
    now.demand[0, -12:] *= 3

    found = screen(learnt, now)

    assert [(each.name, each.kind, each.rank) for each in found] == [("vomiting", Kind.SURGE, 1)]
    begun = START + timedelta(days=45, hours=17)
    assert begun <= found[0].since < begun + timedelta(hours=3)


def test_where_everybody_rings_more_it_is_demand(learnt: Learnt) -> None:
    found = screen(learnt, recent(busier=2.0))

    assert {each.kind for each in found} == {Kind.DEMAND}
    assert {"cough", "fever"} <= {each.name for each in found}


def test_a_signal_that_stays_where_all_others_halve_is_a_change_of_mix(learnt: Learnt) -> None:
    now = recent()
    now.total[-96:] *= 0.4

    assert {each.kind for each in screen(learnt, now)} == {Kind.MIX}


def test_the_most_unusual_is_to_be_looked_at_first(learnt: Learnt) -> None:
    now = recent()
    now.demand[0, -12:] *= 3
    now.demand[3, -12:] *= 6

    assert [each.name for each in screen(learnt, now)] == ["fever", "vomiting"]


def test_a_feed_that_stopped_counting_raises_nothing(learnt: Learnt) -> None:
    now = recent()
    now.demand[:, -4:] = np.nan
    now.total[-4:] = np.nan

    assert screen(learnt, now) == []


def test_a_signal_whose_menu_changed_last_week_is_left_out_and_the_others_are_not() -> None:
    past = counts(START, 6 * WEEK, seed=1)
    past.demand[0, : 5 * WEEK] = np.nan
    now = recent()
    now.demand[[0, 3], -12:] *= 4

    learnt = learn(past, seed=2, per_day=0.05, null_cells=100_000)

    assert [each.name for each in screen(learnt, now)] == ["fever"]


def test_where_every_signal_is_new_nothing_can_be_learnt() -> None:
    past = counts(START, 6 * WEEK, seed=1)
    past.demand[:, : 5 * WEEK] = np.nan

    with pytest.raises(HistoryError):
        learn(past, seed=2)


def test_an_hour_that_was_not_counted_days_ago_makes_no_surge_a_rise_in_demand(learnt: Learnt) -> None:
    now = recent()
    now.demand[:, 40:44] = np.nan
    now.total[40:44] = np.nan
    now.demand[0, -12:] *= 3

    assert [(each.name, each.kind) for each in screen(learnt, now)] == [("vomiting", Kind.SURGE)]


def test_a_signal_is_quiet_after_48_hours_below_the_bound_and_not_before(learnt: Learnt) -> None:
    now = recent()
    assert look(learnt, now).quiet().all()
    now.demand[0, 60:100] *= 4  # its last day-long window ends with quarter-hour 196, of 368
    now.demand[1, 10] = np.nan

    quiet = look(learnt, now).quiet()

    assert list(quiet) == [False, True, True, True]
    now.demand[2, -1] = np.nan
    assert not look(learnt, now).quiet()[2]
