"""What a row may hold: each fault is named by line and field, and none repeats the value."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from careplans.kinds import SNOMED, PlanKind, read_kind
from careplans.model import is_nhs_number
from careplans.rows import COLUMNS, CheckedRow, Row, check_row

TODAY = date(2026, 6, 15)
MakeRow = Callable[..., Row]

BAD: dict[str, tuple[dict[str, Any], str, str]] = {
    "no_id": ({"plan_id": " "}, "plan_id", "is missing"),
    "absent_source": ({"source": ...}, "source", "is missing"),
    "unknown_kind": ({"kind": "shopping list"}, "kind", "neither a known kind"),
    "kind_missing": ({"kind": None}, "kind", "neither a known kind"),
    "version_missing": ({"version": ""}, "version", "is missing"),
    "short_nhs_number": ({"nhs_number": "999000001"}, "nhs_number", "ten digits"),
    "letters_in_nhs_number": ({"nhs_number": "99900000I8"}, "nhs_number", "ten digits"),
    "no_family_name": ({"family_name": ""}, "family_name", "is missing"),
    "british_date": ({"date_of_birth": "12/04/1938"}, "date_of_birth", "YYYY-MM-DD"),
    "compact_date": ({"date_of_birth": "19380412"}, "date_of_birth", "YYYY-MM-DD"),
    "thirtieth_of_february": ({"valid_from": "2026-02-30"}, "valid_from", "day of the calendar"),
    "unborn": ({"date_of_birth": "2026-06-16"}, "date_of_birth", "future"),
    "placeholder_birth": ({"date_of_birth": "1753-01-01"}, "date_of_birth", "1880"),
    "year_1066": ({"valid_from": "1066-10-14"}, "valid_from", "before the NHS began"),
    "review_before_start": ({"review_by": "2026-05-03"}, "review_by", "before valid_from"),
    "too_many_numbers": ({"phones": ";".join(["07700900101"] * 21)}, "phones", "more than 20"),
    "no_handler_line": ({"handler_line": ""}, "handler_line", "is missing"),
    "long_handler_line": ({"handler_line": "x" * 161}, "handler_line", "longer than 160"),
    "broken_handler_line": ({"handler_line": "one\r\ntwo"}, "handler_line", "line break"),
    "reversed_handler_line": ({"handler_line": "a\u202eb"}, "handler_line", "control character"),
    "half_surrogate": ({"given_name": "\ud800"}, "given_name", "control character"),
    "bell_in_detail": ({"detail": "a\x07b"}, "detail", "control character"),
    "long_detail": ({"detail": "x" * 20_001}, "detail", "longer than 20000"),
    "version_in_words": ({"version": "two"}, "version", "whole number"),
    "negative_version": ({"version": "-1"}, "version", "whole number"),
    "half_version": ({"version": 1.5}, "version", "not text"),
    "perhaps_restricted": ({"restricted": "perhaps"}, "restricted", "neither yes nor no"),
    "list_for_a_name": ({"given_name": ["Edith"]}, "given_name", "not text"),
    "unknown_field": ({"Edith Example": "x"}, "row", "not one of the known"),
}


LEFT_OUT = {
    "sql_in_number": ("07700900101'; DROP TABLE plans;--", (), [1, 2, 3]),
    "xml_in_number": ("07700900101;<uri>sip:x</uri>", ("+447700900101",), [2, 3]),
    "crlf_in_number": ("07700\r\nVia: x", (), [1, 2]),
    "the_last_digits_of_a_second": ("07700 900101/2", ("+447700900101",), [2]),
    "a_digit_short": ("07700 90010; 020 7946 0101", ("+442079460101",), [1]),
    "an_extension": ("+44 (0)20 7946 0101 ext 4", (), [1]),
    "emoji_in_number": ("07700 900 10☎; 020 7946 0101", ("+442079460101",), [1]),
    "filler_number": ("08979 123456;07700900101", ("+447700900101",), [1]),
    "withheld_number": ("anonymous", (), [1]),
    "in_a_list": (["07700900101", "ask the daughter", "", "020 7946 0101"], ("+447700900101", "+442079460101"), [2]),
}


@pytest.mark.parametrize(
    "written",
    ["07700 900101 / 020 7946 0101", "07700 900101\n020 7946 0101, ", "07700900101|02079460101",
     '="07700900101;02079460101"', '="07700900101"; ="02079460101"'],
)  # fmt: skip
def test_two_numbers_in_one_cell_are_two_however_they_are_put_apart(row: MakeRow, written: str) -> None:
    checked = check_row(row(phones=written), TODAY)
    assert isinstance(checked, CheckedRow)
    assert (checked.plan.person.phones, checked.left_out) == (("+447700900101", "+442079460101"), ())


@pytest.mark.parametrize("case", BAD)
def test_a_bad_field_is_named(row: MakeRow, case: str) -> None:
    changes, field, reason = BAD[case]
    faults = check_row(row(7, **changes), TODAY)
    assert isinstance(faults, tuple)
    assert [(fault.line, fault.field) for fault in faults] == [(7, field)]
    assert reason in faults[0].reason


def test_an_nhs_number_that_a_spreadsheet_was_kept_from_changing_is_read(row: MakeRow) -> None:
    checked = check_row(row(nhs_number='="999 000 0018"'), TODAY)
    assert isinstance(checked, CheckedRow)
    assert checked.plan.person.nhs_number == "9990000018"


def test_every_fault_of_a_row_is_reported_at_once(row: MakeRow) -> None:
    faults = check_row(row(version="x", kind="x", handler_line=""), TODAY)
    assert isinstance(faults, tuple)
    assert {fault.field for fault in faults} == {"version", "kind", "handler_line"}


@given(field=st.sampled_from(COLUMNS), value=st.text(min_size=4) | st.binary() | st.floats() | st.none())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_value_breaks_a_row_or_stands_in_its_faults(row: MakeRow, field: str, value: object) -> None:
    canary = f"Zzyzx{value}" if isinstance(value, str) else value
    checked = check_row(row(**{field: canary}), TODAY)
    if not isinstance(checked, CheckedRow):
        assert all("Zzyzx" not in fault.reason and fault.field in COLUMNS for fault in checked)


@pytest.mark.parametrize(
    "written",
    ["+44(0)7700 900101", "0044 7700 900101", "07700-900-101", "07700.900.101", "tel:+447700900101",
     "TEL: 07700 900101", "(07700) 900101", "٠٧٧٠٠٩٠٠١٠١", "０７７００ ９００１０１", "07700\u2011900\u2013101",
     "07700\u202f900101", "\u202a+44 7700 900101\u202c", '="07700900101"', ['="07700900101"']],
)  # fmt: skip
def test_a_number_is_read_in_any_spelling(row: MakeRow, written: str | list[str]) -> None:
    checked = check_row(row(phones=written), TODAY)
    assert isinstance(checked, CheckedRow)
    assert checked.plan.person.phones == ("+447700900101",)


@pytest.mark.parametrize(
    "written",
    ["07700 900101 ext 12", "07700 900101 x12", "07700 900101²", "0800 FLOWERS", "07700 900101 (wife)", "999"],
)
def test_what_might_be_another_number_is_none(row: MakeRow, written: str) -> None:
    """An extension is a switchboard's, and nobody calls from it: who sends it is told."""
    checked = check_row(row(phones=written), TODAY)
    assert isinstance(checked, CheckedRow)
    assert checked.plan.person.phones == ()
    assert [(each.field, each.reason) for each in checked.left_out] == [
        ("phones", "number 1 is not a telephone number: it is left out")
    ]


