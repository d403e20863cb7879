"""The history of figures: added up, counted anew, asked of any time."""

from __future__ import annotations

import time
import tracemalloc
from datetime import UTC, date, datetime, timedelta
from functools import partial

import pytest
import sqlalchemy as sa
from sqlalchemy import delete, update

from alerts.figures.history import read_marked, store
from alerts.figures.history_rows import midnight
from alerts.figures.history_tables import kpi_calls, kpi_days, kpi_hours
from alerts.figures.items import TOTAL
from alerts.figures.kpi import LiveFigures
from alerts.figures.recontact import Recontacts
from alerts.figures.recount import recount
from callrouter.figures.kpis import Counting
from infra.sql import Database
from tests.figures_house import DAY, KINDS, NOW, START, House, checking, rolled
from tests.hand_clock import HandClock
from tests.made_up_calls import made_up_day


@pytest.fixture
async def house(database: Database) -> House:
    house = House(database)
    await house.folder.join()
    return house


@pytest.mark.parametrize("database_kind", ["sqlite"])
async def test_counting_a_day_anew_mends_calls_hours_and_days_that_were_spoilt(house: House) -> None:
    await house.bring(made_up_day(13, 20, START, 20))
    before = await rolled(house)
    hours = kpi_hours.c.hour < START + timedelta(hours=12)
    for spoil in (delete(kpi_days), delete(kpi_hours).where(hours), update(kpi_calls).values(shares=[])):
        await house.database.write(lambda connection, spoil=spoil: connection.execute(spoil))  # type: ignore[misc]
        await house.folder.fold_between(START, midnight(DAY + timedelta(days=1)))
        assert await rolled(house) == before


@pytest.mark.parametrize("database_kind", ["sqlite"])
async def test_a_day_that_the_journal_has_no_more_is_not_lost_by_counting_it_anew(house: House) -> None:
    await house.bring(made_up_day(17, 8, START, 20))
    before = await rolled(house)
    for table in (sa.table("journal"), kpi_calls):
        await house.database.write(lambda connection, table=table: connection.execute(delete(table)))  # type: ignore[misc]
    assert await house.folder.fold_between(START, midnight(DAY + timedelta(days=1))) == 0
    assert await rolled(house) == before


async def test_an_hour_added_up_before_it_changed_again_stays_to_be_added_up(house: House) -> None:
    """Another adds it up in between and takes the mark, then it changes again: the older sum is not stored."""
    entries = made_up_day(14, 40, START, 1)
    await house.bring(entries[:60])
    stale = await house.database.study(read_marked)
    await house.bring(entries[60:120])
    await rolled(house)
    await house.bring(entries[120:])
    await house.database.write(lambda connection: store(connection, stale))
    assert (await rolled(house))[TOTAL] == (await house.history.tallies(DAY))[TOTAL].as_data()


async def test_adding_up_an_hour_of_more_calls_takes_no_more_memory(house: House) -> None:
    await house.bring(made_up_day(16, 40, START, 1))
    await house.database.write(partial(_many_more, times=25))
    some = await _peak_of_adding_up(house)
    await house.database.write(partial(_many_more, times=6))
    assert await _peak_of_adding_up(house) < 2 * some


async def _peak_of_adding_up(house: House) -> int:
    await house.history.mark(START, NOW)
    await rolled(house)  # what is compiled and imported once is no part of it
    await house.history.mark(START, NOW)
    tracemalloc.start()
    try:
        await rolled(house)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def _many_more(connection: sa.Connection, times: int) -> None:
    """As many calls again as there are, so many times."""
    rows = [row._asdict() for row in connection.execute(sa.select(kpi_calls))]
    more = [row | {"contact": f"{row['contact']}.{times}.{number}"[-64:]} for row in rows for number in range(times)]
    connection.execute(kpi_calls.insert(), more)


async def test_adding_up_takes_the_time_of_no_caller(house: House) -> None:
    """The loop's thread, which carries the calls, does next to nothing of it."""
    await house.bring(made_up_day(15, 60, START, 20))
    await house.history.mark(START, NOW)
    loop_s, all_s = time.thread_time(), time.process_time()
    await house.history.roll()
    await house.history.tallies(DAY)
    await house.history.rolled(DAY)
    loop_s, all_s = time.thread_time() - loop_s, time.process_time() - all_s
    assert loop_s < all_s / 3


