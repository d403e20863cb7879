"""Live call state: a compare-and-set store whose commit also appends to the event stream.

The value is opaque here (a sealed session). A commit replaces it only if the version that the caller read is
still the newest, and appends the events of the same step: both happen or neither. The embedded store lives in
the process; Redis with Lua takes its place in production.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from infra.bus import Entry, MemoryStream


@dataclass(frozen=True, slots=True, order=True)
class Version:
    """Who may write: ``epoch`` counts owners (the network's side counts it), ``step`` counts commits."""

    epoch: int
    step: int


@dataclass(frozen=True, slots=True)
class Stored:
    """A call as the store keeps it."""

    version: Version
    value: bytes = field(repr=False)
    wrapped_key: bytes = field(repr=False)


class CallStates(Protocol):
    """The port. A contract suite runs against every implementation.

    All methods may raise :class:`infra.errors.StateUnavailable`: the store did not answer within its budget.
    """

    async def read(self, call_ref: str) -> Stored | None:
        """The newest state of a call, or nothing if it never started or was forgotten."""

    async def commit(
        self,
        call_ref: str,
        expected: Version | None,
        new: Stored,
        entries: Sequence[Entry],
        *,
        keep_s: float,
        due_s: float | None,
    ) -> bool:
        """Replace the state and append the entries if ``expected`` is still the newest version.

        ``expected=None`` means that the call must be new. Returns False, having changed nothing, if another
        commit came first or ``new`` belongs to an older epoch. The very same commit again has won as it did
        before, and changes nothing. The state is forgotten ``keep_s`` seconds
        after its last commit. ``due_s`` seconds from now somebody must have moved the call on; None: nobody
        waits for that.
        """

    async def overdue(self, *, late_s: float, limit: int) -> list[str]:
        """At most ``limit`` calls whose due time passed more than ``late_s`` seconds ago, the longest ago first.

        They stay listed until their next commit, which replaces or removes the due time, or until they are
        forgotten.
        """

    async def name(self, name: str, call_ref: str, *, keep_s: float) -> str:
        """Give a call a second name (network id, context id). The first giver wins; returns its call."""

    async def named(self, *names: str) -> list[str]:
        """The calls that bear these names, in their order; names that nobody bears are left out."""


class MemoryStates:
    """:class:`CallStates` inside one process."""

    def __init__(self, stream: MemoryStream) -> None:
        self._stream = stream
        self._calls: dict[str, tuple[Stored, float]] = {}
        self._due: dict[str, float] = {}
        self._names: dict[str, tuple[str, float]] = {}
        self._swept = time.monotonic()

    async def read(self, call_ref: str) -> Stored | None:
        found = self._calls.get(call_ref)
        return found[0] if found and found[1] > time.monotonic() else None

    async def commit(
        self,
        call_ref: str,
        expected: Version | None,
        new: Stored,
        entries: Sequence[Entry],
        *,
        keep_s: float,
        due_s: float | None,
    ) -> bool:
        found = await self.read(call_ref)
        if found == new:
            return True
        if (found.version if found else None) != expected:
            return False
        if expected is not None and new.version.epoch < expected.epoch:
            return False
        self._calls[call_ref] = (new, time.monotonic() + keep_s)
        if due_s is None:
            self._due.pop(call_ref, None)
        else:
            self._due[call_ref] = time.monotonic() + due_s
        self._stream.append_now(entries)
        self._sweep()
        return True

    async def overdue(self, *, late_s: float, limit: int) -> list[str]:
        before = time.monotonic() - late_s
        late = [ref for ref, due in self._due.items() if due < before and await self.read(ref) is not None]
        return sorted(late, key=self._due.__getitem__)[:limit]

    async def name(self, name: str, call_ref: str, *, keep_s: float) -> str:
        owner, until = self._names.get(name, (call_ref, 0.0))
        if until < time.monotonic():
            owner = call_ref
            self._names[name] = (call_ref, time.monotonic() + keep_s)
        return owner

    async def named(self, *names: str) -> list[str]:
        found = [self._names.get(name, ("", 0.0)) for name in names]
        return [call_ref for call_ref, until in found if until > time.monotonic()]

    def _sweep(self) -> None:
        now = time.monotonic()
        if now - self._swept < 30:
            return
        self._swept = now
        self._calls = {ref: held for ref, held in self._calls.items() if held[1] > now}
        self._due = {ref: due for ref, due in self._due.items() if ref in self._calls}
        self._names = {name: held for name, held in self._names.items() if held[1] > now}