@pytest.mark.parametrize("case", LEFT_OUT)
def test_a_number_that_cannot_be_read_keeps_neither_the_others_nor_the_plan_out(row: MakeRow, case: str) -> None:
    written, kept, places = LEFT_OUT[case]
    given = row(7, phones=written)
    checked = check_row(given, TODAY)
    assert isinstance(checked, CheckedRow)
    assert (checked.plan.person.phones, checked.row) == (kept, given)
    assert [(each.line, each.field) for each in checked.left_out] == [(7, "phones")] * len(places)
    assert [int(each.reason.split()[1]) for each in checked.left_out] == places


def test_a_good_row_becomes_a_plan(row: MakeRow) -> None:
    checked = check_row(row(phones="07700 900101; +44 20 7946 0101;07700900101"), TODAY)
    assert isinstance(checked, CheckedRow)
    assert checked.plan.kind is PlanKind.END_OF_LIFE
    assert checked.plan.person.phones == ("+447700900101", "+442079460101")
    assert checked.warnings == ()


def test_json_types_are_taken_as_well_as_text(row: MakeRow) -> None:
    values = {
        "version": 4,
        "restricted": True,
        "phones": ["07700900101"],
        "review_by": None,
        "nhs_number": 9990000018,
    }
    checked = check_row(row(**values), TODAY)
    assert isinstance(checked, CheckedRow)
    plan = checked.plan
    assert (plan.version, plan.restricted, plan.person.phones) == (4, True, ("+447700900101",))
    assert (plan.review_by, plan.person.nhs_number) == (None, "9990000018")


