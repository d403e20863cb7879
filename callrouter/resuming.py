"""A caller whom we cut off, and who rings back within a quarter of an hour, is not asked again.

A number is not an identity: who rings back may be somebody else of the household. So nothing of the first call is
said aloud; the caller goes on at the place where it was cut off, ahead of others, with the time it first came.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from datetime import datetime
from typing import Protocol

import structlog

from callrouter.errors import StaleEpoch, UnknownCall
from callrouter.model import Arrival, CallRecord, Input, InputKind, Reply
from infra.clock import Clock
from infra.crypto import KeyRing
from infra.state import CallStates

WITHIN_S = 15 * 60.0
MOST_DROPS = 5  # of one number within that time: more is a fault that no resuming mends
AWAY = "us edge_away"  # who ended the calls of an Asterisk that nobody sees any more, and why

IsConnected = Callable[[str], Awaitable[bool]]
"""Whether any worker says that it is connected to the Asterisk of this name; True, too, where that is not known."""

log = structlog.get_logger()


async def always(_edge: str) -> bool:
    """:data:`IsConnected` where there is no Asterisk to lose."""
    return True


def given_up(record: CallRecord, at: datetime) -> Input:
    """The end of a call whose Asterisk is away. Like any end it is told once, whoever tells it."""
    return Input(f"{record.call_ref}.ended", InputKind.HUNG_UP, at, value=AWAY, epoch=record.epoch)


class Moves(Protocol):
    """What is needed of :class:`callrouter.calls.Calls`."""

    async def record(self, call_ref: str) -> CallRecord | None:
        """What is kept of the call now."""

    async def handle(self, call_ref: str, given: Input) -> Reply:
        """Move the call by one input."""


class CutOff:
    """The calls of a number that we cut off, or may have: their Asterisk does not answer."""

    def __init__(self, states: CallStates, keys: KeyRing) -> None:
        self._states = states
        self._keys = keys

    async def note(self, record: CallRecord) -> None:
        """Note it for a quarter of an hour; again, nothing changes."""
        if record.number.e164 is None:
            return
        for name in self._names(record.number.e164):
            if await self._states.name(name, record.call_ref, keep_s=WITHIN_S) == record.call_ref:
                return

    async def of(self, e164: str) -> list[str]:
        """Those of this number, the newest first."""
        found: list[str] = []
        for name in self._names(e164):
            if (noted := await self._states.named(name)) is None:
                break
            found.insert(0, noted)
        return found

    def _names(self, e164: str) -> Iterator[str]:
        hidden = self._keys.index("dropped-number", e164)
        return (f"dropped.{hidden}.{count}" for count in range(MOST_DROPS))


class Resuming:
    """Which call of a number we dropped last. One caller resumes it: the next from that line begins anew."""

    def __init__(
        self, states: CallStates, keys: KeyRing, calls: Moves, clock: Clock, connected: IsConnected
    ) -> None:  # fmt: skip
        self._states = states
        self._cut_off = CutOff(states, keys)
        self._calls = calls
        self._clock = clock
        self._connected = connected

    async def remember(self, before: CallRecord | None, after: CallRecord) -> None:
        """Note a call that has just ended and that we dropped; others change nothing."""
        if before is not None and before.ended is None and after.dropped:
            await self._cut_off.note(after)

    async def find(self, arrival: Arrival, call_ref: str) -> CallRecord | None:
        """The call that this one goes on with: the last that we dropped, unless another one did already.

        A call in progress on an Asterisk that neither the watch nor any worker sees any more is dropped here and now:
        its number has rung again, through another one.
        """
        noted = await self._cut_off.of(arrival.number.e164) if arrival.number.e164 else []
        if call_ref in noted:  # its own start, told once more
            return None
        for ref in noted:
            record = await self._calls.record(ref)
            if record is not None and record.ended is None and record.edge not in ("", arrival.edge):
                record = await self._if_lost(record)
            if record is None or not record.dropped:
                continue  # it goes on, or went on, after all
            first = await self._states.name(f"resumed.{ref}", call_ref, keep_s=WITHIN_S)
            return record if first == call_ref else None
        return None

    async def _if_lost(self, record: CallRecord) -> CallRecord | None:
        """The call as it is now: closed, if its Asterisk has nobody's connection."""
        if await self._connected(record.edge):
            return None
        log.warning("call_lost", call_ref=record.call_ref, edge=record.edge)
        with suppress(StaleEpoch, UnknownCall):  # somebody has it after all
            await self._calls.handle(record.call_ref, given_up(record, self._clock.now()))
        return await self._calls.record(record.call_ref)
