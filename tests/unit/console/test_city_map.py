"""The map of boroughs: 33 squares, counts in words, small ones held back from all but clinical roles."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from kpi_world import area

from alerts.figures.small_numbers import HELD_BACK, SMALL
from console.city_map import LEVELS, CityMap, city_map, squares
from infra.areas import london

MANY = {each.id: 20 for each in squares()}


def texts(shown: CityMap) -> dict[str, str]:
    return {tile.square.id: tile.text for tile in shown.tiles}


def test_every_borough_has_a_square_of_its_own() -> None:
    assert {each.id for each in squares()} == {each.id for each in london() if each.kind == "borough"}
    assert len({(each.row, each.column) for each in squares()}) == len(squares()) == 33
    assert len({each.short for each in squares()}) == 33


def test_counts_classes_and_callers_of_no_known_borough() -> None:
    shown = city_map([area("camden", 100), area("sutton", 41), area("london", 7), area("unknown", 1200)],
                     every_count=True)  # fmt: skip
    found = {tile.square.id: (tile.text, tile.level) for tile in shown.tiles}
    assert (found["camden"], found["sutton"], found["barnet"]) == (("100", 5), ("41", 3), ("0", 1))
    assert shown.elsewhere == "1,207"
    assert shown.legend == ("0 to 20", "21 to 40", "41 to 60", "61 to 80", "81 to 100")
    assert not shown.holds_back


def test_small_counts_are_held_back_outside_the_clinical_roles() -> None:
    shown = city_map([area("camden", 4), area("sutton", 41)], every_count=False)
    assert texts(shown)["camden"] == texts(shown)["barnet"] == "<5"
    assert texts(shown)["sutton"] == "40"
    assert shown.holds_back


def test_a_single_small_count_does_not_follow_from_the_sum() -> None:
    counts = MANY | {"camden": 3, "brent": 11, "unknown": 1200}
    shown = texts(city_map([area(name, count) for name, count in counts.items()], every_count=False))
    assert (shown["camden"], shown["brent"], shown["sutton"]) == ("<5", "–", "20")


def test_few_callers_of_no_known_borough_are_few_callers_too() -> None:
    counts = MANY | {"unknown": 2, "brent": 11}
    shown = city_map([area(name, count) for name, count in counts.items()], every_count=False)
    assert shown.elsewhere == "<5"
    assert texts(shown)["brent"] == "–", "or the sum of all would tell"


def test_a_map_of_small_counts_alone_has_no_classes() -> None:
    few = [area("camden", 2)]
    assert city_map(few, every_count=False).legend == ()
    assert city_map(few, every_count=True).legend == ("0 to 1", "2", "3", "4", "5")


def test_unknown_is_no_zero() -> None:
    shown = city_map(None, every_count=True)
    assert set(texts(shown).values()) == {""}
    assert shown.elsewhere == "not known"


@given(st.lists(st.integers(0, 3000), min_size=33, max_size=33))
def test_every_shown_count_lies_in_the_class_of_its_square(counts: list[int]) -> None:
    shown = city_map([area(each.id, count) for each, count in zip(squares(), counts, strict=True)], every_count=False)
    for tile, count in zip(shown.tiles, counts, strict=True):
        if tile.text in (SMALL, HELD_BACK):
            assert tile.level == 0
            continue
        assert 1 <= tile.level <= LEVELS
        ends = [int(each.replace(",", "")) for each in shown.legend[tile.level - 1].split(" to ")]
        assert ends[0] <= int(tile.text.replace(",", "")) <= ends[-1]
        assert abs(int(tile.text.replace(",", "")) - count) <= 2
    texts = [shown.elsewhere, *(tile.text for tile in shown.tiles)]
    assert sum(each in (SMALL, HELD_BACK) for each in texts) != 1
