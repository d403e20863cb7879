"""Telephone numbers as they arrive: what may be looked up, and what may never be."""

from __future__ import annotations

import phonenumbers
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.asterisk.facts import caller_number
from careplans.model import Match, MatchLevel, unmatchable
from infra.numbers import Number, NumberClass, calling_number, read_number


@pytest.mark.parametrize(
    "raw",
    [
        "07700 900123",
        "07700900123",
        "(07700) 900-123",
        "+447700900123",
        "+44 (0)7700 900123",
        "+44 (0) 7700 900 123",
        "0044 7700 900123",
        "00447700900123",
        "0044 (0)7700 900123",
        "447700900123",
        " 07700900123\r\n",
        "07700\u00a0900123",
    ],
)
def test_a_uk_number_is_one_number_however_it_is_written(raw: str) -> None:
    assert read_number(raw) == Number(NumberClass.PRESENT, "+447700900123")


@pytest.mark.parametrize(
    ("raw", "e164"),
    [
        ("020 7946 0123", "+442079460123"),
        ("01632 960123", "+441632960123"),
        ("+1 202 555 0143", "+12025550143"),
        ("0033 1 99 00 12 34", "+33199001234"),
    ],
)
def test_landlines_and_foreign_numbers_are_present(raw: str, e164: str) -> None:
    assert read_number(raw) == Number(NumberClass.PRESENT, e164)


@pytest.mark.parametrize(
    "raw", [None, "", "  ", "anonymous", "Anonymous", "RESTRICTED", "unavailable", "unknown", "private", "withheld"]
)
def test_a_missing_number_is_withheld(raw: str | None) -> None:
    assert read_number(raw) == Number(NumberClass.WITHHELD)


def test_the_networks_word_wins_over_the_number_that_is_there() -> None:
    """SIP ``Privacy: id`` beside a number in ``P-Asserted-Identity``."""
    assert read_number("07700900123", withheld=True) == Number(NumberClass.WITHHELD)


def test_the_number_of_a_diverted_line_is_not_the_callers() -> None:
    surgery, caller = "+442079460123", "07700900123"
    assert calling_number(surgery, diverter="020 7946 0123") == Number(NumberClass.DIVERTED)
    assert calling_number(caller, diverter=surgery) == read_number(caller)
    assert calling_number(surgery, withheld=True, diverter=surgery) == Number(NumberClass.WITHHELD)
    assert calling_number("", diverter="") == Number(NumberClass.WITHHELD)
    assert caller_number({"PAI": f"<sip:{surgery}@gp.example>", "DIVERTER": surgery}).kind is NumberClass.DIVERTED
    assert caller_number({"CLI": caller, "DIVERTER": surgery}) == read_number(caller)
    assert unmatchable(Number(NumberClass.DIVERTED)) == Match(MatchLevel.NONE, "diverted_line")


@pytest.mark.parametrize(
    "raw", ["08979 123456", "+448979123456", "0044 8979 123456", "+44 (0)8979 123456", "08979123", "08979000000000"]
)
def test_the_carriers_filler_is_no_number(raw: str) -> None:
    assert read_number(raw) == Number(NumberClass.CARRIER_FILLER)


@pytest.mark.parametrize(
    "raw",
    [
        "07700900123' OR '1'='1",
        "1; DROP TABLE plans;--",
        "<number>07700900123</number>",
        "<!DOCTYPE x [<!ENTITY e SYSTEM 'file:///'>]>",
        "07700900123\r\nX-Injected: yes",
        "07700\n900123",
        "07700\t900123",
        "07700900123\x00",
        "☎️07700900123",
        "🙂",
        "０７７００９００１２３",  # digits, but not ASCII ones
        "٠٧٧٠٠٩٠٠١٢٣",
        "sip:07700900123@example.org",
        "tel:07700900123",
        "07700900123;ext=5",
        "${EXTEN}",
        "0" * 33,
        "07700 900123 07700 900123",
        "111",
        "999",
        "+",
        "()",
        "12",
        "07700 90012",  # a digit short
        "020 7946 012",
        "01632 96012",
        "+44 7700 9001",
    ],
)
def test_what_is_no_number_is_unreadable(raw: str) -> None:
    assert read_number(raw) == Number(NumberClass.UNREADABLE)


@pytest.mark.parametrize("raw", ["08979", "018979"])
def test_a_bare_filler_prefix_is_not_looked_up(raw: str) -> None:
    assert read_number(raw).kind is not NumberClass.PRESENT


@given(st.text() | st.text(alphabet="0123456789+-() .;<>'\r\n", max_size=40))
def test_whatever_arrives_only_e164_goes_on(raw: str) -> None:
    number = read_number(raw)
    assert (number.e164 is not None) == (number.kind is NumberClass.PRESENT)
    if number.e164 is not None:
        assert number.e164[0] == "+"
        assert number.e164[1:].isascii()
        assert number.e164[1:].isdigit()
        assert len(number.e164) <= 16


@pytest.mark.parametrize(("raw", "e164"), [("01204 62011", "+44120462011"), ("0800 123456", "+44800123456")])
def test_the_few_british_numbers_of_nine_digits_are_numbers(raw: str, e164: str) -> None:
    assert read_number(raw) == Number(NumberClass.PRESENT, e164)


@given(st.integers(0, 999))
def test_a_number_read_again_is_the_same(last: int) -> None:
    number = read_number(f"07700 900{last:03}")
    assert read_number(number.e164) == number


def test_a_text_may_go_to_mobiles_only() -> None:
    mobile = phonenumbers.example_number_for_type("GB", phonenumbers.PhoneNumberType.MOBILE)
    assert mobile is not None
    assert read_number(phonenumbers.format_number(mobile, phonenumbers.PhoneNumberFormat.E164)).is_mobile
    assert not any(read_number(raw).is_mobile for raw in ("020 7946 0123", "anonymous", "12"))


def test_a_fictional_mobile_is_a_mobile() -> None:
    assert read_number("07700 900123").is_mobile
