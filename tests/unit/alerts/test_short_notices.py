"""A notice in few words fits into two parts of a text, and says what, where, since when, how bad and where to look."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.model import Metric
from alerts.notices.short import NO_LINK, short, spoken
from callrouter.texts.model import Template
from callrouter.texts.templates import ALERT_NOTICE, ALERT_WORDS
from tests.alert_notices import FIRED

TEMPLATE = Template(ALERT_NOTICE, ALERT_WORDS[ALERT_NOTICE])
TWO_PARTS = 306
LINE = st.text(min_size=1, max_size=200)


def test_a_text_says_it_all() -> None:
    assert TEMPLATE.fill(short(FIRED)) == (
        "CRITICAL: Callers wait too long. King's 111, since Sat 28 Mar 12:00. "
        "3 min 20 s (alert from 3 min 0 s). https://calls.example/wallboard"
    )


def test_a_text_says_that_it_has_cleared() -> None:
    cleared = replace(FIRED, kind="cleared", value=100.0)
    assert "CLEARED: Callers wait too long." in TEMPLATE.fill(short(cleared))
    assert "1 min 40 s (clear below 2 min 0 s)" in TEMPLATE.fill(short(cleared))


def test_what_is_told_once_has_no_bound() -> None:
    told = replace(FIRED, metric="welfare_task", value=1.0)
    assert short(told)["how_bad"] == "1 task"


@pytest.mark.parametrize(
    ("metric", "value", "how_bad"),
    [
        ("surge", 9.2, "9.2 standard deviations above usual"),
        ("night_message", 120, "120 minutes left for the review"),
        ("failed_calls", 1, "1 call (alert from 180)"),
        ("offered", 0, "0 calls (alert from 180)"),
    ],
)
def test_a_bare_number_says_of_what_it_is(metric: Metric, value: float, how_bad: str) -> None:
    assert short(replace(FIRED, metric=metric, value=value))["how_bad"] == how_bad


def test_what_is_worse_than_usual_is_said_once_and_whole() -> None:
    worse = replace(FIRED, metric="centile95_s", than_usual=True, value=28, worst=31, threshold=25, clear=15)
    assert short(worse)["how_bad"] == "28 % worse than usual for this hour (alert from 25 %)"


@pytest.mark.parametrize(
    ("words", "read"),
    [("King’s – “111”", 'King\'s - "111"'), ("Café", "Cafe"), ("a\n[b]", "a b"), ("x" * 80, "x" * 43 + "..")],
)
def test_what_a_text_cannot_carry_is_said_otherwise(words: str, read: str) -> None:
    assert short(replace(FIRED, where=words))["where"] == read


def test_half_a_link_is_never_sent() -> None:
    assert short(replace(FIRED, link="https://calls.example/" + "x" * 100))["link"] == NO_LINK


@given(what=LINE, where=LINE, link=LINE, value=st.floats(0, 1e15), more=st.integers(0, 300))
def test_law_every_notice_fits_into_two_parts(what: str, where: str, link: str, value: float, more: int) -> None:
    notice = replace(
        FIRED, kind="escalated", what=what, where=where, link=f"https://calls.example/{link}", value=value,
        threshold=value, also=("x",) * more,
    )  # fmt: skip
    assert len(TEMPLATE.fill(short(notice))) <= TWO_PARTS


def test_on_the_telephone_it_is_said_in_words() -> None:
    assert spoken(FIRED) == (
        "This is the 1 1 1 call control, critical alert. Callers wait too long. King's 111. "
        "Since 12:00. 3 minutes 20 seconds, alert from 3 minutes 0 seconds."
    )
    assert "1 minute 1 second, alert from" in spoken(replace(FIRED, value=61))
    assert "critical alert, which has cleared." in spoken(replace(FIRED, kind="cleared"))
    assert "critical alert that nobody has taken on." in spoken(replace(FIRED, kind="escalated"))


def test_of_a_group_the_worst_is_told_and_how_many_more() -> None:
    group = replace(FIRED, kind="escalated", also=("King's is slow", "Guy's is slow"), what="x" * 200)
    assert short(group)["what"].startswith("CRITICAL, NOT TAKEN ON: xxx")
    assert short(group)["what"].endswith("xx.. (+2 more)")
    assert spoken(group).endswith(" And 2 more.")


@given(what=LINE, where=LINE)
def test_law_what_is_spoken_is_never_an_option_or_markup(what: str, where: str) -> None:
    assert re.fullmatch(r"This [A-Za-z0-9 @$_!\"#%&'*+,\-./:;<=>?]*", spoken(replace(FIRED, what=what, where=where)))
