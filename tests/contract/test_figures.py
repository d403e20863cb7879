"""Live figures, their history and the recount by SQL tell the same, whatever way the events came."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy import delete, update
from sqlalchemy.exc import SQLAlchemyError

from alerts.figures.check import differences
from alerts.figures.history import KpiHistory, read_marked, store
from alerts.figures.history_rows import midnight
from alerts.figures.history_tables import kpi_calls, kpi_days, kpi_hours
from alerts.figures.items import TOTAL, Scope, ScopeKind
from alerts.figures.kpi import LiveFigures
from alerts.figures.recontact import Recontacts
from alerts.figures.recount import recount
from alerts.figures.recount_waiting import recount_waiting
from alerts.figures.tally import Tally
from alerts.figures.usual import Usual
from alerts.model import Parts
from alerts.rules.loading import load_rules
from alerts.rules.readings import Seen
from callrouter.alerting.watching import PARTS
from callrouter.figures.check import AGAIN_S, EVERY_S, FAILURES, HANDED_OVER_S, IN_DOUBT_S, FigureCheck
from callrouter.figures.folding import KpiFolder
from callrouter.figures.kpis import Counting
from callrouter.journal import Journal
from infra.bus import Entry, MemoryStream
from infra.crypto import KeyRing
from infra.health import Health
from infra.sql import Database
from tests.hand_clock import HandClock
from tests.made_up_calls import as_they_come, made_up_day

DAY = date(2025, 10, 26)  # London's clocks go back: 25 hours
START = midnight(DAY)
NOW = START + timedelta(hours=25)
KEYS = KeyRing(b"m" * 32, b"i" * 32)
SOON_S = 60.0
NAMES = {TOTAL: "Whole service", Scope("provider", "kings"): "King's 111"}
RULES = Path("alerts/rules/rules.yaml")
ANSWERS = ("offered", "answered")
KINDS: tuple[ScopeKind, ...] = ("total", "provider", "service", "area")


class House:
    """A journal, its reader into the history, and a stream that brings entries as a test wants."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.stream = MemoryStream()
        self.journal = Journal(database, KEYS)
        self.history = KpiHistory(database, NAMES)
        self.folder = KpiFolder(self.stream, self.journal, self.history)

    async def bring(self, entries: list[Entry], batch: int = 150) -> None:
        """Let the stream bring these, the journal be written and every reader read."""
        for first in range(0, len(entries), batch):
            some = entries[first : first + batch]
            await self.journal.write(some)
            await self.stream.append(some)
            while await self.folder.step(0):
                pass

    async def again(self) -> dict[str, int]:
        """Where history and recount differ."""
        counts = await self.database.study(partial(recount, start=START, end=midnight(DAY + timedelta(days=1))))
        return differences(await self.history.tallies(DAY), counts)


@pytest.fixture
async def house(database: Database) -> House:
    house = House(database)
    await house.folder.join()
    return house


@pytest.mark.parametrize("seed", [1, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(2, 12))])
async def test_live_history_and_recount_are_equal(house: House, seed: int) -> None:
    entries = as_they_come(seed, made_up_day(seed, 120, START - timedelta(hours=1), 27))
    await house.bring(entries)
    live = LiveFigures({})
    for entry in entries:
        live.apply(entry)
    start, end = START, midnight(DAY + timedelta(days=1))
    again = await house.database.study(partial(recount, start=start, end=end))
    assert differences(live.tallies(NOW, DAY), again) == {}
    assert await house.again() == {}
    assert {scope.partition(":")[0] for scope in again} == {*KINDS}

    while await house.history.roll():
        pass
    for kind in KINDS:
        days = {each.scope: each for each in await house.history.days(DAY, DAY, kind)}
        shown = {each.scope: each for each in live.today(NOW - timedelta(seconds=1), kind) if each.of("A01")}
        assert {scope: (k.ends, k.seconds) for scope, k in days.items()} == {
            scope: (k.ends, k.seconds) for scope, k in shown.items()
        }
        window = await house.history.window(start, end, kind)
        assert [(k.ends, k.values) for k in window] == [(k.ends, k.values) for k in days.values()]
        hours = await house.history.hours(DAY, DAY, kind)
        assert sum(k.of("A01") or 0 for k in hours) == sum(k.of("A01") or 0 for k in days.values())