def test_a_plan_prints_nothing_personal(row: MakeRow) -> None:
    checked = check_row(row(), TODAY)
    assert isinstance(checked, CheckedRow)
    printed = repr(checked) + repr(checked.plan.person) + repr(row())
    assert not any(word in printed for word in ("Edith", "1938", "9990000018", "900101", "hospice line", "Medicines"))


@pytest.mark.parametrize("number", ["9990000019", "1111111111", "0000000000"])
def test_a_bad_check_digit_warns_and_keeps(row: MakeRow, number: str) -> None:
    """ "Inbound with a bad check digit: warn, keep, never match on it." """
    checked = check_row(row(5, nhs_number=number), TODAY)
    assert isinstance(checked, CheckedRow)
    assert [(fault.line, fault.field) for fault in checked.warnings] == [(5, "nhs_number")]


@pytest.mark.parametrize(("day", "warned"), [("2026-06-15", []), ("2026-06-16", [(5, "valid_from")])])
def test_a_plan_of_the_future_warns_and_is_found_from_now_on(row: MakeRow, day: str, warned: list[object]) -> None:
    checked = check_row(row(5, valid_from=day), TODAY)
    assert isinstance(checked, CheckedRow)
    assert [(fault.line, fault.field) for fault in checked.warnings] == warned


@pytest.mark.parametrize(
    ("number", "right"),
    [
        ("9434765919", True),  # the NHS Data Dictionary's own example
        ("9990000018", True),
        ("9990000034", True),
        ("9990000019", False),
        ("9990000140", False),  # the remainder asks for a check digit of 10: never issued
        ("0000000000", False),
        ("999000001", False),
        ("٩٩٩٠٠٠٠٠١٨", False),
    ],
)
def test_modulus_11(number: str, right: bool) -> None:
    assert is_nhs_number(number) is right


@given(st.integers(0, 999_999_999), st.integers(0, 9), st.integers(1, 9))
def test_modulus_11_finds_every_single_wrong_digit(start: int, place: int, off: int) -> None:
    right = next((f"{start:09}{check}" for check in range(10) if is_nhs_number(f"{start:09}{check}")), None)
    if right is not None:
        wrong = right[:place] + str((int(right[place]) + off) % 10) + right[place + 1 :]
        assert not is_nhs_number(wrong)


@pytest.mark.parametrize("code", SNOMED)
def test_a_kind_is_known_by_code_name_and_short_name(code: str) -> None:
    kind = read_kind(code)
    words = kind.value.replace("_", " ")
    spellings = (kind.value, words.upper(), words.replace(" ", "-"), words.removesuffix(" plan"))
    assert {read_kind(text) for text in spellings} == {kind}


def test_crisis_and_end_of_life_raise() -> None:
    raising = {kind for kind in PlanKind if kind.raises}
    assert raising == {PlanKind.CRISIS, PlanKind.END_OF_LIFE, PlanKind.END_OF_LIFE_COORDINATION}
