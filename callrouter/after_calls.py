"""What goes on once calls have ended: the index of encounters, the distress flag of lines, welfare tasks."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any

from alerts.model import Rule
from alerts.store import AlertStore
from callrouter.encounters import EncounterIndexer
from callrouter.journal import Journal
from callrouter.providers import Providers
from callrouter.repeat import RepeatCalls
from callrouter.unanswered import Unanswered
from callrouter.welfare import Welfare
from callrouter.welfare_notices import WelfareNotices
from infra.bus import EventStream
from infra.clock import Clock
from infra.crypto import KeyRing
from infra.lease import Lease
from infra.loops import repeat
from infra.sql import Database


@dataclass(frozen=True, slots=True)
class AfterCalls:
    """``repeats`` is asked by calls; the two readers follow the stream of events; ``welfare`` is for clinicians."""

    repeats: RepeatCalls
    indexer: EncounterIndexer
    unanswered: Unanswered
    welfare: Welfare

    def loops(self, lease: Callable[..., Lease]) -> list[Coroutine[Any, Any, None]]:
        """What runs beside the calls, each in one process at a time."""
        indexer, unanswered = self.indexer, self.unanswered
        return [
            repeat("encounters", indexer.step, full=indexer.BATCH, lease=lease(name="encounters")),
            repeat("unanswered", unanswered.step, full=unanswered.BATCH, lease=lease(name="unanswered")),
            repeat("welfare", self._look_after, full=1, lease=lease(name="welfare")),
        ]

    async def _look_after(self, wait_s: float) -> int:
        await self.welfare.look_after()
        await asyncio.sleep(wait_s)
        return 0


def after_calls(
    database: Database,
    keys: KeyRing,
    clock: Clock,
    *,
    stream: EventStream,
    journal: Journal,
    providers: Providers,
    rules: Sequence[Rule],
) -> AfterCalls:
    """The parts, put together."""
    repeats = RepeatCalls(database, keys)
    welfare = Welfare(database, keys, clock, WelfareNotices(AlertStore(database), rules))
    owners = {each.id: each.ods or each.id for each in providers}
    return AfterCalls(
        repeats,
        EncounterIndexer(stream, journal, repeats, keys, owners),
        Unanswered(stream, journal, repeats, welfare),
        welfare,
    )
