"""Where a caller may be, from the shipped file of areas."""

from __future__ import annotations

import pytest

from infra.areas import district_of, london

BOROUGHS = 33  # 32 boroughs and the City of London


def test_every_borough_has_its_code_its_board_and_its_districts() -> None:
    boroughs = [each for each in london() if each.kind == "borough"]
    assert sorted(each.code for each in boroughs) == [f"E090000{number:02}" for number in range(1, BOROUGHS + 1)]
    boards = {each.id for each in london() if each.kind == "icb"}
    assert len(boards) == 5
    assert {each.within[0] for each in boroughs} == boards
    for each in boroughs:
        assert each.within[1] == "london"


@pytest.mark.parametrize(
    ("typed", "district"),
    [
        ("se1 7eh", "SE1"), ("SW1A 2AA", "SW1"), ("sw1a", "SW1"), ("E1W", "E1"), (" n1 ", "N1"), ("cr0 2yr", "CR0"),
        ("EC1A1BB", "EC1"), ("", ""), ("London", ""), ("12345", ""), ("SE1 7E", ""), ("SE1; DROP", ""),
    ],
)  # fmt: skip
def test_the_district_of_what_was_typed(typed: str, district: str) -> None:
    assert district_of(typed) == district


def test_a_postcode_lies_in_its_borough_its_board_and_london() -> None:
    assert london().of_postcode("CR0 2YR") == {
        "croydon", "sutton", "south_west", "london",
    }  # fmt: skip
    assert "southwark" in london().of_postcode("SE1 7EH")
    assert london().of_postcode("M1 1AE") == frozenset()


def test_a_landline_tells_london_and_sometimes_the_borough_a_mobile_nothing() -> None:
    assert london().of_number("+442079460123") == {"london"}
    assert london().of_number("+441689900123") == {"bromley", "south_east", "london"}
    assert london().of_number("+447700900123") == frozenset()
    assert london().of_number(None) == frozenset()


@pytest.mark.parametrize(
    ("where", "certain"),
    [
        (london().of_number("+441689900123"), "bromley"),
        (london().of_postcode("CR0 2YR"), "south_west"),
        (london().of_postcode("NW1 2AB"), "london"),
        (london().of_number("+442079460123"), "london"),
        (frozenset(), None),
    ],
)
def test_the_certain_area_is_the_narrowest_that_is_alone_of_its_kind(where: frozenset[str], certain: str) -> None:
    assert london().certain(where) == certain


def test_an_unknown_area_holds_nothing() -> None:
    assert london().around("atlantis") == frozenset()
    assert london().around("south_west") == {"south_west", "london"}


LONDON_POSTAL_AREA = {
    "E": {*range(1, 19), 20}, "EC": range(1, 5), "N": range(1, 23), "NW": range(1, 12), "SE": range(1, 29),
    "SW": range(1, 21), "W": range(1, 15), "WC": (1, 2),
}  # fmt: skip
"""The postcode districts of the London post town (Royal Mail; E19 was never one, a letter behind is left out)."""


@pytest.mark.parametrize("letters", LONDON_POSTAL_AREA)
def test_every_district_of_the_london_post_town_lies_in_a_borough_and_its_board(letters: str) -> None:
    for number in LONDON_POSTAL_AREA[letters]:
        kinds = {london()[each].kind for each in london().of_postcode(f"{letters}{number} 1AA")}
        assert {"borough", "icb"} <= kinds, f"{letters}{number}"
