"""A journal of made-up calls and whoever counts them, for the tests of figures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import partial

from alerts.figures.check import differences
from alerts.figures.history import KpiHistory
from alerts.figures.history_rows import midnight
from alerts.figures.items import TOTAL, Scope, ScopeKind, Values
from alerts.figures.kpi import LiveFigures
from alerts.figures.recontact import Recontacts
from alerts.figures.recount import recount
from alerts.figures.tally import Tally
from alerts.figures.waiting import WaitingNow
from callrouter.figures.check import FigureCheck
from callrouter.figures.comparing import Comparison
from callrouter.figures.folding import KpiFolder
from callrouter.journal import Journal
from infra.bus import Entry, MemoryStream
from infra.crypto import KeyRing
from infra.health import Health
from infra.sql import Database
from tests.hand_clock import HandClock

DAY = date(2025, 10, 26)  # London's clocks go back: 25 hours
START = midnight(DAY)
NOW = START + timedelta(hours=25)
KEYS = KeyRing(b"m" * 32, b"i" * 32)
SOON_S = 60.0
NAMES = {TOTAL: "Whole service", Scope("provider", "kings"): "King's 111"}
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


async def rolled(house: House) -> dict[Scope, dict[str, object]]:
    while await house.history.roll():
        pass
    return {scope: tally.as_data() for scope, tally in (await house.history.rolled(DAY)).items()}


async def of_hours(house: House) -> dict[Scope, dict[str, object]]:
    return {scope: tally.as_data() for scope, tally in (await house.history.of_hours(DAY)).items()}


@dataclass
class Shown:
    """Live figures, as whoever compares reads them."""

    live: LiveFigures
    clock: HandClock

    def tallies(self, day: date, over_by: datetime) -> Mapping[Scope, Tally]:
        return self.live.tallies(self.clock.now(), day, over_by)

    def call_backs(self, day: date, over_by: datetime) -> Mapping[Scope, Values]:
        return self.live.call_backs(self.clock.now(), day, over_by)

    def waited(self, at: datetime) -> Mapping[Scope, WaitingNow]:
        return self.live.waited(self.clock.now(), at)

    def oddities(self) -> Mapping[str, int]:
        return self.live.oddities(self.clock.now())


class Unknown:
    """Live figures that are not known."""

    def tallies(self, day: date, over_by: datetime) -> Mapping[Scope, Tally] | None:
        return None

    def call_backs(self, day: date, over_by: datetime) -> Mapping[Scope, Values] | None:
        return None

    def waited(self, at: datetime) -> Mapping[Scope, WaitingNow] | None:
        return None

    def oddities(self) -> Mapping[str, int]:
        return {}


def checking(house: House, live: LiveFigures, clock: HandClock) -> tuple[FigureCheck, Health]:
    health = Health(clock)
    comparison = Comparison(house.database, house.history, Recontacts(house.database))
    return FigureCheck(comparison, house.folder, house.history, Shown(live, clock), clock, health), health
