"""One sweep for all workers: calls whose time has passed and whom nobody has moved.

A caller's worker may be dead, or alive and stuck; their telephone exchange may have lost them. Whatever it was, the
call goes on or is closed, so that nobody waits for ever, on the line or on the wallboard.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Literal, Protocol

import structlog

from callrouter.calls import Calls
from callrouter.deadlines import timer_input, was_told_to_end
from callrouter.model import CallRecord, Input, InputKind, lives
from infra.clock import Clock
from infra.state import CallStates
from ivr.model import LegWait, OfferWait

LATE_S = 5.0
"""An owner rings its own timers; one this late has none any more (a lease is 2 s)."""

BATCH = 100
MOST_LIVES = 20  # the dialplan's limit of owners, but for hand-overs

log = structlog.get_logger()


class Edge(Protocol):
    """What holds lines and can be asked about them (an Asterisk, seen from outside)."""

    def place(self, call_ref: str) -> Literal["held", "dialplan", "gone", "unknown"]:
        """Where the caller is."""

    async def rescue(self, call_ref: str) -> None:
        """Have the caller brought to another worker."""


class Sweep:
    """Any process may do it; one at a time is enough."""

    def __init__(self, states: CallStates, calls: Calls, edges: Mapping[str, Edge], clock: Clock) -> None:
        self._states = states
        self._calls = calls
        self._edges = edges
        self._clock = clock

    async def step(self) -> int:
        """Look after the calls that are most overdue; returns how many there were."""
        overdue = await self._states.overdue(late_s=LATE_S, limit=BATCH)
        for call_ref in overdue:
            try:
                record = await self._calls.record(call_ref)
                if record is not None and record.ended is None:
                    await self._look_after(record)
            except Exception as error:  # noqa: BLE001 - one call that cannot be read must not hide the others
                log.error("call_not_looked_after", call_ref=call_ref, error=type(error).__name__)
        return len(overdue)

    async def _look_after(self, record: CallRecord) -> None:
        edge = self._edges.get(record.edge)
        if edge is None:
            if not record.edge:  # an edge that is not known here is not ours to judge
                await self._go_on(record)
            return
        match edge.place(record.call_ref):
            case "gone" | "held" if await self._has_later_life(record.call_ref):
                await self._close(record, "unknown begun_again")
            case "gone":
                log.warning("call_lost", call_ref=record.call_ref)
                await self._close(record, "us lost")
            case "held":
                await edge.rescue(record.call_ref)
            case "dialplan":
                await self._calls.postpone(record.call_ref)
            case "unknown":
                pass  # its Asterisk does not answer us; it may well serve the caller

    async def _has_later_life(self, call_ref: str) -> bool:
        """Whether the call began again while this state of it could not be read: the caller is, or was, there."""
        return any([await self._calls.knows(name) for name in lives(call_ref, MOST_LIVES)])

    async def _go_on(self, record: CallRecord) -> None:
        """Of a network that cannot be asked.

        One that has been silent for longer than its own times (the last callbacks were lost, or its fall-back has
        taken the caller) has nobody on this call any more: going on would keep a line for nobody.
        """
        if was_told_to_end(record):
            await self._close(record, "provider talk_ended")
        elif isinstance(record.session.wait, OfferWait | LegWait) and _is_due(record, self._clock.now()):
            await self._calls.deliver(record.call_ref, timer_input(record.wait_id, self._clock.now()))
        else:
            await self._close(record, "unknown lost")

    async def _close(self, record: CallRecord, why: str) -> None:
        ended = Input(f"{record.call_ref}.ended", InputKind.HUNG_UP, self._clock.now(), value=why, epoch=0)
        await self._calls.handle(record.call_ref, ended)


def _is_due(record: CallRecord, now: datetime) -> bool:
    return record.due_at is not None and record.due_at <= now
