"""Calls go on while the shared store is away: from this process' own copies, and from a file afterwards.

::

    shared ── the store does not answer ──▶ away: copies answer, commits are kept here and in the spool
      ▲                                       │ every second: does it answer?
      └── nothing owed any more ◀── settling ◀┘ a call that is owed stays here until the store has it

A commit whose answer did not come is kept here, too: when it is settled, either the store has it already (it
recognises the very same commit), or gets it now. Readers recognise an entry that comes twice by ``(call_ref, seq)``.
Two processes that moved one call meanwhile: the newer version stands, and of two events with the same ``seq`` the one
that was told first.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from weakref import WeakValueDictionary

import structlog

from infra.bus import Entry, EventStream
from infra.errors import StateUnavailable
from infra.spool import Owed, Spool, read_spool
from infra.state import CallStates, Stored, Version

LOST_WITHIN_S = 1800.0
"""A call that this process moved so lately, and that the store does not know, was lost by the store: a call that ended
is kept for an hour."""

PROBE_S = 1.0
"""Between two looks whether the store is back. Nobody pays its budget meanwhile."""

RECENT_S = 10.0
"""Commits as young as this are given again when the store was away: its fail-over may have forgotten the last ones."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class _Copy:
    """A call as this process knows it. Times are monotonic seconds."""

    stored: Stored
    forget_at: float
    due_at: float | None
    at: float


@dataclass(frozen=True, slots=True)
class _Done:
    """A commit that the store has taken, ``at`` monotonic seconds."""

    at: float
    call_ref: str
    owed: Owed