async def test_the_history_says_until_when_it_is_counted(house: House) -> None:
    """Not later than what waits for the journal, nor than what is added up; and it never goes back."""
    clock = HandClock(NOW)
    check, _ = checking(house, LiveFigures({}), clock)
    counting = Counting(house.history, house.folder, check, Recontacts(house.database), clock)
    entries = made_up_day(6, 1, START, 1)
    await house.journal.write(entries[:-1])
    await house.stream.append(entries)
    await counting.roll()
    assert (await counting.fold(0), await house.history.counted_until()) == (len(entries) - 1, None)
    await house.journal.write(entries[-1:])
    await counting.fold(0)
    assert await house.history.counted_until() == NOW
    clock.move(60)
    await counting.fold(0)
    assert await house.history.counted_until() == NOW, "hours and days are not added up since"
    await counting.roll()
    assert await house.history.counted_until() == NOW + timedelta(seconds=60)
    clock.move(-30)
    await counting.roll()
    assert await house.history.counted_until() == NOW + timedelta(seconds=60)


@pytest.mark.parametrize("database_kind", ["sqlite"])
async def test_an_entry_waits_until_the_journal_has_it(house: House) -> None:
    entries = made_up_day(6, 1, START, 1)
    await house.stream.append(entries)
    assert await house.folder.step(0) == 0
    assert await house.history.tallies(DAY) == {}
    await house.journal.write(entries)
    assert await house.folder.step(0) == len(entries)
    assert await house.folder.step(0) == 0


@pytest.mark.parametrize("database_kind", ["sqlite"])
async def test_a_day_without_calls_is_missing_and_not_nought(house: House) -> None:
    await house.bring(made_up_day(7, 10, START, 20))
    while await house.history.roll():
        pass
    told = await house.history.days(DAY - timedelta(days=1), DAY + timedelta(days=2), "total")
    assert {kpis.start for kpis in told} == {START}
    assert [kpis.name for kpis in told] == ["Whole service"]


@pytest.mark.parametrize("database_kind", ["sqlite"])
async def test_a_window_may_begin_and_end_at_any_moment(house: House) -> None:
    """Whole hours as they were added up, the rest call by call: the same as every call alone."""
    entries = made_up_day(8, 60, START, 6)
    await house.bring(entries)
    while await house.history.roll():
        pass
    start, end = START + timedelta(minutes=17), START + timedelta(hours=4, minutes=3, seconds=2)
    again = await house.database.study(partial(recount, start=start, end=end))
    (whole,) = await house.history.window(start, end, "total")
    assert {end: n for end, n in whole.ends.items() if n} == {
        how: calls for (what, how, _), (calls, _) in again["total"].items() if what == "end"
    }
    inside = await house.history.window(start, start + timedelta(minutes=20), "total")
    assert sum(k.of("A01") or 0 for k in inside) < whole.of("A01")  # type: ignore[operator]


@pytest.mark.parametrize("database_kind", ["sqlite"])
async def test_a_window_of_days_adds_up_days_hours_and_calls(house: House) -> None:
    """Over the clock change: whole London days as they were added up, hours at both ends, and calls beyond them."""
    await house.bring(made_up_day(9, 120, START - timedelta(hours=30), 96))
    while await house.history.roll():
        pass
    start, end = START - timedelta(hours=29, minutes=40), START + timedelta(hours=60, minutes=20)
    again = await house.database.study(partial(recount, start=start, end=end))
    days = [DAY + timedelta(days=n) for n in range(-1, 2)]
    assert {each.start for each in await house.history.days(days[0], days[-1], "total")} == set(map(midnight, days))
    for kind in KINDS:
        for found in await house.history.window(start, end, kind):
            ends = {how: calls for (what, how, _), (calls, _) in again[str(found.scope)].items() if what == "end"}
            assert {how: calls for how, calls in found.ends.items() if calls} == ends


def test_midnight_in_london_is_not_that_of_greenwich_in_summer() -> None:
    assert midnight(date(2025, 6, 2)) == datetime(2025, 6, 1, 23, tzinfo=UTC)
