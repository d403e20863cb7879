"""Nudges: "look at this call now", told to every process at once.

Best effort: one may be lost, and nobody is told. Whoever acts on nudges needs a slower way that is certain
(the sweep of :meth:`infra.state.CallStates.overdue`).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Protocol

MOST_WAITING = 10_000
"""Nudges kept for a listener that is busy; more are dropped, as the contract allows."""


class Nudges(Protocol):
    """The port. A contract suite runs against every implementation."""

    async def send(self, call_ref: str) -> None:
        """Tell every listener of every process, the sender's own too. Never raises; may be lost."""

    def listen(self) -> AsyncIterator[str]:
        """References of calls to look at, from the first turn of the iterator on, without end."""


class MemoryNudges:
    """:class:`Nudges` inside one process."""

    def __init__(self) -> None:
        self._listeners: set[asyncio.Queue[str]] = set()

    async def send(self, call_ref: str) -> None:
        for each in self._listeners:
            if not each.full():
                each.put_nowait(call_ref)

    async def listen(self) -> AsyncIterator[str]:
        heard: asyncio.Queue[str] = asyncio.Queue(MOST_WAITING)
        self._listeners.add(heard)
        try:
            while True:
                yield await heard.get()
        finally:
            self._listeners.discard(heard)