async def test_live_windows_of_minutes_are_those_of_the_recount(house: House) -> None:
    """Who answered, how soon and to the microsecond; those who still wait are timed by the live figures alone."""
    live = LiveFigures({})
    entries = made_up_day(18, 100, NOW - timedelta(minutes=70), 1.25)
    await house.journal.write(entries)
    for entry in as_they_come(18, entries):
        live.apply(entry)
    for minutes in (5, 15, 60):
        start = NOW - timedelta(minutes=minutes - 1)  # the minute in progress, which begins now, is the last
        again = await house.database.study(partial(recount, start=start, end=NOW))
        shown = [each for kind in KINDS for each in live.window(NOW, minutes, kind)]
        assert {str(each.scope) for each in shown if each.of("A01")} == {*again}
        assert "total" in again
        for kpis in shown:
            counts = again.get(str(kpis.scope), {})
            answers = {second: told for (what, how, second), told in counts.items() if (what, how) == ANSWERS}
            assert {how: n for how, n in kpis.ends.items() if n} == _ends(counts)
            assert kpis.of("A02") == counts.get(("routed", "", 0), (0, 0))[0]
            assert kpis.seconds.counts == {second: calls for second, (calls, _) in answers.items()}
            assert kpis.of("B06") == sum(us for _, us in answers.values()) / 1_000_000
    assert set(again) >= {"provider:kings", "service:111", "area:unknown"}, "of the hour"


@pytest.mark.parametrize("seed", [21])
async def test_who_waits_now_is_that_of_a_recount_in_every_scope(house: House, seed: int) -> None:
    """Queued, put through, passed on after an answer, cut off and back again; some have lost their beginning."""
    live = LiveFigures({})
    entries = made_up_day(seed, 300, NOW - timedelta(minutes=50), 0.8)
    entries = [entry for entry in entries if entry.at <= NOW]
    await house.journal.write(entries)
    for entry in as_they_come(seed, entries):
        live.apply(entry)
    again = await house.database.study(partial(recount_waiting, now=NOW))
    shown = {str(scope): w for kind in KINDS for scope, w in live.waiting(NOW, kind).items() if w.waiting}
    assert {scope: (w.waiting, w.longest_wait_s) for scope, w in shown.items()} == again
    assert {scope.partition(":")[0] for scope in again} == {*KINDS}
    total = live.figures(NOW).total
    assert (total.waiting, total.longest_wait_s) == again["total"]


def _ends(counts: Mapping[tuple[str, str, int], tuple[int, int]]) -> dict[str, int]:
    return {how: calls for (what, how, _), (calls, _) in counts.items() if what == "end"}


async def test_a_second_reader_and_all_entries_once_more_change_nothing(house: House) -> None:
    entries = made_up_day(3, 40, START, 20)
    await house.bring(entries)
    before = await house.history.tallies(DAY)
    second = KpiFolder(house.stream, house.journal, house.history)
    await house.stream.append(entries)
    while await second.step(0):
        pass
    assert await second.fold_between(START, NOW) > 40
    after = await house.history.tallies(DAY)
    assert {s: t.as_data() for s, t in after.items()} == {s: t.as_data() for s, t in before.items()}


