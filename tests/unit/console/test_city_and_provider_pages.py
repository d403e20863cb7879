"""The city's page and a provider's: windows, alerts, small numbers, both clocks, and what is not known."""

from __future__ import annotations

import asyncio
import re
import time
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from console_world import NOON, Firing, SetPast, World
from kpi_world import kpis
from test_console_wallboard import get

from alerts.figures.items import Clock, Kpis, ScopeKind, Seconds
from alerts.figures.targets import targets
from callrouter.handover import Role
from console.board import board
from console.city import Asked, city_fragments, read_firing
from console.city_map import squares
from console.distribution import bands
from console.fragments import Fragments
from console.item_table import item_rows
from console.kept import PATIENCE_S, RETRY_S
from console.measures import judged
from console.readings import ALERTS_KEPT_S, TODAY_KEPT_S, Readings
from console.windows import Days, Window, read_typed

SMALL = ">&lt;5</text>"


async def page(world: World, path: str = "/", role: Role = Role.COMMISSIONER) -> str:
    found = await get(world, path, role)
    assert found.status_code == 200
    return found.text


@pytest.mark.parametrize(
    ("query", "during", "offered"),
    [("", "since midnight", "2,148"), ("?window=60", "in the last 60 minutes", "175"),
     ("?window=15", "in the last 15 minutes", "42"), ("?window=5", "in the last 5 minutes", "12"),
     ("?window=7", "since midnight", "2,148"), ("?window=week", "since Monday", "4,296"),
     ("?from=2026-01-01&to=2026-01-03", "from 1 January 2026 to 3 January 2026", "6,444"),
     ("?from=2026-01-01&to=2026-01-01", "on 1 January 2026", "2,148")],
)  # fmt: skip
async def test_a_window_is_a_link_and_its_counts_are_of_it(query: str, during: str, offered: str) -> None:
    text = await page(World(), f"/{query}")
    assert f'Of <strong data-cell="offered">{offered}</strong> calls {during}:' in text
    assert text.count('aria-current="true"') == 2 - ("from" in query), "the window and the measure of the hours"


@pytest.mark.parametrize("path", ["/", "/providers/south_east"])
async def test_where_who_still_waits_has_no_time_the_page_says_so_beside_the_figure(path: str) -> None:
    counted, left_out = "those who wait counted at their time so far", "without those who still wait"
    for query, there, not_there in (("?window=60", counted, left_out), ("?window=week", left_out, counted)):
        text = await page(World(), f"{path}{query}")
        assert (text.count(there), text.count(not_there)) == (1, 0)


@pytest.mark.parametrize("path", ["/", "/providers/south_east"])
async def test_days_are_typed_into_a_form_and_what_is_wrong_with_them_is_said(path: str) -> None:
    world = World()
    found = await get(world, f"{path}?from=2026-01-01&to=2026-01-31&heat=wait", Role.COMMISSIONER)
    assert found.status_code == 200
    assert 'name="from" value="2026-01-01"' in found.text
    assert "from=2026-01-01&amp;to=2026-01-31&amp;heat=wait" in found.text, "the stream, and the links, keep the days"
    wrong = await get(world, f"{path}?from=2026-01-31&to=2026-01-01", Role.COMMISSIONER)
    assert wrong.status_code == 422
    assert "The first day must not be after the last" in wrong.text
    assert 'aria-describedby="from-error"' in wrong.text
    assert "since midnight" in wrong.text


@pytest.mark.parametrize(
    ("first", "last", "problem"),
    [("2025-01-01", "2026-01-31", None), ("2025-01-01", "2026-02-01", "from"), ("2026-02-03", "2026-02-03", None),
     ("2026-02-03", "2026-02-04", "to"), ("", "2026-02-03", "from"), ("2009-12-31", "2010-01-01", "from"),
     ("2026-02-30", "2026-02-03", "from"), ("20260201", "2026-02-03", "from")],
)  # fmt: skip
def test_days_are_at_most_thirteen_months_and_not_to_come(first: str, last: str, problem: str | None) -> None:
    typed = read_typed({"from": first, "to": last}, NOON.date())
    assert (typed.days is None, list(typed.problems)) == (problem is not None, [problem] if problem else [])


