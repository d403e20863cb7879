"""Signals counted from the event stream, on each kind of database: each call once, whatever comes twice or late."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Collection
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
from sqlalchemy import select

from alerts.surges.archive import EPOCH, QUARTERS_KEPT, SETTLED, archive
from alerts.surges.counting import REMEMBERED, WITHOUT_WORDS, SurgeCounter
from alerts.surges.history import read_history
from alerts.surges.indicators import read_indicators
from alerts.surges.model import Cell, quarter_of
from alerts.surges.tables import surge_calls, surge_counts, surge_days
from infra.areas import london
from infra.bus import Entry, MemoryStream
from infra.sql import Database
from tests.hand_clock import NOON, HandClock
from tests.surge_past import put_counts

INDICATORS = read_indicators()
Counts = dict[tuple[int, str, str, str], tuple[int, int]]
NOW = quarter_of(NOON)
MENU = f"f1/{INDICATORS.version}"


def call(ref: str, *events: tuple[str, dict[str, str]], at: datetime = NOON, flow: str = "london-111") -> list[Entry]:
    """A call's entries: offered, then ``events``, two seconds apart."""
    told = [("offered", {"flow": flow, "flow_version": "f1"}), *events]
    return [Entry(ref, seq, at + timedelta(seconds=2 * seq), kind, facts) for seq, (kind, facts) in enumerate(told, 1)]


def chose(choice: str) -> tuple[str, dict[str, str]]:
    return "choice_made", {"choice": choice, "node": "main_menu", "by": "key"}


def in_area(area: str) -> tuple[str, dict[str, str]]:
    return "area_known", {"area": area}


def ended(end_class: str) -> tuple[str, dict[str, str]]:
    return "ended", {"end_class": end_class, "reason": "", "by": "caller"}


RED_FLAG = ("red_flag_heard", {"node": "main_menu", "lexicon": "2026.1"})