async def test_a_telling_that_does_not_stand_holds_no_figure_up(house: House) -> None:
    """Two processes moved one call apart: a second end, and an event whose number has another one of no figure."""
    calls = made_up_day(6, 20, START, 20)
    end = next(entry for entry in calls if entry.kind == "ended")
    away = replace(end, seq=end.seq + 2)
    noted = replace(end, seq=end.seq + 3, kind="late_input", facts={"wait_id": "", "input": "hung_up"})
    other = replace(end, seq=end.seq + 3, kind="queued", facts={"service": "111", "band": "normal"})
    await house.bring([*calls, away, noted, other])
    assert house.folder.has_all
    assert await house.stream.read(house.folder.GROUP, limit=10, wait_s=0) == []
    assert await house.again() == {}


async def test_an_end_that_the_journal_has_not_yet_is_waited_for(house: House) -> None:
    calls = made_up_day(7, 1, START, 1)
    end = next(entry for entry in calls if entry.kind == "ended")
    await house.stream.append(calls)
    await house.journal.write([entry for entry in calls if entry is not end])
    await house.journal.write([replace(end, kind="late_input", facts={"wait_id": "", "input": "hung_up"})])
    await house.folder.step(0)
    assert not house.folder.has_all, "its number is another event's: the end will get the next"
    await house.journal.write(calls)
    await house.folder.step(0)
    assert house.folder.has_all
    assert await house.again() == {}


async def test_a_recount_finds_what_is_missing(house: House) -> None:
    entries = made_up_day(4, 30, START, 20)
    await house.bring(entries)
    assert await house.again() == {}
    lost = [entry for entry in made_up_day(5, 1, START, 20) if "probe" not in entry.facts.values()]
    await house.journal.write(lost)
    assert "total" in await house.again()
    await house.folder.fold_between(START, NOW)
    assert await house.again() == {}


async def rolled(house: House) -> dict[Scope, dict[str, object]]:
    while await house.history.roll():
        pass
    return {scope: tally.as_data() for scope, tally in (await house.history.rolled(DAY)).items()}


async def of_hours(house: House) -> dict[Scope, dict[str, object]]:
    return {scope: tally.as_data() for scope, tally in (await house.history.of_hours(DAY)).items()}


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
    stale = await house.database.read(read_marked)
    await house.bring(entries[60:120])
    await rolled(house)
    await house.bring(entries[120:])
    await house.database.write(lambda connection: store(connection, stale))
    assert (await rolled(house))[TOTAL] == (await house.history.tallies(DAY))[TOTAL].as_data()


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


def checking(house: House, live: LiveFigures, clock: HandClock) -> tuple[FigureCheck, Health]:
    health = Health(clock)

    def tallies(day: date, over_by: datetime) -> Mapping[Scope, Tally]:
        return live.tallies(clock.now(), day, over_by)

    return FigureCheck(house.database, house.folder, house.history, tallies, clock, health), health


async def test_the_nightly_check_mends_a_history_that_lacks_calls_and_finds_all_equal(house: House) -> None:
    clock, live = HandClock(NOW - timedelta(hours=1)), LiveFigures({})
    entries = made_up_day(9, 40, START - timedelta(hours=20), 44)
    await house.bring(entries[200:])  # the first were written, and lost on their way to the history
    await house.journal.write(entries[:200])
    for entry in entries:
        live.apply(entry)
    check, health = checking(house, live, clock)
    assert check.differ is None
    await check.step(SOON_S)
    assert (check.differ, health.works("figures")) == (0, True)
    assert await house.again() == {}


@pytest.mark.parametrize("database_kind", ["sqlite"])
async def test_the_nightly_check_finds_and_mends_hours_that_were_spoilt(house: House) -> None:
    await house.bring(made_up_day(19, 20, START, 20))
    before = await rolled(house)
    spoil = delete(kpi_hours).where(kpi_hours.c.hour < START + timedelta(hours=12))
    await house.database.write(lambda connection: connection.execute(spoil))
    assert (await of_hours(house)) != before == await rolled(house), "the day was added up before"
    check, _ = checking(house, LiveFigures({}), HandClock(NOW + timedelta(hours=4)))
    assert (await check.day(DAY)).differ == {}
    assert await of_hours(house) == before