async def test_days_that_cannot_be_read_are_not_known() -> None:
    world = World()
    world.past.away = True
    text = await page(world, "/?window=week")
    assert 'Of <strong data-cell="offered">not known</strong> calls since Monday' in text
    assert 'data-cell="waiting">9<' in text, "who waits now comes from memory"


@pytest.mark.parametrize(
    ("query", "until", "said"),
    [("window=week", NOON, "Calls since Monday: counted until <strong>12:00</strong>."),
     ("window=week", NOON - timedelta(minutes=3), "counted until <strong>11:57</strong>."),
     ("window=week", NOON - timedelta(minutes=4), "counted only until <strong>11:56</strong>. What came since"),
     ("window=week", NOON - timedelta(days=2), "counted only until <strong>Sun 1 February 2026, 12:00</strong>"),
     ("window=week", None, "it is not known until when they are counted"),
     ("from=2026-02-01&to=2026-02-02", NOON, "Calls from 1 February 2026 to 2 February 2026: all are counted."),
     ("from=2026-02-01&to=2026-02-02", NOON - timedelta(days=1), "counted only until <strong>Mon 2 February"),
     ("window=60", None, None)],
)  # fmt: skip
async def test_a_sum_of_days_says_until_when_it_is_counted_and_if_that_is_old(
    query: str, until: datetime | None, said: str | None
) -> None:
    shown = await age_on("/?" + query, until)
    assert shown == "" if said is None else said in shown
    assert (">Old</strong>" in shown) == (said is not None and ("only" in said or "not known" in said))


@pytest.mark.parametrize("path", ["/providers/south_east", "/areas/camden", "/?screen=big&"])
async def test_every_page_of_figures_says_so(path: str) -> None:
    query = "window=week" if path.endswith("&") else "?window=week"
    assert ">Old</strong> Calls since Monday" in await age_on(path + query, NOON - timedelta(hours=1))


async def age_on(path: str, until: datetime | None) -> str:
    """What the page says of how far the history is counted."""
    world = World()
    world.past.until = until
    text = await page(world, path, Role.PUBLIC_HEALTH)
    return re.sub(r"\s+", " ", text.partition('data-part="age">')[2].partition("</div>")[0]).strip()


async def test_odd_events_are_told_on_the_page_of_the_city() -> None:
    text = await page(World())
    assert "Odd events</strong> Of the last hour: 2 from a clock that is ahead" in text
    assert "could not be read" not in text


@pytest.mark.parametrize(
    ("path", "shown"),
    [("/?window=week", ">9<"), pytest.param("/areas/camden?window=week", ">2<", marks=pytest.mark.slow)],
)
async def test_a_page_waits_once_for_a_database_that_hangs_and_says_what_is_missing(path: str, shown: str) -> None:
    """Not once for each of its readings: side by side they take as long as one."""
    world = World()
    world.past.hangs = asyncio.Event()
    begun = time.monotonic()
    text = await page(world, path, Role.PUBLIC_HEALTH)
    assert time.monotonic() - begun < 3 * PATIENCE_S
    assert "Not read</strong> Calls since Monday are not known" in text
    assert f'data-cell="waiting"{shown}' in text, "who waits now comes from memory"
    world.past.hangs.set()


async def test_a_range_that_many_ask_for_is_added_up_once() -> None:
    world = World()
    readings = Readings(world.board, Counted(), world.alerts, world.clock)
    asked = Days(date(2026, 1, 1), date(2026, 1, 31))
    found = await asyncio.gather(*(readings.counted(asked, "provider") for _ in range(20)))
    assert isinstance(readings.past, Counted)
    assert (readings.past.asked, len(found)) == (1, 20)


