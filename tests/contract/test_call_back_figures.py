"""Items D13 to D16: live figures, history and the recount in SQL tell the same, whatever way the events came."""

from __future__ import annotations

import random
from datetime import UTC, date, datetime, timedelta
from functools import partial

import pytest

from alerts.figures.history import KpiHistory
from alerts.figures.items import TOTAL
from alerts.figures.kpi import LiveFigures
from alerts.figures.recount_call_backs import recount_call_backs
from callrouter import events as ev
from callrouter.figures.check import FigureCheck
from callrouter.figures.folding import KpiFolder
from callrouter.journal import Journal
from infra.bus import Entry, MemoryStream
from infra.crypto import KeyRing
from infra.health import Health
from infra.sql import Database
from tests.hand_clock import HandClock

DAY = date(2026, 6, 3)
START = datetime(2026, 6, 2, 23, tzinfo=UTC)  # midnight in London
END = START + timedelta(days=1)
NOW = START + timedelta(hours=20)
KEYS = KeyRing(b"m" * 32, b"i" * 32)


def course(ref: str, *told: tuple[float, ev.Event]) -> list[Entry]:
    """A call whose caller was promised a call at 8:00, and what happened so many minutes after the promise."""
    eight = START + timedelta(hours=8)
    offered = ev.Offered(
        network="sip", dialled="111", cli_class="present", flow="f", flow_version="1", context=f"{ref:0>32}"
    )
    events = [(-1.0, offered), (0.0, ev.CallBackPromised(node="ring", service="111")),
              (0.5, ev.Ended(end_class="call_back", reason="hung_up", by="caller")), *told]  # fmt: skip
    return [
        Entry(ref, seq, eight + timedelta(minutes=minutes), event.kind, ev.split(event)[0], None,
              KEYS.new_data_key().wrapped if seq == 1 else None)
        for seq, (minutes, event) in enumerate(events, 1)
    ]  # fmt: skip


def tried(outcome: str, role: str = "clinician") -> ev.Event:
    return ev.CallBackTried(outcome=outcome, role=role)


def over(outcome: str) -> ev.Event:
    return ev.CallBackEnded(outcome=outcome)


COURSES = [
    course("at 20 minutes", (10, tried("no_answer")), (20, tried("answered")), (20, over("reached"))),
    course("a moment after", (20.001, tried("answered")), (20.001, over("reached"))),
    course("within the hour", (60, tried("answered")), (60, over("reached"))),
    course("late", (90, tried("answered")), (90, over("reached"))),
    course("in vain", (5, tried("busy")), (16, tried("failed")), (30, tried("no_answer")), (30, over("gave_up"))),
    course("still owed", (5, tried("no_answer"))),
    course("by a handler", (5, tried("answered", "handler")), (5, over("reached"))),
    course("answered on the line", (3, over("withdrawn"))),
    course("rang again", (12, over("rang_again"))),
]
EXPECTED = {"D13": 6, "D14": 1, "D15": 2, "D16": 1}


class House:
    """A journal, its reader into the history, and live figures."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.stream = MemoryStream()
        self.journal = Journal(database, KEYS)
        self.history = KpiHistory(database, {TOTAL: "Whole service"})
        self.folder = KpiFolder(self.stream, self.journal, self.history)
        self.live = LiveFigures({})

    async def bring(self, entries: list[Entry]) -> None:
        await self.journal.write(entries)
        await self.stream.append(entries)
        while await self.folder.step(0):
            pass
        for entry in entries:
            self.live.apply(entry)

    async def again(self) -> dict[str, int]:
        return dict(await self.database.study(partial(recount_call_backs, start=START, end=END)))


@pytest.fixture
async def house(database: Database) -> House:
    house = House(database)
    await house.folder.join()
    return house


async def test_live_history_and_recount_are_equal(house: House) -> None:
    entries = [entry for each in COURSES for entry in each]
    random.Random(7).shuffle(entries)
    await house.bring(entries)
    await house.bring(entries[::3])  # told twice

    while await house.history.roll():
        pass
    (told,) = [each for each in await house.history.window(START, END, "total") if each.scope == TOTAL]
    (live,) = house.live.today(NOW, "total")
    for values in (told.values, live.values, await house.again()):
        assert {code: values[code] for code in EXPECTED} == EXPECTED
    assert (live.ends["call_back"], live.values["A01"]) == (len(COURSES), len(COURSES))
    assert (live.values["D17"], live.values["D18"]) == (None, None)


async def test_where_none_was_promised_there_is_no_figure_and_no_nought(house: House) -> None:
    await house.bring([entry for entry in COURSES[0] if not entry.kind.startswith("call_back")])

    (live,) = house.live.today(NOW, "total")
    assert [live.values[code] for code in EXPECTED] == [None] * 4


@pytest.mark.parametrize("database_kind", ["sqlite"])
async def test_what_the_history_lacks_is_mended_by_the_check(house: House) -> None:
    entries = [entry for each in COURSES for entry in each]
    await house.bring([entry for entry in entries if not entry.kind.startswith("call_back")])
    await house.journal.write(entries)  # these the stream has lost
    clock = HandClock(NOW)
    check = FigureCheck(house.database, house.folder, house.history, lambda _day, _cut: None, clock, Health(clock))

    assert await house.history.promises(START, END) == []
    assert (await check.day(DAY, NOW)).differ == {}
    assert len(await house.history.promises(START, END)) == len(COURSES)


@pytest.mark.parametrize("database_kind", ["sqlite"])
async def test_live_figures_that_lack_a_call_back_are_found(house: House) -> None:
    entries = [entry for each in COURSES for entry in each]
    await house.bring(entries)
    clock, lacking = HandClock(NOW), LiveFigures({})
    for live, found in ((house.live, {}), (lacking, {"live": {"call-backs": 4}})):
        check = FigureCheck(
            house.database, house.folder, house.history, lambda _day, _cut: None, clock, Health(clock),
            live_call_backs=live.call_backs,
        )  # fmt: skip
        assert (await check.day(DAY, NOW)).differ == found
