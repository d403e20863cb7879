"""Surges put together: the reader that counts, the looks every quarter-hour, and what people do with proposals."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Coroutine, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

import structlog

from alerts.life.store import AlertStore
from alerts.model import Rule
from alerts.surges.counting import SurgeCounter
from alerts.surges.errors import IndicatorsError
from alerts.surges.indicators import Indicators, read_indicators
from alerts.surges.process import Looks
from alerts.surges.store import ProposalStore
from alerts.surges.watch import PART as PART
from alerts.surges.watch import SurgeWatch
from callrouter import events as ev
from callrouter.errors import ConfigurationError
from callrouter.journal import Journal
from callrouter.messages.service import MessageService
from callrouter.publishing.content import Content
from callrouter.settings import Settings
from callrouter.surges.desk import SurgeDesk
from callrouter.surges.menus import MenuNotes
from callrouter.surges.notices import SurgeNotices
from infra.areas import london
from infra.bus import Entry, EventStream
from infra.clock import Clock
from infra.crypto import KeyRing, SealError
from infra.errors import StateUnavailable
from infra.health import Health
from infra.lease import Lease
from infra.loops import UNHURRIED_S, repeat
from infra.sql import Database

FORGET_EVERY_S = 3600.0
HEAL_EVERY_S = 30.0

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Surges:
    """``counter`` follows the stream of events, ``menus`` notes what versions ask;

    ``watch`` looks at what it counted, ``desk`` is for people."""

    counter: SurgeCounter
    menus: MenuNotes
    watch: SurgeWatch
    desk: SurgeDesk

    async def join(self) -> None:
        """Become a reader of the stream; without its store, later."""
        with suppress(StateUnavailable):
            await self.counter.join()

    def loops(self, lease: Callable[..., Lease]) -> list[Coroutine[Any, Any, None]]:
        """What runs beside the calls; counting and looking in one process at a time."""
        counter = self.counter
        return [
            repeat(
                "surge counts", counter.step, full=counter.BATCH, gather_s=UNHURRIED_S, lease=lease(name="surge-counts")
            ),
            repeat("surges", self.watch.step, full=1, lease=lease(name="surges")),
            repeat("surge menus", self.menus.step, full=1),
            repeat("old surge calls", self._forget, full=1),
            repeat("surges elsewhere", self._heal, full=1),
        ]

    async def _forget(self, _wait_s: float) -> int:
        await self.counter.forget()
        await asyncio.sleep(FORGET_EVERY_S)
        return 0

    async def _heal(self, _wait_s: float) -> int:
        await self.watch.heal()
        await asyncio.sleep(HEAL_EVERY_S)
        return 0


def open_surges(
    settings: Settings,
    database: Database,
    keys: KeyRing,
    clock: Clock,
    stream: EventStream,
    journal: Journal,
    *,
    rules: Sequence[Rule],
    messages: MessageService,
    contents: Callable[[], Iterable[Content]],
    health: Health,
) -> Surges:
    """The parts of these settings; raises :class:`ConfigurationError` for a file of indicators that cannot be used."""
    indicators, areas = indicators_of(settings), london()
    hidden = partial(keys.index, "surge-call")
    store = ProposalStore(database)
    desk = SurgeDesk(database, store, messages, indicators, areas, clock)
    notices = SurgeNotices(AlertStore(database), rules, indicators, areas, desk.is_live)
    return Surges(
        SurgeCounter(stream, database, indicators, clock, hidden=hidden, opened=SealedSigns(journal)),
        MenuNotes(database, contents, indicators),
        SurgeWatch(store, Looks(database, settings.database), notices, areas, clock, health),
        desk,
    )


def indicators_of(settings: Settings) -> Indicators:
    """What the settings' file says counts to which signal; raises :class:`ConfigurationError`."""
    try:
        return read_indicators(settings.indicators_file)
    except IndicatorsError as error:
        raise ConfigurationError(str(error)) from error


class SealedSigns:
    """:data:`alerts.surges.counting.Opened`: of the journal, with the call's own key."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    async def __call__(self, entry: Entry) -> Collection[str] | None:
        try:
            recorded = await self._journal.read(entry.call_ref)
        except SealError:
            log.error("signal_unreadable", call_ref=entry.call_ref)  # one such call must not stop the rest
            return ()
        event = next((each.event for each in recorded if each.seq == entry.seq), None)
        match event:
            case ev.RedFlagHeard(category=category):
                return (category,)
            case ev.ReasonsHeard(reasons=reasons):
                return reasons
            case ev.AgeBandKnown(band=band):
                return (band,)
            case _:
                return None
