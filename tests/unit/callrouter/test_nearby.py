"""Look-ups from memory: what they answer to which caller."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, cast

import pytest
from hand_clock import HandClock

from callrouter import events as ev
from callrouter.hours import OpeningHours, Week
from callrouter.model import CallRecord
from callrouter.nearby import Nearby
from infra.areas import london
from infra.numbers import read_number
from ivr.model import LookupWait

CLOCK = HandClock()


def record(number: str = "07700 900123") -> CallRecord:
    empty = cast(Any, None)
    now = datetime(2026, 1, 12, tzinfo=UTC)
    return CallRecord("call", "ctx", "twilio", read_number(number), "111", now, now, empty, 1, 1, 0, "1.1", {})


def test_own_number_is_a_mobile_another_or_none_that_may_be_used() -> None:
    wait = LookupWait("it", "number", stage="own_number")
    answers = [Nearby(CLOCK).answer(record(number), wait) for number in ("07700 900123", "020 7946 0123", "anonymous")]

    assert [(each.outcome, each.digits) for each in answers if each] == [
        ("mobile", "0123"),
        ("other", "0123"),
        ("none", ""),
    ]


@pytest.mark.parametrize(
    ("postcode", "area"),
    [
        ("E17 1AA", "north_east"),
        ("SE9 1AA", "south_east"),
        ("NW1 2AB", "unknown"),
        ("M1 1AE", "elsewhere"),
        ("nonsense", "unknown"),
        ("", "unknown"),
    ],
)
def test_area_is_an_integrated_care_board_where_there_is_one_answer(postcode: str, area: str) -> None:
    answer = Nearby(CLOCK, areas=london()).answer(record(), LookupWait("it", "area", postcode))

    assert answer is not None
    assert answer.outcome == area


def test_a_line_of_another_town_is_elsewhere_and_a_mobile_nowhere() -> None:
    nearby, wait = Nearby(CLOCK, areas=london()), LookupWait("it", "area")

    answers = [nearby.answer(record(number), wait) for number in ("0113 496 0123", "020 7946 0123", "07700 900123")]
    assert [each.outcome for each in answers if each] == ["elsewhere", "unknown", "unknown"]


def test_hours_and_states_are_those_of_the_service() -> None:
    nearby = Nearby(CLOCK, hours=OpeningHours({"dental": Week(always=True)}), free_state={"dental": "busy"}.__getitem__)

    answers = [nearby.answer(record(), LookupWait("it", what, "dental")) for what in ("hours", "service_state")]
    assert [each.outcome for each in answers if each] == ["open", "busy"]


def test_what_nobody_set_up_is_unknown() -> None:
    nearby = Nearby(CLOCK)
    for what in ("hours", "service_state", "area"):
        answer = nearby.answer(record(), LookupWait("it", what, "dental"))
        assert answer is not None
        assert answer.outcome == "unknown"
    assert nearby.answer(record(), LookupWait("it", "plan")) is None


def test_the_journal_is_told_the_area_of_a_number_and_then_of_a_postcode_but_neither_of_these() -> None:
    nearby = Nearby(CLOCK, areas=london())

    told = [nearby.certain_area(record(number)) for number in ("01689 900123", "020 7946 0123", "07700 900123")]
    assert told == [ev.AreaKnown(area="bromley", by="number"), ev.AreaKnown(area="london", by="number"), None]
    assert nearby.certain_area(record(), "E17 1AA") == ev.AreaKnown(area="waltham_forest", by="postcode")
    assert nearby.certain_area(record(), "M1 1AE") is None
