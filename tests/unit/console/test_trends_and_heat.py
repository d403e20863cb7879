"""Trend lines and the hours of the week: what stands in them, and what is left open."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from kpi_world import kpis

from alerts.figures.items import Kpis
from alerts.figures.targets import targets
from console.heat import heat
from console.trends import by_hour, of_day, trends

MONDAY = datetime(2026, 2, 2, tzinfo=UTC)  # London and UTC agree in February
ANSWERED_60 = next(each for each in targets() if each.id == "answered_60")


def hour(at: datetime, answers: dict[int, int], **ends: int) -> Kpis:
    return kpis(start=at, answers=answers, ends=ends)


def test_a_trend_has_a_point_for_each_hour_with_calls_and_a_gap_for_the_others() -> None:
    today = [hour(MONDAY + timedelta(hours=n), {10: 19, 70: 1}) for n in (8, 9, 11)]
    found = trends(targets(), hour(MONDAY, {10: 57, 70: 3}), today, [])
    chart = next(each for each in found.charts if each.id == "answered_60")
    assert chart.today.path.count("M") == 2, "a gap begins a new stroke"
    assert len(chart.today.dots) == 3
    assert chart.last_week.path == ""
    assert chart.so_far.figure == "95.0%"
    assert (chart.so_far.verdict, chart.so_far.target, chart.so_far.mark) == ("Met", "at least 95.0%", "")
    assert chart.today.dots[0][1] == chart.target_y, "95 % lies on the line of the target"


def test_targets_without_a_source_that_was_read_say_so_and_what_is_not_collected_is_not_drawn() -> None:
    found = trends(targets(), hour(MONDAY, {10: 10}, abandoned=1), [], [])
    marks = {each.id: (each.so_far.verdict, each.so_far.mark) for each in found.charts}
    assert marks == {
        "abandoned": ("Missed", "source not verified"),
        "answered_60": ("Met", ""),
        "average_answer": ("Met", "source not verified"),
        "centile_95_answer": ("Met", "source not verified"),
    }


def test_without_any_figure_the_table_holds_dashes() -> None:
    found = trends(targets(), None, [], [])
    assert len(found.rows) == 24
    assert {cell for _, cells in found.rows for cell in cells} == {"–"}
    assert {each.so_far.figure for each in found.charts} == {"not known"}
    assert "call_back_20" not in {each.id for each in found.charts}, "nobody collects call-backs"


def test_hours_are_london_hours() -> None:
    summer = datetime(2026, 7, 6, 8, tzinfo=UTC)
    line = by_hour(ANSWERED_60, [hour(summer, {10: 1})])
    assert (line[9], line[8]) == (1.0, None)
    assert of_day([hour(datetime(2026, 7, 5, 23, 30, tzinfo=UTC), {})], date(2026, 7, 6))


def weeks(answers: list[dict[int, int]]) -> list[Kpis]:
    return [hour(MONDAY + timedelta(weeks=n, hours=8), each) for n, each in enumerate(answers)]


@pytest.mark.parametrize(
    ("answers", "text"),
    [([{10: 3}, {10: 5}, {10: 40}], "5"), ([{10: 3}, {10: 6}], "4.5"), ([{10: 1204}], "1,204")],
)
def test_calls_of_an_hour_are_the_median_of_the_weeks(answers: list[dict[int, int]], text: str) -> None:
    found = heat(weeks(answers), "offered")
    name, cells = found.rows[0]
    assert (name, cells[8].text, found.days) == ("Monday", text, len(answers))
    assert cells[9].text == "0", "a day that has other hours had no call in this one"
    assert found.rows[1][1][8].text == "–", "of a Tuesday nothing is known"


def test_waits_are_the_centile_of_all_weeks_together_and_no_average_of_centiles() -> None:
    found = heat(weeks([{10: 99}, {600: 1}]), "wait")
    assert found.rows[0][1][8].text == "0:10"
    assert found.rows[0][1][9].text == "–", "nobody waited"


def test_the_hour_that_spring_skips_is_no_hour_without_calls() -> None:
    skipping, before = datetime(2026, 3, 29, 12, tzinfo=UTC), datetime(2026, 3, 22, 12, tzinfo=UTC)
    at_one = datetime(2026, 3, 22, 1, tzinfo=UTC)
    found = heat([hour(skipping, {10: 4}), hour(before, {10: 4}), hour(at_one, {10: 4})], "offered")
    assert found.rows[6][1][1].text == "4"


def test_without_history_there_is_no_legend() -> None:
    found = heat([], "offered")
    assert (found.legend, found.days) == ((), 0)
    assert {cell.text for _, cells in found.rows for cell in cells} == {"–"}
