"""The event stream: what the commit of a call appends, and what journal, KPIs and indexes read.

Each reader is a *group* with a place of its own. An entry stays until every durable group has acknowledged it,
so a reader that was away misses nothing. Delivery is at least once: readers recognise an entry by
``(call_ref, seq)``. The embedded stream lives in the process; Redis Streams take its place in production.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from typing import Any, Protocol, TypeAlias

KEPT_S = 60.0
"""An entry stays at least this long after it was appended, for readers that nobody waits for."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One event of one call on its way to the journal.

    ``facts`` are in clear (times, node ids, classes of input); ``sealed`` holds what is personal, encrypted
    with the key of the call. ``wrapped_key`` travels with the first entry of a call only.
    """

    call_ref: str
    seq: int
    at: datetime
    kind: str
    facts: Mapping[str, Any]
    sealed: bytes | None = field(default=None, repr=False)
    wrapped_key: bytes | None = field(default=None, repr=False)


Position: TypeAlias = str
"""Where an entry stands, as its stream names it: opaque, to be given back in an acknowledgement."""


class EventStream(Protocol):
    """An append-only stream with reader groups. A contract suite runs against every implementation.

    The entries of one call are read in the order of their appending; those of different calls in any. What a
    dead reader had in hand is read again by another of its group, by then perhaps after newer ones. All
    methods may raise :class:`infra.errors.StateUnavailable`.
    """

    async def join(self, group: str, *, durable: bool = True) -> None:
        """Make ``group`` a reader.

        A durable group reads from here on, is shared by all processes, and is waited for: an entry stays until
        it has acknowledged it. Joining again changes nothing. Else the group is this process' own and forgotten
        with it: it begins, each time that it joins, with the oldest entry that is still kept (which every
        durable group may have acknowledged already), and is not waited for longer than :data:`KEPT_S`.
        """

    async def leave(self, group: str) -> None:
        """Forget a group that is not durable: nothing is kept for it any more. Again changes nothing."""

    async def append(self, entries: Sequence[Entry]) -> None:
        """Add entries in order. Those of one call are added all or none."""

    async def read(self, group: str, *, limit: int, wait_s: float) -> list[tuple[Position, Entry]]:
        """Up to ``limit`` entries not yet acknowledged by ``group``, each call's oldest first, with their positions.

        Waits at most about ``wait_s`` seconds for the first one; an empty list then. The same entries come
        again until they are acknowledged.
        """

    async def acknowledge(self, group: str, positions: Sequence[Position]) -> None:
        """``group`` is done with the entries at these positions. Again changes nothing."""


async def take(
    stream: EventStream,
    group: str,
    do: Callable[[Entry], Awaitable[bool]],
    *,
    limit: int,
    wait_s: float,
) -> int:
    """Give each entry of one batch to ``do``, in order, until it says False: not yet. Returns how many were done.

    What was done is acknowledged, also when ``do`` raises; what follows comes again. So nothing is acknowledged past
    an entry that must wait.
    """
    batch = await stream.read(group, limit=limit, wait_s=wait_s)
    done: list[Position] = []
    try:
        for position, entry in batch:
            if not await do(entry):
                break
            done.append(position)
    finally:
        if done:
            await stream.acknowledge(group, done)
    return len(done)


class MemoryStream:
    """:class:`EventStream` inside one process, for one event loop."""

    def __init__(self) -> None:
        self._entries: deque[Entry] = deque()
        self._first = 0  # place of the oldest entry kept
        self._groups: dict[str, _Place] = {}
        self._waiting: set[asyncio.Future[None]] = set()

    async def join(self, group: str, *, durable: bool = True) -> None:
        start = self._end if durable else self._first
        if durable:
            self._groups.setdefault(group, _Place(start))
        else:
            self._groups[group] = _Place(start)

    async def leave(self, group: str) -> None:
        self._groups.pop(group, None)

    @property
    def _end(self) -> int:
        return self._first + len(self._entries)

    def append_now(self, entries: Sequence[Entry]) -> None:
        """As :meth:`append`, without a turn of the loop, so that it can be part of a commit."""
        if not self._groups:
            return  # nobody will ever read it
        self._entries.extend(entries)
        if entries:
            for each in self._waiting:
                _wake(each)
            self._waiting.clear()

    async def append(self, entries: Sequence[Entry]) -> None:
        self.append_now(entries)

    async def read(self, group: str, *, limit: int, wait_s: float) -> list[tuple[Position, Entry]]:
        if not self._lag(group) and wait_s > 0:
            await self._growth(wait_s)
        place = self._groups[group]
        if not place.done:  # nearly always: whoever reads is done with all of it before reading on
            offset = place.start - self._first
            found = islice(self._entries, offset, offset + limit)
            return [(str(n), entry) for n, entry in enumerate(found, place.start)]
        new = (n for n in range(place.start, self._end) if n not in place.done)
        return [(str(n), self._entries[n - self._first]) for n in islice(new, limit)]

    async def acknowledge(self, group: str, positions: Sequence[Position]) -> None:
        place = self._groups[group]
        numbers = [int(each) for each in positions]
        if not place.done and numbers == list(range(place.start, place.start + len(numbers))):
            place.start += len(numbers)
        place.done.update(n for n in numbers if n >= place.start)
        while place.start in place.done:
            place.done.remove(place.start)
            place.start += 1
        oldest = min(each.start for each in self._groups.values())
        while self._first < oldest:
            self._entries.popleft()
            self._first += 1

    async def _growth(self, wait_s: float) -> None:
        """Return with the next entry that is appended, or after so long. Every commit wakes readers: at little cost."""
        loop = asyncio.get_running_loop()
        grown: asyncio.Future[None] = loop.create_future()
        timer = loop.call_later(wait_s, _wake, grown)
        self._waiting.add(grown)
        try:
            await grown
        finally:
            timer.cancel()
            self._waiting.discard(grown)

    def _lag(self, group: str) -> int:
        place = self._groups[group]
        return self._end - place.start - len(place.done)


def _wake(waiting: asyncio.Future[None]) -> None:
    if not waiting.done():
        waiting.set_result(None)


@dataclass(slots=True)
class _Place:
    """How far a group is: done with everything before ``start``, and with what is in ``done``."""

    start: int
    done: set[int] = field(default_factory=set)
