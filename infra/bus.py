"""The event stream: what the commit of a call appends, and what journal, KPIs and indexes read.

Each reader is a *group* with a place of its own. An entry stays until every group has acknowledged it, so a
reader that was away misses nothing. Delivery is at least once: readers recognise an entry by
``(call_ref, seq)``. The embedded stream lives in the process; Redis Streams take its place in production.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol


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


class EventStream(Protocol):
    """An append-only stream with reader groups. A contract suite runs against every implementation."""

    def join(self, group: str) -> None:
        """Make ``group`` a reader from here on. Joining again changes nothing."""

    async def append(self, entries: Sequence[Entry]) -> None:
        """Add entries in order, all or none."""

    async def read(self, group: str, *, limit: int, wait_s: float) -> list[tuple[int, Entry]]:
        """Up to ``limit`` entries not yet acknowledged by ``group``, oldest first, with their positions.

        Waits at most ``wait_s`` seconds for the first one; an empty list then. The same entries come again
        until they are acknowledged.
        """

    async def acknowledge(self, group: str, position: int) -> None:
        """``group`` is done with every entry up to and including ``position``."""

    def lag(self, group: str) -> int:
        """How many entries ``group`` has still to acknowledge."""


class MemoryStream:
    """:class:`EventStream` inside one process, for one event loop."""

    def __init__(self) -> None:
        self._entries: deque[Entry] = deque()
        self._first = 0  # position of the oldest entry kept
        self._places: dict[str, int] = {}
        self._grown = asyncio.Condition()

    def join(self, group: str) -> None:
        self._places.setdefault(group, self._first + len(self._entries))

    def append_now(self, entries: Sequence[Entry]) -> None:
        """As :meth:`append`, without a turn of the loop, so that it can be part of a commit."""
        if not self._places:
            return  # nobody will ever read it
        self._entries.extend(entries)
        task = asyncio.get_running_loop().create_task(self._wake())
        task.add_done_callback(lambda done: done.exception())

    async def append(self, entries: Sequence[Entry]) -> None:
        self.append_now(entries)

    async def _wake(self) -> None:
        async with self._grown:
            self._grown.notify_all()

    async def read(self, group: str, *, limit: int, wait_s: float) -> list[tuple[int, Entry]]:
        async with self._grown:
            if not self.lag(group) and wait_s > 0:
                try:
                    await asyncio.wait_for(self._grown.wait_for(lambda: self.lag(group) > 0), wait_s)
                except TimeoutError:
                    return []
        start = self._places[group]
        upto = min(start + limit, self._first + len(self._entries))
        return [(n, self._entries[n - self._first]) for n in range(start, upto)]

    async def acknowledge(self, group: str, position: int) -> None:
        self._places[group] = max(self._places[group], position + 1)
        done = min(self._places.values())
        while self._first < done:
            self._entries.popleft()
            self._first += 1

    def lag(self, group: str) -> int:
        return self._first + len(self._entries) - self._places[group]
