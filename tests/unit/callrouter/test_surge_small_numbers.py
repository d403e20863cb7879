"""What outside the clinical roles is not to be read from one page of a surge, nor from two."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import pytest

from alerts.surges.chart import Hour
from alerts.surges.model import EVERYWHERE, Series
from callrouter.surges.small_numbers import nested, without_small
from infra.areas import london

BROMLEY, BEXLEY, BOARD, CITY = (Series("rash", area) for area in ("bromley", "bexley", "south_east", EVERYWHERE))
COUGH = Series("cough", EVERYWHERE)


def hours(*demands: int, deflected: int = 0) -> list[Hour]:
    return [Hour(datetime(2026, 3, 24, 9, tzinfo=UTC), each, deflected, None, None) for each in demands]


def shown(
    series: Series, all_hours: dict[Series, Sequence[Hour]], pages: Sequence[Series] | None = None
) -> list[int | None]:
    around = nested(series, [*all_hours] if pages is None else pages, london())
    return [each.demand for each in without_small(series, all_hours, around)]


def test_small_counts_and_what_tells_them_are_withheld() -> None:
    (few,) = without_small(BROMLEY, {BROMLEY: hours(4, deflected=4)}, [])
    (rest,) = without_small(BROMLEY, {BROMLEY: hours(12, deflected=9)}, [])
    assert [(each.demand, each.deflected) for each in (few, rest)] == [(None, None), (12, None)]


@pytest.mark.parametrize(("bromley", "board", "told"), [(12, 14, None), (12, 12, 12), (12, 17, 12), (12, 16, None)])
def test_a_small_rest_of_a_wider_page_is_not_to_be_reckoned(bromley: int, board: int, told: int | None) -> None:
    assert shown(BROMLEY, {BROMLEY: hours(bromley), BOARD: hours(board)}) == [told]


@pytest.mark.parametrize(
    ("kept_from_queue", "told"),
    [
        pytest.param(14, None, id="two others of the board were kept from the queue"),
        pytest.param(12, 12, id="nobody else was"),
        pytest.param(17, 12, id="five others were"),
        pytest.param(50, None, id="all others but two were"),
    ],
)
def test_nor_is_a_small_rest_of_those_kept_from_the_queue(kept_from_queue: int, told: int | None) -> None:
    found = {BROMLEY: hours(40, deflected=12), BOARD: hours(80, deflected=kept_from_queue)}
    (hour,) = without_small(BROMLEY, found, nested(BROMLEY, [*found], london()))
    assert (hour.demand, hour.deflected) == (40, told)


def test_nor_is_what_several_pages_leave_of_a_wider_one() -> None:
    found = {BROMLEY: hours(12), BEXLEY: hours(20), BOARD: hours(35), CITY: hours(90), COUGH: hours(13)}
    assert [shown(each, found) for each in (BROMLEY, BEXLEY, BOARD, CITY)] == [[None], [None], [35], [90]]


def test_a_wider_area_without_a_page_tells_nothing() -> None:
    assert shown(BROMLEY, {BROMLEY: hours(12), BOARD: hours(14)}, pages=[]) == [12]
