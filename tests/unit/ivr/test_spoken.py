"""What is given in words: numbers, dates, postcodes; doubt is nothing."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivr import pieces, spoken


@pytest.mark.parametrize(
    ("said", "digits"),
    [("one nine double five", "1955"), ("oh seven, seven", "077"), ("treble nine", "999"), ("1 2 3", "123"), ("", None),
     ("about three", None), ("eleven", None), ("third", None)],
)  # fmt: skip
def test_digits(said: str, digits: str | None) -> None:
    assert spoken.digits(said) == digits


@pytest.mark.parametrize(
    ("said", "iso"),
    [
        ("the fourth of April nineteen fifty", "1950-04-04"),
        ("It's the twenty first of March, nineteen eighty two.", "1982-03-21"),
        ("4th April 1950", "1950-04-04"),
        ("04/04/1950", "1950-04-04"),
        ("first of January two thousand and four", "2004-01-01"),
        ("second of may twenty twelve", "2012-05-02"),
        ("three of june nineteen oh five", "1905-06-03"),
        ("thirty first of april nineteen fifty", None),
        ("april", None),
        ("fourth of april", None),
        ("yesterday", None),
        ("", None),
    ],
)
def test_dates(said: str, iso: str | None) -> None:
    assert spoken.date_said(said) == iso


@given(st.dates(date(1880, 1, 1), date(2099, 12, 31)))
def test_every_day_is_keyed_and_has_its_pieces(day: date) -> None:
    iso = spoken.date_keyed(f"{day:%d%m%Y}")

    assert iso == day.isoformat()
    assert set(pieces.of_date(iso)) <= {*pieces.DAYS, *pieces.MONTHS, *pieces.DIGITS}


@given(st.text(max_size=40))
def test_nothing_that_is_said_breaks_the_reading(said: str) -> None:
    spoken.digits(said), spoken.date_said(said), spoken.date_keyed(said), spoken.postcode(said)