class Counting:
    """A counter on a stream; ``sealed`` is what the journal tells of an event, by call and number."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.stream = MemoryStream()
        self.clock = HandClock(NOON + timedelta(minutes=5))
        self.sealed: dict[tuple[str, int], Collection[str]] = {}

    def reader(self) -> SurgeCounter:
        async def opened(entry: Entry) -> Collection[str] | None:
            return self.sealed.get((entry.call_ref, entry.seq))

        return SurgeCounter(
            self.stream, self.database, INDICATORS, self.clock, hidden=lambda ref: f"h-{ref}", opened=opened
        )

    async def count(self, *entries: Entry) -> Counts:
        """All of these, and what then stands in the table."""
        reader = self.reader()
        await reader.join()
        await self.stream.append(entries)
        while await reader.step(0):
            pass
        return await self.counts()

    async def counts(self) -> Counts:
        rows = await self.database.read(lambda connection: connection.execute(select(surge_counts)).all())
        return {tuple(row[:4]): (row.demand, row.deflected) for row in rows if row.demand}


async def test_a_caller_counts_once_for_all_calls_and_once_for_what_they_chose(database: Database) -> None:
    found = await Counting(database).count(
        *call("a", chose("flu"), in_area("bromley"), chose("flu"), ended("answered")),
        *call("b", chose("flu"), ended("deflected")),
        *call("c", chose("polish"), ended("abandoned")),
    )
    assert found == {
        (NOW, "all", "bromley", ""): (1, 0),
        (NOW, "all", "unknown", ""): (2, 1),
        (NOW, "cold_or_flu", "bromley", MENU): (1, 0),
        (NOW, "cold_or_flu", "unknown", MENU): (1, 1),
    }


async def test_who_was_cut_off_and_rings_back_is_one_caller_with_all_they_chose(database: Database) -> None:
    later = NOON + timedelta(minutes=20)
    first = call("a", chose("flu"), ended("failed"))
    again = call("b", in_area("bromley"), chose("dental"), ended("deflected"), at=later)
    again[0] = replace(again[0], facts={**again[0].facts, "resumes": "a"})
    counting = Counting(database)
    counting.clock.time = later + timedelta(minutes=5)
    await counting.count(*first, *again[:1])
    for entry in reversed([*first, *again]):  # in any order, one to a batch, and again
        found = await counting.count(entry)
    assert found == {
        (NOW, "all", "bromley", ""): (1, 1),
        (NOW, "cold_or_flu", "bromley", MENU): (1, 1),
        (NOW, "dental", "bromley", MENU): (1, 1),
    }


async def test_a_call_that_begins_again_counts_though_nobody_ever_tells_of_its_first_life(database: Database) -> None:
    again = call("ae2", chose("flu"), ended("answered"))
    again[0] = replace(again[0], facts={**again[0].facts, "resumes": "a"})
    counting = Counting(database)
    alone = await counting.count(*again)
    assert alone == {(NOW, "all", "unknown", ""): (1, 0), (NOW, "cold_or_flu", "unknown", MENU): (1, 0)}

    # its first life is told after all, by its worker's spool
    assert await counting.count(*call("a", chose("flu"))) == alone


async def test_words_count_by_the_category_that_only_the_journal_tells(database: Database) -> None:
    counting = Counting(database)
    counting.sealed = {("a", 2): {"breathing"}}
    found = await counting.count(*call("a", RED_FLAG))
    lexicon = f"2026.1/{INDICATORS.version}"
    assert {key[1:] for key in found} == {
        ("all", "unknown", ""), ("difficulty_breathing", "unknown", lexicon), ("red_flag", "unknown", lexicon)
    }  # fmt: skip
    stored = await database.read(lambda connection: connection.execute(select(surge_calls.c.call)).scalars().all())
    assert stored == ["h-a"]


async def test_reasons_and_ages_that_only_the_journal_tells_count_without_their_words(database: Database) -> None:
    counting = Counting(database)
    counting.sealed = {("a", 2): {"rash", "cough"}, ("a", 3): {"vomiting"}, ("a", 4): {"1-4"}, ("b", 2): {"65+"}}
    reasons, aged = ("reasons_heard", {"node": "main_menu", "lexicon": "w1"}), ("age_band_known", {"by": "caller"})
    told = [*call("a", reasons, reasons, aged, in_area("bromley")), *call("b", aged)]
    version = f"w1/{INDICATORS.version}"
    # each symptom once in the area and once by age, never by both; all calls stand under their areas alone
    expected = {(NOW, "all", "bromley", ""): (1, 0), (NOW, "all", "unknown", ""): (1, 0)} | {
        (NOW, signal, place, version): (1, 0)
        for signal in ("rash", "cough", "vomiting")
        for place in ("bromley", "age:1-4")
    }
    assert await counting.count(*told) == expected
    assert await counting.count(*reversed(told)) == expected  # again, the other way round
    history = await read_history(database, NOW - 8, NOW + 1, london())
    assert history.total[-1] == 2
    assert {each.area for each in history.series} == {"bromley", "south_east", "london", "everywhere", "age:1-4"}
    assert history.demand[:, -1].tolist() == [1.0] * 15


async def test_a_red_flag_waits_for_the_journal_but_not_for_ever(database: Database) -> None:
    counting = Counting(database)
    counting.clock.time = NOON + timedelta(seconds=10)
    before = await counting.count(*call("a", RED_FLAG), *call("b", chose("flu")))
    assert list(before) == [(NOW, "all", "unknown", "")]
    counting.clock.move(WITHOUT_WORDS.total_seconds())
    assert (NOW, "cold_or_flu", "unknown", MENU) in await counting.count()


async def test_twice_mixed_and_by_two_readers_at_once_is_the_same(database: Database) -> None:
    mixed = random.Random(111)
    choices, areas, ends = ("flu", "dental", "polish"), ("bromley", "barnet"), ("answered", "deflected", "self_served")
    calls = [
        call(f"c{number}", chose(mixed.choice(choices)), in_area(mixed.choice(areas)), ended(mixed.choice(ends)))
        for number in range(40)
    ]
    in_order = [entry for each in calls for entry in each]
    shuffled = mixed.sample(in_order * 2, 2 * len(in_order))

    counting = Counting(database)
    first, second = counting.reader(), counting.reader()
    await first.join()
    for start in range(0, len(shuffled), 20):
        await counting.stream.append(shuffled[start : start + 20])
        results = await asyncio.gather(first.step(0), second.step(0), return_exceptions=True)
        while not all(result == 0 for result in results):  # one of two that add the same call fails, and comes again
            results = await asyncio.gather(first.step(0), second.step(0), return_exceptions=True)
    assert sum(demand for key, (demand, _) in (await counting.counts()).items() if key[1] == "all") == 40
    assert await counting.counts() == _recount(calls)


def _recount(calls: list[list[Entry]]) -> Counts:
    """By hand, from what the calls were made of."""
    names = {"flu": "cold_or_flu", "dental": "dental"}
    found: Counts = {}
    for _, choice, area, end in calls:
        kept = end.facts["end_class"] in ("deflected", "self_served")
        place = area.facts["area"]
        keys = [(NOW, "all", place, "")]
        if choice.facts["choice"] in names:
            keys.append((NOW, names[choice.facts["choice"]], place, MENU))
        for key in keys:
            demand, deflected = found.get(key, (0, 0))
            found[key] = (demand + 1, deflected + kept)
    return found


async def test_probes_are_in_no_count(database: Database) -> None:
    assert await Counting(database).count(*call("a", chose("flu"), flow="probe")) == {}


async def test_what_comes_after_the_line_of_its_call_is_gone_counts_nothing(database: Database) -> None:
    counting = Counting(database)
    before = await counting.count(*call("a", chose("flu")))
    counting.clock.move(REMEMBERED.total_seconds() + 60)
    assert await counting.reader().forget() == 1
    assert await counting.count(*call("a", chose("flu"))) == before


async def test_a_clock_that_is_ahead_counts_where_it_says(database: Database) -> None:
    ahead = datetime(2026, 3, 28, 14, 0, tzinfo=UTC)
    found = await Counting(database).count(*call("a", at=ahead))
    assert list(found) == [(quarter_of(ahead), "all", "unknown", "")]


async def test_counts_of_the_future_wait_for_their_time(database: Database) -> None:
    await Counting(database).count(*call("a", chose("flu")), *call("b", chose("flu"), at=NOON + timedelta(hours=2)))

    async def demand(until: datetime) -> float:
        history = await read_history(database, NOW - 4, quarter_of(until), london())
        return float(history.total[~np.isnan(history.total)].sum())

    assert await demand(NOON + timedelta(hours=1)) == 1
    assert await demand(NOON + timedelta(hours=3)) == 2


async def test_days_that_stand_are_added_up_once_and_old_quarter_hours_go(database: Database) -> None:
    day = datetime(2026, 3, 29, tzinfo=UTC)  # of 23 hours in London
    times = [day, day + timedelta(hours=22, minutes=45), day + timedelta(hours=23), day - timedelta(minutes=15)]
    rows = [(Cell(quarter_of(at), "all", "bromley", ""), 10, number) for number, at in enumerate(times)]
    await database.write(lambda connection: put_counts(connection, rows))

    async def stands() -> tuple[list[tuple[int, int, int]], int]:
        days = select(surge_days.c.day, surge_days.c.demand, surge_days.c.deflected).order_by(surge_days.c.day)
        quarters = select(surge_counts.c.quarter)
        return await database.read(
            lambda connection: (
                [tuple(row) for row in connection.execute(days)],
                len(connection.execute(quarters).all()),
            )
        )

    assert await archive(database, day) == 0
    number = (day.date() - EPOCH).days
    assert await archive(database, day + SETTLED + timedelta(days=1)) == 2
    assert await stands() == ([(number - 1, 10, 3), (number, 20, 1)], 4)
    assert await archive(database, day + SETTLED + timedelta(days=1)) == 0
    await archive(database, day + QUARTERS_KEPT + timedelta(hours=23))
    assert await stands() == ([(number - 1, 10, 3), (number, 20, 1), (number + 1, 10, 2)], 1)
