"""The daily report: who may read it, and its words for what is unfinished, not known and not collected."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from console_world import NOON, World
from kpi_world import kpis
from test_console_wallboard import get

from alerts.figures.items import CLASSES
from callrouter.figures.wallboard import rows_kept
from callrouter.handover import Role
from careplans.retention import Kept, Record
from console.daily import DayFigures, daily_report
from console.reports import read_day
from console.rows_kept import RowsKept
from console.wallboard import REPORT_ROLES

DAY = date(2026, 2, 2)
NEXT_MORNING = datetime(2026, 2, 3, 6, tzinfo=UTC)


def figures(**more: Any) -> DayFigures:
    total = kpis(answers={10: 94, 70: 6}, ends={"abandoned": 4, "deflected": 3, "in_progress": 1}, **more)
    auditor = kpis("provider:auditor", "auditor", answers={1: 9})
    return DayFigures(total, None, [kpis("provider:north", "North", answers={10: 100}), auditor], [])


def test_the_classes_of_calls_sum_to_calls_received() -> None:
    report = daily_report(DAY, NEXT_MORNING, figures(), every_count=True)
    assert len(report.ends) == len(CLASSES)
    assert sum(int(count) for _, count, _ in report.ends) == int(report.ends_sum) == 108
    assert next(row.offered for row in report.items if row.code == "A01") == report.ends_sum


def test_targets_are_met_or_missed_in_words_and_unverified_ones_say_so() -> None:
    report = daily_report(DAY, NEXT_MORNING, figures(), every_count=True)
    assert report.summary == (
        "108 calls were offered. Met: average time to answer, 95th centile of time to answer."
        " Missed: calls abandoned, answered within 60 seconds."
    )
    marks = {line.offered.title: line.offered.mark for line in report.target_lines}
    assert marks["Answered within 60 seconds"] == ""
    assert marks["Calls abandoned"] == "source not verified"
    assert {line.message_end.figure for line in report.target_lines} == {"not known"}, "the other clock is not known"


def test_a_day_without_calls_judges_no_target() -> None:
    report = daily_report(DAY, NEXT_MORNING, DayFigures(kpis(), kpis(), [], []), every_count=True)
    assert report.summary == "0 calls were offered. No target can be judged."


@pytest.mark.parametrize(
    ("now", "until", "so_far"),
    [(NEXT_MORNING, NEXT_MORNING, ""), (NEXT_MORNING, NOON.replace(day=2), "Mon 2 February 2026, 12:00"),
     (NEXT_MORNING, None, "a time that is not known"), (NOON.replace(day=2), NOON.replace(day=2, hour=11), "11:00")],
)  # fmt: skip
def test_a_day_that_is_not_counted_to_its_end_says_until_when(
    now: datetime, until: datetime | None, so_far: str
) -> None:
    assert daily_report(DAY, now, replace(figures(), until=until)).so_far == so_far


@pytest.mark.parametrize(
    ("day", "words"),
    [(date(2026, 3, 29), "The clocks changed: this day had 23 hours."),
     (date(2026, 10, 25), "The clocks changed: this day had 25 hours."), (DAY, "")],
)  # fmt: skip
def test_days_on_which_clocks_change_say_so(day: date, words: str) -> None:
    assert daily_report(day, datetime(2026, 11, 1, tzinfo=UTC), figures()).hours == words


def test_what_came_of_a_providers_calls_stands_beside_it() -> None:
    north = kpis("provider:north", "North", answers={10: 100}, D13=7, D14=6, RECONTACT_BASE=9, RECONTACT_1H=2,
                 RECONTACT_24H=3, RECONTACT_72H=3)  # fmt: skip
    found = replace(figures(), providers=[north, kpis("provider:south", "South")])
    report = daily_report(DAY, NEXT_MORNING, found, every_count=True)
    assert report.afterwards == (("North", ("7", "6", "9", "2", "3", "3")), ("South", ("0",) * 6))


@pytest.mark.parametrize(
    ("kept", "told"),
    [(RowsKept(), "774220"), (RowsKept(timedelta(days=2), timedelta(days=2)), "774220"),
     (RowsKept(recontact=timedelta(days=1)), "77????"), (RowsKept(call_backs=timedelta(days=1)), "??4220")],
)  # fmt: skip
def test_what_single_calls_told_is_not_known_once_some_may_be_gone(kept: RowsKept, told: str) -> None:
    values = {"D13": 7, "D14": 7, "RECONTACT_BASE": 4, "RECONTACT_1H": 2, "RECONTACT_24H": 2, "RECONTACT_72H": None}
    found = replace(figures(**values), providers=[kpis("provider:north", "North", answers={10: 100}, **values)])
    report = daily_report(DAY, NEXT_MORNING, found, every_count=True, kept=kept)
    (north,) = [[each.replace("not known", "?") for each in cells] for _, cells in report.afterwards]
    assert "".join(north) == told
    assert "".join(count.replace("not known", "?") for _, count in report.recontact) == told[2:]
    assert ("D13" in {row.code for row in report.items}) == ("?" not in told[:2])


def test_they_are_kept_as_the_retention_says() -> None:
    table = [
        Kept(Record.KPI_RECONTACT, timedelta(days=9), "a test", "IG"),
        Kept(Record.KPI_CALL, timedelta(days=7), "a test", ""),
    ]
    assert rows_kept(table) == RowsKept(recontact=timedelta(days=9))
    verified = [*table, replace(table[1], verified="IG")]
    assert rows_kept(verified) == RowsKept(recontact=timedelta(days=7), call_backs=timedelta(days=7))


def test_probes_of_the_auditor_are_in_no_table() -> None:
    report = daily_report(DAY, NEXT_MORNING, figures())
    assert [name for name, _ in report.providers] == [name for name, _ in report.afterwards] == ["North"]


@pytest.mark.parametrize("role", sorted(Role))
async def test_the_report_is_for_those_who_answer_for_the_service(role: Role) -> None:
    page = await get(World(open_wallboard=True), "/reports/daily/2026-02-02", role)
    assert page.status_code == (200 if role in REPORT_ROLES else 403)


async def test_the_report_asks_for_sign_in_even_where_the_wallboard_is_open() -> None:
    page = await get(World(open_wallboard=True), "/reports/daily/2026-02-02")
    assert page.headers["location"] == "/sign-in?next=%2Freports%2Fdaily%2F2026-02-02"


async def test_the_page_says_what_is_not_collected_and_what_is_unfinished() -> None:
    over = (await get(World(), "/reports/daily/2026-02-02", Role.COMMISSIONER)).text
    assert "Monday 2 February 2026" in over
    assert "Not collected: call-backs that services place themselves" in over
    assert "This day is not over" not in over
    today = (await get(World(), f"/reports/daily/{NOON:%Y-%m-%d}", Role.COMMISSIONER)).text
    assert "This day is not over." in today
    assert "until 12:00" in today


async def test_a_day_of_which_nothing_is_kept_is_no_day_without_calls() -> None:
    world = World()
    world.past.empty = True
    page = (await get(world, "/reports/daily/2025-02-02", Role.COMMISSIONER)).text
    assert "No figures of this day are kept" in page
    assert "0 calls" not in page


async def test_without_its_database_there_is_no_report() -> None:
    world = World()
    world.past.away = True
    page = await get(world, "/reports/daily/2026-02-02", Role.COMMISSIONER)
    assert page.status_code == 503
    assert "The service cannot reach its database" in page.text


@pytest.mark.parametrize("day", ["2026-02-04", "yesterday", "2026-2-2", "20260202", "2026-02-30"])
async def test_days_to_come_and_what_is_no_day_are_no_page(day: str) -> None:
    assert (await get(World(), f"/reports/daily/{day}", Role.COMMISSIONER)).status_code == 404


def test_only_plain_dates_are_read() -> None:
    assert (read_day("2026-02-02"), read_day("2026-W06-1")) == (DAY, None)