class DegradedStates:
    """:class:`CallStates` that does without ``primary`` while it must. Run :meth:`run` beside it.

    ``stream`` is the primary's. ``on_change`` hears when the store goes away (True), and when it is back and knows
    everything (False).
    """

    def __init__(
        self,
        primary: CallStates,
        stream: EventStream,
        folder: Path,
        *,
        on_change: Callable[[bool], None] = lambda _away: None,
        probe_s: float = PROBE_S,
    ) -> None:
        self._probe_s = probe_s
        self._primary = primary
        self._stream = stream
        self._spool = Spool(folder)
        self._on_change = on_change
        self._copies: dict[str, _Copy] = {}
        self._recent: deque[_Done] = deque()
        self._owed: dict[str, list[Entry]] = {}  # calls that the store must still learn of: their entries
        self._names: dict[str, tuple[str, float]] = {}
        self._names_owed: set[str] = set()
        self._left = self._spool.leftovers()
        self._away = asyncio.Event()
        self._told = False
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._swept = time.monotonic()

    @property
    def degraded(self) -> bool:
        """Whether the store is away, or has still to learn of something."""
        return self._told or bool(self._left)

    # ------------------------------------------------------------------ the port

    async def read(self, call_ref: str) -> Stored | None:
        if call_ref not in self._owed and not self._away.is_set():
            try:
                found = await self._primary.read(call_ref)
                if self._is_older(call_ref, found):
                    found = await self._primary.read(call_ref)  # a commit of ours may have come in between
            except StateUnavailable as error:
                self._go_away(error)
            else:
                return self._newest(call_ref, found)
        return self._known(call_ref)

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
        async with self._lock(call_ref):
            if call_ref not in self._owed and not self._away.is_set():
                try:
                    won = await self._primary.commit(call_ref, expected, new, entries, keep_s=keep_s, due_s=due_s)
                except StateUnavailable as error:
                    self._go_away(error)
                else:
                    if won:
                        self._keep(call_ref, new, keep_s, due_s)
                        self._remember(call_ref, Owed(new, keep_s, due_s, list(entries)))
                    return won
            return self._commit_here(call_ref, expected, new, entries, keep_s, due_s)

    async def overdue(self, *, late_s: float, limit: int) -> list[str]:
        """Only the store knows; :class:`StateUnavailable` while it is away. Each process rings its own timers."""
        if self._away.is_set():
            raise StateUnavailable("away")
        return await self._primary.overdue(late_s=late_s, limit=limit)

    async def name(self, name: str, call_ref: str, *, keep_s: float) -> str:
        owner = None
        if not self._away.is_set():
            try:
                owner = await self._primary.name(name, call_ref, keep_s=keep_s)
            except StateUnavailable as error:
                self._go_away(error)
        if owner is None:
            owner = self._named_here(name) or call_ref
            self._names_owed.add(name)
        self._names[name] = (owner, time.monotonic() + keep_s)
        return owner

    async def named(self, *names: str) -> list[str]:
        if not self._away.is_set():
            try:
                return await self._primary.named(*names)
            except StateUnavailable as error:
                self._go_away(error)
        return [call_ref for name in names if (call_ref := self._named_here(name))]

    # ------------------------------------------------------------------ beside it

    async def run(self) -> None:
        """See to it that the store learns of everything, until cancelled."""
        if self._left:
            self._tell(True)
            self._away.set()
        while True:
            await self._away.wait()
            try:
                await self._settle()
            except Exception as error:  # noqa: BLE001 - as long as it is not told, it must be tried again
                log.warning("state_still_away", error=type(error).__name__)
                self._away.set()
                await asyncio.sleep(self._probe_s)

    def close(self) -> None:
        """Leave what is owed to the next process."""
        self._spool.close(keep=bool(self._owed))

    # ------------------------------------------------------------------ here

    def _lock(self, call_ref: str) -> asyncio.Lock:
        return self._locks.setdefault(call_ref, asyncio.Lock())

    def _known(self, call_ref: str) -> Stored | None:
        found = self._copies.get(call_ref)
        return found.stored if found and found.forget_at > time.monotonic() else None

    def _named_here(self, name: str) -> str | None:
        owner, until = self._names.get(name, (None, 0.0))
        return owner if until > time.monotonic() else None

    def _is_older(self, call_ref: str, found: Stored | None) -> bool:
        known = self._copies.get(call_ref)
        if known is None or known.forget_at <= time.monotonic():
            return False
        if found is None:
            # of an old copy: another process has ended the call, and the store has forgotten it in due time
            return time.monotonic() - known.at < LOST_WITHIN_S
        return found.version < known.stored.version

    def _newest(self, call_ref: str, found: Stored | None) -> Stored | None:
        """What the store says, unless it is behind; a call that another process has moved is known as it is now."""
        if call_ref in self._owed:
            return self._known(call_ref)  # moved here while the store was answering
        if self._is_older(call_ref, found):
            self._owed[call_ref] = self._recent_of(call_ref)
            self._go_away(StateUnavailable("data_lost"))
            return self._known(call_ref)
        known = self._copies.get(call_ref)
        if known and found and known.stored != found:
            self._copies[call_ref] = _Copy(found, known.forget_at, known.due_at, known.at)
        return found

    def _keep(self, call_ref: str, new: Stored, keep_s: float, due_s: float | None) -> None:
        now = time.monotonic()
        if due_s is None and call_ref not in self._owed:
            self._copies.pop(call_ref, None)  # it is over, and the store knows
        else:
            self._copies[call_ref] = _Copy(new, now + keep_s, None if due_s is None else now + due_s, now)
        if now - self._swept > 30:
            self._swept = now
            self._copies = {
                ref: each for ref, each in self._copies.items() if each.forget_at > now or ref in self._owed
            }
            self._names = {name: each for name, each in self._names.items() if each[1] > now}

    def _remember(self, call_ref: str, owed: Owed) -> None:
        now = time.monotonic()
        self._recent.append(_Done(now, call_ref, owed))
        while self._recent[0].at < now - RECENT_S:
            self._recent.popleft()

    def _recent_of(self, call_ref: str) -> list[Entry]:
        return [entry for each in self._recent if each.call_ref == call_ref for entry in each.owed.entries]

    def _commit_here(
        self,
        call_ref: str,
        expected: Version | None,
        new: Stored,
        entries: Sequence[Entry],
        keep_s: float,
        due_s: float | None,
    ) -> bool:
        known = self._known(call_ref)
        if known == new:
            return True
        # a call that is not known here was read from the store a moment ago, or is new
        if known is not None and known.version != expected:
            return False
        if expected is not None and new.version.epoch < expected.epoch:
            return False
        if call_ref not in self._owed:
            self._owed[call_ref] = self._recent_of(call_ref)
        self._owed[call_ref].extend(entries)
        self._keep(call_ref, new, keep_s, due_s)
        self._spool.add(call_ref, new, entries, keep_s, due_s)
        return True

    # ------------------------------------------------------------------ away and back

    def _go_away(self, error: StateUnavailable) -> None:
        if not self._away.is_set():
            log.error("state_away", error=str(error))
        self._away.set()
        self._tell(True)

    def _tell(self, away: bool) -> None:
        if away != self._told:
            self._told = away
            self._on_change(away)

    async def _settle(self) -> None:
        """Give the store everything; raises :class:`StateUnavailable` when it does not answer."""
        await self._primary.read("probe")
        while self._left:
            for call_ref, owed in read_spool(self._left[0]).items():
                await self._give(call_ref, owed)
            self._left.pop(0).unlink(missing_ok=True)
        for name in list(self._names_owed):
            if (owner := self._named_here(name)) is not None:
                await self._primary.name(name, owner, keep_s=self._names[name][1] - time.monotonic())
            self._names_owed.discard(name)
        first = next(iter(self._owed), None)
        if first is not None:
            await self._settle_call(first)  # it writes, too: the others may use it again
        self._away.clear()
        for call_ref in list(self._owed):
            await self._settle_call(call_ref)
        for done in list(self._recent):
            await self._settle_recent(done)
        if not self._owed and not self._away.is_set():
            self._spool.clear()
            log.info("state_back")
            self._tell(False)

    async def _settle_recent(self, done: _Done) -> None:
        """Give one recent commit again, unless its call is behind by more than that: the next brings it on."""
        async with self._lock(done.call_ref):
            found = await self._primary.read(done.call_ref)
            if found is None or found.version < done.owed.stored.version:
                log.warning("state_forgotten", call_ref=done.call_ref)
                await self._give(done.call_ref, done.owed)

    async def _settle_call(self, call_ref: str) -> None:
        async with self._lock(call_ref):
            copy, now = self._copies[call_ref], time.monotonic()
            due_s = None if copy.due_at is None else copy.due_at - now
            owed = Owed(copy.stored, max(copy.forget_at - now, 1.0), due_s, self._owed[call_ref])
            await self._give(call_ref, owed)
            self._remember(call_ref, owed)
            del self._owed[call_ref]
            if due_s is None:
                del self._copies[call_ref]

    async def _give(self, call_ref: str, owed: Owed) -> None:
        while True:
            found = await self._primary.read(call_ref)
            # a commit whose answer never came is made again: it changes nothing, and waits for a replica as it should
            newer = found is not None and found != owed.stored and found.version >= owed.stored.version
            if owed.keep_s <= 0 or newer:
                log.warning("state_given_up", call_ref=call_ref, forgotten=owed.keep_s <= 0)
                await self._stream.append(owed.entries)
                return
            before = found.version if found else None
            if await self._primary.commit(
                call_ref, before, owed.stored, owed.entries, keep_s=owed.keep_s, due_s=owed.due_s
            ):
                return