@pytest.mark.parametrize("database_kind", ["sqlite"])
async def test_live_figures_that_lack_a_call_are_told(house: House) -> None:
    clock, live = HandClock(NOW - timedelta(hours=1)), LiveFigures({})
    await house.bring(made_up_day(10, 8, START, 20))
    check, health = checking(house, live, clock)
    await check.step(SOON_S)
    assert (check.differ, health.works("figures")) == (0, True), "not before a second look"
    clock.move(IN_DOUBT_S)
    await check.step(SOON_S)
    assert (check.differ or 0) > 2
    assert not health.works("figures")
    parts = Parts(health.failing_s(), figures_differ=check.differ)
    (rule,) = [each for each in load_rules(RULES, ["north-london-111"], PARTS) if each.metric == "figures_differ"]
    (reading,) = Seen(clock.now(), None, parts, lambda _window, _kind: (), Usual()).read(rule, {})
    assert reading.value >= rule.threshold
    clock.move(EVERY_S)
    await check.step(SOON_S)
    assert (check.differ or 0) > 2, "what is told stays told, without another doubt"
    check.lost()
    assert (check.differ, health.works("figures")) == (None, True), "whoever compares now knows better"
    await check.step(0)
    assert check.differ is None, "the other has not heard yet that it is this one's turn again"
    clock.move(HANDED_OVER_S)
    await check.step(SOON_S)
    assert check.differ == 0


@pytest.mark.parametrize("database_kind", ["sqlite"])
async def test_a_call_that_came_between_two_readings_is_not_told(house: House) -> None:
    clock, live = HandClock(NOW - timedelta(hours=1)), LiveFigures({})
    entries = made_up_day(16, 8, START, 20)
    await house.bring(entries)
    check, health = checking(house, live, clock)
    await check.step(SOON_S)
    for entry in entries:
        live.apply(entry)
    clock.move(IN_DOUBT_S)
    await check.step(SOON_S)
    assert (check.differ, health.works("figures")) == (0, True)
    clock.move(EVERY_S - 1)
    await check.step(0)
    assert check.differ == 0, "nothing is compared before its time"


@pytest.mark.parametrize("database_kind", ["sqlite"])
async def test_a_comparison_that_fails_again_and_again_is_told_and_one_failure_is_not(house: House) -> None:
    clock, live = HandClock(NOW - timedelta(hours=1)), LiveFigures({})
    await house.database.maintain(lambda connection: connection.execute(sa.text("ALTER TABLE journal RENAME TO gone")))
    check, health = checking(house, live, clock)
    for failure in range(1, FAILURES + 1):
        with pytest.raises(SQLAlchemyError):
            await check.step(SOON_S)
        assert await check.step(0) == 0, "not tried without pause"
        clock.move(AGAIN_S)
        assert ("figures" in health.failing_s()) == (failure == FAILURES)
    await house.database.maintain(lambda connection: connection.execute(sa.text("ALTER TABLE gone RENAME TO journal")))
    await check.step(SOON_S)
    assert health.works("figures")


@pytest.mark.parametrize("database_kind", ["sqlite"])
async def test_calls_in_progress_are_no_difference(house: House) -> None:
    """What a call adds while two look at it is told by one and not yet by the other."""
    clock, live = HandClock(NOW - timedelta(hours=1)), LiveFigures({})
    over = made_up_day(11, 20, START, 20)
    going_on = [each for each in made_up_day(12, 20, NOW - timedelta(hours=2), 0.9) if each.kind != "ended"]
    await house.bring([*over, *going_on[:50]])
    for entry in (*over, *going_on):
        live.apply(entry)
    compared = await checking(house, live, clock)[0].day(DAY, clock.now())
    assert compared.calls > 10
    assert compared.differ == {}


def test_midnight_in_london_is_not_that_of_greenwich_in_summer() -> None:
    assert midnight(date(2025, 6, 2)) == datetime(2025, 6, 1, 23, tzinfo=UTC)
