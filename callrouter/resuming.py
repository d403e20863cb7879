"""A caller whom we cut off, and who rings back within a quarter of an hour, is not asked again.

A number is not an identity: who rings back may be somebody else of the household. So nothing of the first call is
said aloud; the caller goes on at the place where it was cut off, ahead of others, with the time it first came.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import datetime
from typing import Protocol

import structlog

from callrouter.errors import StaleEpoch, UnknownCall
from callrouter.model import Arrival, CallRecord, Input, InputKind, Reply
from callrouter.ports import IsShared
from infra.clock import Clock
from infra.crypto import KeyRing
from infra.numbers import Number
from infra.state import CallStates

WITHIN_S = 15 * 60.0
MOST = 5  # drops of one number within that time, and doubts: more is a fault that no resuming mends
AWAY = "us edge_away"  # who ended the calls of an Asterisk that nobody sees any more, and why

IsConnected = Callable[[str], Awaitable[bool]]
"""Whether a worker, or the watch, is connected to the Asterisk of this name; True, too, where that is not known."""

log = structlog.get_logger()


def nobody(_number: str) -> bool:
    """:data:`IsShared` where no line is known to be."""
    return False


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
    """The calls of a number that we cut off (drops), or may have: their Asterisk does not answer (doubts).

    Nothing is noted of a line that many share: that it rings again, while a call of it is in progress, says nothing.
    """

    def __init__(self, states: CallStates, keys: KeyRing, is_shared: IsShared = nobody) -> None:
        self._states = states
        self._keys = keys
        self._is_shared = is_shared

    async def note(self, record: CallRecord) -> None:
        """Note a drop for a quarter of an hour; again, nothing changes."""
        await self._note("dropped", record)

    async def doubt(self, record: CallRecord) -> None:
        """Likewise a call that may be one; it takes no drop's place."""
        await self._note("doubted", record)

    async def of(self, number: Number) -> list[str]:
        """Those of this number, of both kinds."""
        return await self._states.named(*self._names("dropped", number), *self._names("doubted", number))

    async def _note(self, kind: str, record: CallRecord) -> None:
        for name in self._names(kind, record.number):
            if await self._states.name(name, record.call_ref, keep_s=WITHIN_S) == record.call_ref:
                return

    def _names(self, kind: str, number: Number) -> list[str]:
        """Of the places for one kind; none for a line that tells nobody from others."""
        if number.e164 is None or self._is_shared(number.e164):
            return []
        hidden = self._keys.index("dropped-number", number.e164)
        return [f"{kind}.{hidden}.{count}" for count in range(MOST)]


class Resuming:
    """Which call of a number we dropped last. One caller resumes it: the next from that line begins anew."""

    def __init__(
        self, states: CallStates, cut_off: CutOff, calls: Moves, clock: Clock, connected: IsConnected
    ) -> None:  # fmt: skip
        self._states = states
        self._cut_off = cut_off
        self._calls = calls
        self._clock = clock
        self._connected = connected

    async def remember(self, before: CallRecord | None, after: CallRecord) -> None:
        """Note a call that has just ended and that we dropped; others change nothing."""
        if before is not None and before.ended is None and after.dropped:
            await self._cut_off.note(after)

    async def find(self, arrival: Arrival, call_ref: str) -> CallRecord | None:
        """The call that this one goes on with: of those that we dropped the one that began last, unless another call
        did already.

        A call in progress on an Asterisk that neither the watch nor any worker sees any more is dropped here and now:
        its number has rung again, through another one. One that does not open, or move, is passed over.
        """
        noted = await self._cut_off.of(arrival.number)
        if call_ref in noted:  # its own start, told once more
            return None
        kept = [each for ref in reversed(noted) if (each := await _if_readable(ref, self._calls.record(ref)))]
        for each in sorted(kept, key=lambda each: each.offered_at, reverse=True):
            record: CallRecord | None = each
            if each.ended is None and each.edge not in ("", arrival.edge):
                record = await _if_readable(each.call_ref, self._if_lost(each))
            if record is None or not record.dropped:
                continue  # it goes on, or went on, after all
            first = await self._states.name(f"resumed.{record.call_ref}", call_ref, keep_s=WITHIN_S)
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


async def _if_readable(call_ref: str, asked: Awaitable[CallRecord | None]) -> CallRecord | None:
    """None, too, where an old call breaks: the new one must not break with it."""
    try:
        return await asked
    except Exception as error:  # noqa: BLE001 - whatever it is, the new caller begins anew
        log.error("cut_off_call_unreadable", call_ref=call_ref, error=type(error).__name__)
        return None
