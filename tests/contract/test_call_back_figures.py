"""Items D13 to D18: live figures, history and the recount in SQL tell the same, whatever way the events came."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, timedelta
from functools import partial

import pytest

from alerts.figures.history import KpiHistory
from alerts.figures.items import TOTAL, Kpis, Scope, ScopeKind, Values
from alerts.figures.kpi import LiveFigures
from alerts.figures.recontact import Recontacts
from alerts.figures.recount_call_backs import recount_call_backs
from callrouter import events as ev
from callrouter.figures.check import FigureCheck
from callrouter.figures.comparing import Comparison, Live
from callrouter.figures.folding import KpiFolder
from callrouter.journal import Journal
from infra.bus import Entry, MemoryStream
from infra.crypto import KeyRing
from infra.health import Health
from infra.sql import Database
from tests.figures_house import Unknown
from tests.hand_clock import HandClock

DAY = date(2026, 6, 3)
START = datetime(2026, 6, 2, 23, tzinfo=UTC)  # midnight in London
END = START + timedelta(days=1)
NOW = START + timedelta(hours=20)
KINDS: tuple[ScopeKind, ...] = ("total", "provider", "service", "area")
KEYS = KeyRing(b"m" * 32, b"i" * 32)


def told(ref: str, *events: tuple[float, ev.Event], first: int = 1) -> list[Entry]:
    """What a call says, so many minutes after 8:00."""
    return [
        Entry(ref, seq, START + timedelta(hours=8, minutes=minutes), event.kind, ev.split(event)[0], None,
              KEYS.new_data_key().wrapped if seq == 1 else None)
        for seq, (minutes, event) in enumerate(events, first)
    ]  # fmt: skip


def offered(ref: str, resumes: str | None = None) -> ev.Offered:
    return ev.Offered(
        network="sip", dialled="111", cli_class="present", flow="f", flow_version="1", context=f"{ref:0>32}"[-32:],
        resumes=resumes,
    )  # fmt: skip


PROMISED = ev.CallBackPromised(node="ring", service="111")
HUNG_UP = ev.Ended(end_class="call_back", reason="hung_up", by="caller")
CUT_OFF = ev.Ended(end_class="dropped_by_us", reason="lost", by="us")


def course(ref: str, *then: tuple[float, ev.Event]) -> list[Entry]:
    """A call whose caller was promised a call at 8:00, and what happened so many minutes after the promise."""
    return told(ref, (-1.0, offered(ref)), (0.0, PROMISED), (0.5, HUNG_UP), *then)


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
EXPECTED = {"D13": 6, "D14": 1, "D14_60M": 2, "D14_LATER": 1}


def steps(ref: str, *then: tuple[float, ev.Event]) -> list[Entry]:
    """What was done about the call-back, which is told of the call that was cut off."""
    return told(ref, *then, first=50_001)


def leg(provider: str) -> ev.Event:
    return ev.LegStarted(provider=provider, service="clinician", band="routine")


CUT = "cut off before"
CUT_TWICE = "cut off after"
RESUMED = [
    # promised in the call that goes on
    *told(CUT, (-9, offered(CUT)), (-8, ev.AreaKnown(area="bexley", by="number")), (-7, leg("kings")), (-6, CUT_OFF)),
    *told("goes on", (-2, offered("goes on", CUT)), (-1, leg("thames")), (0, PROMISED), (1, HUNG_UP)),
    *steps(CUT, (15, tried("answered")), (15, over("reached"))),
    # promised in both: the first counts
    *told(
        CUT_TWICE,
        (0, offered(CUT_TWICE)),
        (1, ev.Queued(services=("dental",), band="routine")),
        (2, PROMISED),
        (3, CUT_OFF),
    ),
    *told("asked again", (8, offered("asked again", CUT_TWICE)), (10, PROMISED), (11, HUNG_UP)),
    *steps(CUT_TWICE, (25, tried("answered")), (25, over("reached"))),
]
OF_RESUMED = {
    "total": (2, 1, 1, 0),
    "service:clinician": (1, 1, 0, 0),
    "service:dental": (1, 0, 1, 0),
    "area:bexley": (1, 1, 0, 0),
    "area:unknown": (1, 0, 1, 0),
    "provider:kings": (1, 1, 0, 0),
    "provider:thames": (1, 1, 0, 0),
}


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

    async def again(self) -> dict[str, Mapping[str, int]]:
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
    (past,) = [each for each in await house.history.window(START, END, "total") if each.scope == TOTAL]
    (live,) = house.live.today(NOW, "total")
    for values in (past.values, live.values, (await house.again())["total"]):
        assert {code: values[code] for code in EXPECTED} == EXPECTED
    assert (live.ends["call_back"], live.values["A01"]) == (len(COURSES), len(COURSES))
    assert [live.values[code] for code in ("D15", "D16", "D17", "D18")] == [0] * 4, "no promise is of longer"


@pytest.mark.parametrize("seed", range(2))
async def test_a_promise_of_a_call_that_goes_on_after_a_drop_is_one_of_its_services_area_and_providers(
    house: House, seed: int
) -> None:
    entries = list(RESUMED)
    random.Random(seed).shuffle(entries)
    await house.bring(entries[::2])
    await house.bring(entries)

    def items(found: Iterable[Kpis]) -> dict[str, tuple[float | None, ...]]:
        return {str(k.scope): tuple(k.values[code] for code in EXPECTED) for k in found if k.values["D13"] is not None}

    again = await house.again()
    assert {scope: tuple(counts.values()) for scope, counts in again.items()} == OF_RESUMED
    assert items([k for kind in KINDS for k in house.live.today(NOW, kind)]) == OF_RESUMED
    while await house.history.roll():
        pass
    assert items([k for kind in KINDS for k in await house.history.window(START, END, kind)]) == OF_RESUMED
    later = NOW + timedelta(hours=2)  # their calls are forgotten by now, but not for whom the promises count
    assert items([k for kind in KINDS for k in house.live.today(later, kind)]) == OF_RESUMED


async def test_where_none_was_promised_there_is_no_figure_and_no_nought(house: House) -> None:
    await house.bring([entry for entry in COURSES[0] if not entry.kind.startswith("call_back")])

    (live,) = house.live.today(NOW, "total")
    assert [live.values[code] for code in EXPECTED] == [None] * 4


class CallBacksOnly(Unknown):
    def __init__(self, live: LiveFigures) -> None:
        self._live = live

    def call_backs(self, day: date, over_by: datetime) -> Mapping[Scope, Values]:
        return self._live.call_backs(NOW, day, over_by)


def check_of(house: House, live: Live, clock: HandClock) -> FigureCheck:
    comparison = Comparison(house.database, house.history, Recontacts(house.database))
    return FigureCheck(comparison, house.folder, house.history, live, clock, Health(clock))


@pytest.mark.parametrize("database_kind", ["sqlite"])
async def test_what_the_history_lacks_is_mended_by_the_check(house: House) -> None:
    entries = [entry for each in COURSES for entry in each]
    await house.bring([entry for entry in entries if not entry.kind.startswith("call_back")])
    await house.journal.write(entries)  # these the stream has lost
    clock = HandClock(NOW)
    check = check_of(house, Unknown(), clock)

    assert await house.history.promises(START, END) == {}
    assert (await check.day(DAY, NOW)).differ == {}
    assert len((await house.history.promises(START, END))[TOTAL]) == len(COURSES)


@pytest.mark.parametrize("database_kind", ["sqlite"])
async def test_live_figures_that_lack_a_call_back_are_found(house: House) -> None:
    entries = [entry for each in COURSES for entry in each]
    await house.bring(entries)
    clock, lacking = HandClock(NOW), LiveFigures({})
    lacks = {f"call-backs {scope}": 4 for scope in ("area:unknown", "service:unknown", "total")}
    for live, found in ((house.live, {}), (lacking, {"live": lacks})):
        check = check_of(house, CallBacksOnly(live), clock)
        assert (await check.day(DAY, NOW)).differ == found