async def test_yesterday_is_not_kept_as_it_was_right_after_midnight() -> None:
    world = World()
    world.clock.at = datetime(2026, 2, 4, 0, 5, tzinfo=UTC)
    past = Counted()
    readings = Readings(world.board, past, world.alerts, world.clock)
    asked = {}
    for last in (date(2026, 2, 2), date(2026, 2, 3)):
        past.asked = 0
        for _ in range(2):
            await readings.counted(Days(date(2026, 2, 1), last), "provider")
            world.clock.at += timedelta(seconds=TODAY_KEPT_S)
        asked[last.day] = past.asked
    assert asked == {2: 1, 3: 2}


class Counted(SetPast):
    """A past that counts how often its windows are asked for."""

    asked = 0

    async def window(self, start: datetime, end: datetime, kind: ScopeKind, clock: Clock = "offered") -> list[Kpis]:
        self.asked += 1
        return await super().window(start, end, kind, clock)


async def test_who_rang_again_is_told_of_the_last_day_and_of_typed_days() -> None:
    text = await page(World())
    assert "of the last 24 hours, so far" in text
    assert ">118</td>" in text
    assert "of the last 24 hours" not in await page(World(), "/?from=2026-01-01&to=2026-01-03")


def test_a_window_that_is_not_known_is_not_the_day() -> None:
    world = World()
    cells = board(world.board.figures(), (), Window.HOUR).total.cells
    assert (cells["offered"], cells["waiting"], cells["answered"]) == ("not known", "9", "not known")


async def test_alerts_that_fire_are_one_line_each_with_their_page() -> None:
    world = World()
    world.alerts.now = (Firing(), Firing(title="A feed is dead", scope="total", severity="warning", acknowledged=True))
    text = await page(world)
    assert '<a href="/alerts/longest-wait">Callers wait too long</a>' in text
    assert "South East London, since 11:53, acknowledged" in text
    of_one = await page(world, "/providers/south_east")
    assert "Callers wait too long" in of_one
    assert "A feed is dead" not in of_one


async def test_no_alert_and_no_word_of_alerts_are_different_things() -> None:
    world = World()
    world.alerts.now = ()
    readings = Readings(world.board, world.past, world.alerts, world.clock)
    assert await read_firing(readings) == {"lines": []}
    world.alerts.away = True
    world.clock.at += timedelta(seconds=ALERTS_KEPT_S)
    assert await read_firing(readings) == {"lines": None}
    assert "Which alerts fire is not known" in await page(world)
    world.alerts.away = False
    world.clock.at += timedelta(seconds=RETRY_S)
    assert await read_firing(readings) == {"lines": []}
    assert "No alert fires." in await page(world)


@pytest.mark.parametrize("role", sorted(Role))
async def test_small_counts_of_boroughs_are_for_clinical_roles(role: Role) -> None:
    text = await page(World(), "/", role)
    clinical = role in (Role.CLINICIAN, Role.PUBLIC_HEALTH, Role.CLINICAL_SAFETY)
    assert (SMALL in text) is not clinical
    assert ("/areas/camden" in text) is clinical
    assert "Calls of which no borough is known" in text


def stream_of(world: World, *, every_count: bool) -> Fragments:
    readings = Readings(world.board, world.past, world.alerts, world.clock)
    return city_fragments(readings, Asked(every_count=every_count))


async def test_the_table_of_areas_is_for_clinical_roles() -> None:
    """Beside the map, which holds back another count of the same calls, it would give small ones away."""
    world = World(open_wallboard=True)
    for role in (None, Role.COMMISSIONER, Role.CLINICIAN):
        text = (await get(world, "/", role)).text
        clinical = role is Role.CLINICIAN
        assert ('id="areas-title"' in text) is clinical
        assert ("The table of areas is for clinical roles" in text) is not clinical
        assert 'id="map-title"' in text
    assert "areas" in stream_of(world, every_count=True)
    assert "areas" not in stream_of(world, every_count=False)
    report = (await get(world, "/reports/daily/2026-02-02", Role.COMMISSIONER)).text
    assert "By service" in report
    assert not [square.name for square in squares() if square.name in report], "the report tells no place"


