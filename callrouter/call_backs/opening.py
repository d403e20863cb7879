"""Call-backs, put together: the list, what follows from an end, and who looks whether one is late."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy.exc import SQLAlchemyError

from callrouter.call_backs.service import CallBackList
from callrouter.call_backs.steps import StepTeller
from callrouter.journal import Journal
from callrouter.repeat.contacts import RepeatCalls
from callrouter.welfare.service import Left, Welfare
from infra.bus import EventStream
from infra.clock import Clock
from infra.crypto import KeyRing
from infra.lease import Lease
from infra.loops import repeat, until_next
from infra.sql import Database

LOOK_EVERY_S = 15.0


@dataclass(slots=True)
class KeptCallBacks:
    """``all`` is for calls, pages and programs; :meth:`loops` runs beside them."""

    all: CallBackList
    teller: StepTeller
    clock: Clock
    late_s: float | None = field(default=None, init=False)
    """For how long the longest overdue call has been owed; None where another process looks, or nobody could."""
    _next: float = field(default=0.0, init=False)

    def loops(self, lease: Callable[..., Lease]) -> list[Coroutine[Any, Any, None]]:
        """What runs beside the calls, in one process at a time."""
        return [repeat("call-backs", self.step, full=StepTeller.BATCH, lease=lease(name="call-backs"), lost=self._lost)]

    async def step(self, wait_s: float) -> int:
        """Tell the journal what was done, and look whether any is late; returns how many steps were told."""
        if self.late_s is None or self.clock.monotonic() >= self._next:
            self._next = self.clock.monotonic() + LOOK_EVERY_S
            try:
                self.late_s = await self.all.late_s()
            except (SQLAlchemyError, OSError):
                self._lost()  # of the database that is away another rule tells
                raise
        told = await self.teller.step()
        if not told:
            await asyncio.sleep(until_next(wait_s))
        return told

    def _lost(self) -> None:
        self.late_s = None


def open_call_backs(
    database: Database,
    keys: KeyRing,
    clock: Clock,
    stream: EventStream,
    journal: Journal,
    *,
    repeats: RepeatCalls,
    welfare: Welfare,
) -> KeptCallBacks:
    """The parts, put together."""
    call_backs = CallBackList(database, keys, clock)

    async def follows(call_ref: str, outcome: str) -> None:
        """A caller who was reached has had their encounter; one who was not is a clinician's."""
        whole = await call_backs.of_call(call_ref)
        if whole is None:
            return
        if outcome == "reached":
            await repeats.keep(call_ref, whole.number or None, whole.arrived_at, context=whole.context)
        elif outcome == "gave_up":
            left = whole.left_at or whole.promised_at
            await welfare.make(Left(call_ref, whole.context, "call_back", left, whole.number or None))

    return KeptCallBacks(call_backs, StepTeller(database, stream, journal, follows, clock), clock)
