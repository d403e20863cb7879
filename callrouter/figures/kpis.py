"""What counts calls, put together: live figures, their history, and the comparison with a recount."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Coroutine, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from alerts.figures.adc import ContractCodes
from alerts.figures.history import ROLLED_AT_ONCE, KpiHistory
from alerts.figures.items import Scope
from alerts.figures.kpi import NAMES, LiveFigures
from alerts.figures.recontact import Recontacts
from callrouter.dispatch.providers import Provider
from callrouter.figures.board import Board
from callrouter.figures.callers import Callers
from callrouter.figures.check import FigureCheck
from callrouter.figures.comparing import Comparison
from callrouter.figures.folding import KpiFolder
from callrouter.journal import Journal
from infra.areas import london
from infra.bus import EventStream
from infra.clock import Clock
from infra.crypto import KeyRing
from infra.errors import StateUnavailable
from infra.health import Health
from infra.lease import Lease
from infra.loops import UNHURRIED_S, repeat
from infra.sql import Database

ROLL_EVERY_S = 30.0
"""How old what hours and days add up to may be; a window that ends now is read by call, and is not."""

NOTED_EVERY_S = 15.0
"""How often it is written down until when calls are counted."""

FOLLOW_EVERY_S = 300.0
"""Between two looks at who has rung again, which is told in hours."""


@dataclass(slots=True)
class Counting:
    """``history`` and ``recontacts`` are asked by pages and commands; the others run beside the calls."""

    history: KpiHistory
    folder: KpiFolder
    check: FigureCheck
    recontacts: Recontacts
    clock: Clock
    _noted_at: float = field(default=-NOTED_EVERY_S, init=False)

    async def join(self) -> None:
        """Become a reader of the stream; without its store, later."""
        with suppress(StateUnavailable):
            await self.folder.join()

    def loops(self, lease: Callable[..., Lease]) -> list[Coroutine[Any, Any, None]]:
        """What runs beside the calls, each in one process at a time."""
        folder = self.folder
        return [
            repeat("kpis", self.fold, full=folder.BATCH, gather_s=UNHURRIED_S, lease=lease(name="kpis")),
            repeat("kpi days", self._roll, full=ROLLED_AT_ONCE, lease=lease(name="kpi-days")),
            repeat("recontacts", self._follow, full=1, lease=lease(name="kpi-recontacts")),
            repeat("kpi check", self.check.step, full=1, lease=lease(name="kpi-check"), lost=self.check.lost),
        ]

    async def fold(self, wait_s: float) -> int:
        """Count the calls of one batch; once nothing is left, note until when all are counted."""
        begun = self.clock.now()
        done = await self.folder.step(wait_s)
        if self.folder.has_all and self.clock.monotonic() - self._noted_at >= NOTED_EVERY_S:
            await self.history.note_progress("read", begun)
            self._noted_at = self.clock.monotonic()
        return done

    async def roll(self) -> int:
        """Add up hours and days that have news, some at once; once none is left, note until when."""
        begun = self.clock.now()
        rolled = await self.history.roll()
        if rolled < ROLLED_AT_ONCE:
            await self.history.note_progress("rolled", begun)
        return rolled

    async def _roll(self, _wait_s: float) -> int:
        rolled = await self.roll()
        if rolled < ROLLED_AT_ONCE:
            await asyncio.sleep(ROLL_EVERY_S)
        return rolled

    async def _follow(self, _wait_s: float) -> int:
        await self.recontacts.follow(self.clock.now())
        await asyncio.sleep(FOLLOW_EVERY_S)
        return 0


def live_figures(providers: Mapping[str, str]) -> LiveFigures:
    """Figures that name providers (names by id) and the areas of London."""
    return LiveFigures(providers, _areas())


def history_of(database: Database, providers: Iterable[Provider]) -> KpiHistory:
    """The history, with the names of now."""
    return KpiHistory(database, {**NAMES, **_areas(), **{Scope("provider", each.id): each.name for each in providers}})


def contracts_of(providers: Iterable[Provider]) -> dict[str, ContractCodes]:
    """Under what names the national collection knows each provider that has a contract."""
    return {each.id: ContractCodes(**each.contract.model_dump()) for each in providers if each.contract}


def open_counting(
    database: Database,
    providers: Iterable[Provider],
    stream: EventStream,
    journal: Journal,
    board: Board,
    clock: Clock,
    health: Health,
    *,
    keys: KeyRing,
    shared: Collection[str],
) -> Counting:
    """The parts, put together; ``shared`` are numbers that many people call from."""
    history, recontacts = history_of(database, providers), Recontacts(database)
    folder = KpiFolder(stream, journal, history, Callers(recontacts, keys, shared))
    check = FigureCheck(Comparison(database, history, recontacts), folder, history, board, clock, health)
    return Counting(history, folder, check, recontacts, clock)


def _areas() -> dict[Scope, str]:
    return {Scope("area", each.id): each.name for each in london()}
