"""Live figures, their history and the recount by SQL tell the same, whatever way the events came."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial

import pytest

from alerts.figures.check import differences
from alerts.figures.history_rows import midnight
from alerts.figures.kpi import LiveFigures
from alerts.figures.recount import recount
from alerts.figures.recount_waiting import recount_waiting
from callrouter.figures.folding import KpiFolder
from callrouter.journal import Journal
from infra.bus import Entry
from infra.sql import Database
from tests.figures_house import DAY, KEYS, KINDS, NOW, START, House
from tests.made_up_calls import as_they_come, made_up_day

ANSWERS = ("offered", "answered")


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

    for minutes in (1, 7, 20):  # and who waited then, of what was told before
        at = NOW - timedelta(minutes=minutes)
        again = await house.database.study(partial(recount_waiting, now=at))
        waited = {str(scope): w for scope, w in live.waited(NOW, at).items() if w.waiting}
        assert {scope: (w.waiting, w.longest_wait_s) for scope, w in waited.items()} == again
        assert "total" in again


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


class WrittenMeanwhile(Journal):
    """The journal, whose writer comes right after the first look into it."""

    to_write: list[Entry]

    async def told(self, refs: Collection[str], kinds: Collection[str], since: datetime) -> list[Entry]:
        """As the journal tells; then comes the writer."""
        found = await super().told(refs, kinds, since)
        to_write, self.to_write = self.to_write, []
        await self.write(to_write)
        return found


async def test_what_is_written_while_the_figures_look_is_counted(house: House) -> None:
    calls = made_up_day(8, 20, START, 20)
    journal = WrittenMeanwhile(house.database, KEYS)
    journal.to_write = calls
    folder = KpiFolder(house.stream, journal, house.history)
    await house.stream.append(calls)
    while await folder.step(0):
        pass
    assert folder.has_all
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
