"""A caller whom we cut off, and who rings back within a quarter of an hour, is not asked again.

A number is not an identity: who rings back may be somebody else of the household. So nothing of the first call is
said aloud; the caller goes on at the place where it was cut off, ahead of others, with the time it first came.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from callrouter.model import CallRecord
from infra.crypto import KeyRing
from infra.numbers import Number
from infra.state import CallStates

WITHIN_S = 15 * 60.0

ReadRecord = Callable[[str], Awaitable[CallRecord | None]]


class Resuming:
    """Which call of a number we dropped last."""

    def __init__(self, states: CallStates, keys: KeyRing, read: ReadRecord) -> None:
        self._states = states
        self._keys = keys
        self._read = read

    async def remember(self, before: CallRecord | None, after: CallRecord) -> None:
        """Note a call that has just ended and that we dropped; others change nothing."""
        if before is None or before.ended is not None or not after.dropped or after.number.e164 is None:
            return
        await self._states.name(self._name(after.number.e164), after.call_ref, keep_s=WITHIN_S)

    async def find(self, number: Number) -> CallRecord | None:
        """The call that this caller comes back from, if we dropped one."""
        if number.e164 is None:
            return None
        call_ref = await self._states.named(self._name(number.e164))
        return await self._read(call_ref) if call_ref is not None else None

    def _name(self, e164: str) -> str:
        return f"dropped.{self._keys.index('dropped-number', e164)}"