@pytest.mark.parametrize("path", ["/", "/providers/south_east"])
async def test_where_figures_are_open_other_days_are_for_who_signs_in(path: str) -> None:
    world = World(open_wallboard=True)
    typed = f"{path}?from=2026-01-01&to=2026-01-03"
    text = (await get(world, typed)).text
    assert "Sign in to see other days" in text
    assert "since midnight" in text
    assert "1 January" not in text
    events = "/wallboard/events" if path == "/" else f"{path}/events"
    assert (await get(world, f"{events}?from=2026-01-01&to=2026-01-03")).status_code in (303, 401)
    assert "from 1 January 2026 to 3 January 2026" in (await get(world, typed, Role.COMMISSIONER)).text


async def test_targets_say_whether_they_are_met_and_who_verified_them() -> None:
    text = await page(World())
    assert "Target: at least 95.0%</p>" in text
    assert "Target: at most 3.0% (source not verified)</p>" in text
    assert "nhsuk-tag--red" in text


def test_a_figure_is_judged_before_it_is_rounded() -> None:
    abandoned = next(each for each in targets() if each.id == "abandoned")
    found = judged(abandoned, kpis(answers={10: 9696}, ends={"abandoned": 304}))
    assert (found.figure, found.verdict) == ("3.0%", "Missed")


async def test_without_a_past_the_page_says_so() -> None:
    world = World()
    world.past.empty = True
    assert "There are no past days yet" in await page(world)


async def test_a_past_that_cannot_be_read_is_no_empty_past() -> None:
    world = World()
    world.past.away = True
    text = await page(world)
    assert "Not known: the database does not answer." in text
    assert "The lines may lack hours: it is not known until when they are counted." in text
    assert "There are no past days yet" not in text


async def test_while_figures_are_not_known_nothing_is_zero() -> None:
    world = World()
    world.board.now = None
    text = await page(world)
    assert "Calls of which no borough is known: <strong>not known</strong>" in text
    assert "The figures are not known." in await page(world, "/providers/south_east")


async def test_the_big_screen_has_nothing_to_press() -> None:
    text = await page(World(), "/?screen=big")
    assert "nhsuk-header" not in text
    assert "/providers/" not in text
    assert "Longest wait now" in text


async def test_a_provider_that_nobody_knows_has_no_page() -> None:
    assert (await get(World(), "/providers/atlantis", Role.COMMISSIONER)).status_code == 404
    assert (await get(World(), "/providers/atlantis/events", Role.COMMISSIONER)).status_code == 404
    assert (await get(World(), "/providers/south_east")).status_code == 303


async def test_a_provider_has_its_items_under_both_clocks() -> None:
    text = await page(World(), "/providers/south_east")
    for words in ("the end of our message", "B07", "Answered within 60 s", "How long callers waited"):
        assert words in text


def test_items_that_are_not_known_are_not_zero() -> None:
    rows = {row.code: row for row in item_rows(kpis(answers={10: 1204}), None)}
    assert (rows["A03"].offered, rows["A03"].message_end, rows["B09"].offered) == ("1,204", "not known", "not known")
    assert "D13" not in rows
    assert rows["B06"].mark == "secondary source"


def test_waits_are_told_apart_by_whether_anybody_answered() -> None:
    found = kpis(answers={10: 4, 60: 2, 61: 1, 900: 1})
    counted = {band.words: (band.answered, band.not_answered) for band in bands(found)}
    assert counted["up to 10 s"] == ("4", "0")
    assert counted["over 30 to 60 s"] == ("2", "0"), "the bound is included"
    assert counted["over 60 to 120 s"] == ("1", "0")
    assert counted["over 600 s"] == ("1", "0")
    waiting = [int(band.not_answered) for band in bands(replace(found, waits=found.seconds + Seconds({45: 3})))]
    assert sum(waiting) == 3
    assert bands(None) == bands(kpis()) == ()
