"""Clocks of two machines, compared across an answer that took its time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from callrouter.doctor.clocks import compare, compare_http

ASKED = datetime(2026, 3, 29, 0, 59, 58, 500000, tzinfo=UTC)
ANSWERED = ASKED + timedelta(seconds=3)


@pytest.mark.parametrize(
    ("their_s", "level"),
    [
        (0, "ok"),
        (1.5, "ok"),
        (3, "ok"),
        (-0.9, "ok"),
        (3.9, "ok"),
        (-1.1, "warning"),
        (4.1, "warning"),
        (3600, "warning"),
    ],
)
def test_a_clock_that_may_be_right_is_all_right(their_s: float, level: str) -> None:
    assert compare("sql", ASKED + timedelta(seconds=their_s), ASKED, ANSWERED).level == level


def test_how_far_it_is_off_is_said_and_what_to_do() -> None:
    finding = compare("sql", ASKED - timedelta(seconds=90), ASKED, ANSWERED)
    assert finding.text == "its clock and ours differ by 90.0 s"
    assert "NTP" in finding.do


def test_a_date_header_has_whole_seconds() -> None:
    date = format_datetime(ASKED.replace(microsecond=0), usegmt=True)
    assert [each.level for each in compare_http("twilio", date, ASKED, ANSWERED)] == ["ok"]
    assert compare_http("twilio", None, ASKED, ANSWERED) == []
