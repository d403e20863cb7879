"""A caller whom we cut off, and who rings back within a quarter of an hour, is not asked again.

A number is not an identity: who rings back may be somebody else of the household. So nothing of the first call is
said aloud; the caller goes on at the place where it was cut off, ahead of others, with the time it first came.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator

from callrouter.model import CallRecord
from infra.crypto import KeyRing
from infra.numbers import Number
from infra.state import CallStates

WITHIN_S = 15 * 60.0
MOST_DROPS = 5  # of one number within that time: more is a fault that no resuming mends

ReadRecord = Callable[[str], Awaitable[CallRecord | None]]


class Resuming:
    """Which call of a number we dropped last. One caller resumes it: the next from that line begins anew."""

    def __init__(self, states: CallStates, keys: KeyRing, read: ReadRecord) -> None:
        self._states = states
        self._keys = keys
        self._read = read

    async def remember(self, before: CallRecord | None, after: CallRecord) -> None:
        """Note a call that has just ended and that we dropped; others change nothing."""
        if before is None or before.ended is not None or not after.dropped or after.number.e164 is None:
            return
        for name in self._names(after.number.e164):
            if await self._states.name(name, after.call_ref, keep_s=WITHIN_S) == after.call_ref:
                return

    async def find(self, number: Number, call_ref: str) -> CallRecord | None:
        """The call that this one goes on with: the last that we dropped, unless another one did already."""
        if number.e164 is None:
            return None
        dropped = ""
        for name in self._names(number.e164):
            if (found := await self._states.named(name)) is None:
                break
            dropped = found
        if dropped in ("", call_ref):  # its own start, told once more
            return None
        if await self._states.name(f"resumed.{dropped}", call_ref, keep_s=WITHIN_S) != call_ref:
            return None
        return await self._read(dropped)

    def _names(self, e164: str) -> Iterator[str]:
        hidden = self._keys.index("dropped-number", e164)
        return (f"dropped.{hidden}.{count}" for count in range(MOST_DROPS))
