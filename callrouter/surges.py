"""Surges put together: the reader that counts, the looks every quarter-hour, and what people do with proposals."""

from __future__ import annotations

from collections.abc import Callable, Collection, Coroutine
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import structlog

from alerts.surges.counting import SurgeCounter
from alerts.surges.errors import IndicatorsError
from alerts.surges.indicators import Indicators, read_indicators
from callrouter.errors import ConfigurationError
from callrouter.journal import Journal
from callrouter.settings import Settings
from callrouter.view import fold
from infra.bus import EventStream
from infra.clock import Clock
from infra.crypto import KeyRing, SealError
from infra.errors import StateUnavailable
from infra.lease import Lease
from infra.loops import repeat
from infra.sql import Database

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Surges:
    """``counter`` follows the stream of events."""

    counter: SurgeCounter

    async def join(self) -> None:
        """Become a reader of the stream; without its store, later."""
        with suppress(StateUnavailable):
            await self.counter.join()

    def loops(self, lease: Callable[..., Lease]) -> list[Coroutine[Any, Any, None]]:
        """What runs beside the calls, each in one process at a time."""
        counter = self.counter
        return [repeat("surge counts", counter.step, full=counter.BATCH, lease=lease(name="surge-counts"))]


def open_surges(
    settings: Settings, database: Database, keys: KeyRing, clock: Clock, stream: EventStream, journal: Journal
) -> Surges:
    """The parts of these settings; raises :class:`ConfigurationError` for a file of indicators that cannot be used."""
    counter = SurgeCounter(
        stream,
        database,
        indicators_of(settings),
        clock,
        hidden=lambda ref: keys.index("surge-call", ref),
        categories=_RedFlags(journal),
    )
    return Surges(counter)


def indicators_of(settings: Settings) -> Indicators:
    """What the settings' file says counts to which signal; raises :class:`ConfigurationError`."""
    try:
        return read_indicators(settings.indicators_file)
    except IndicatorsError as error:
        raise ConfigurationError(str(error)) from error


class _RedFlags:
    """:data:`alerts.surges.counting.Categories`, opened with the call's own key."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    async def __call__(self, call_ref: str) -> Collection[str] | None:
        try:
            view = fold(await self._journal.read(call_ref))
        except SealError:
            log.error("red_flag_unreadable", call_ref=call_ref)  # one such call must not stop the rest
            return ()
        if view is None or not view.red_flags:
            return None
        return {each.category for each in view.red_flags}
