"""Leases: of several processes one at a time does a piece of work, another soon after its death.

A lease is no lock: a holder that hangs wakes to find another at work. What is done under one must bear to be
done twice (the journal's rows have a key, encounters too).
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from typing import Protocol

from infra.errors import StateUnavailable

LEASE_S = 4.0  # with a try every second: another process goes on within five seconds of a death


class Leases(Protocol):
    """The port. A contract suite runs against every implementation. Raises :class:`StateUnavailable`."""

    async def hold(self, name: str, holder: str, seconds: float) -> bool:
        """Take the lease ``name`` for ``seconds`` from now, or renew it; False while another holds it."""

    async def is_held(self, name: str) -> bool:
        """Whether anybody holds the lease ``name`` now."""

    async def release(self, name: str, holder: str) -> None:
        """Give the lease back. Nothing happens if ``holder`` no longer has it."""


async def say_alive(leases: Leases, name: str, seconds: float) -> None:
    """A word to all, to be given again in time: that of each who gives it holds for all of them, so long from now.

    Ask with :meth:`Leases.is_held`. Raises :class:`StateUnavailable`.
    """
    await leases.hold(name, "alive", seconds)


class MemoryLeases:
    """:class:`Leases` inside one process."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._held: dict[str, tuple[str, float]] = {}

    async def hold(self, name: str, holder: str, seconds: float) -> bool:
        now = self._monotonic()
        owner, until = self._held.get(name, (holder, 0.0))
        if owner != holder and until > now:
            return False
        self._held[name] = (holder, now + seconds)
        return True

    async def is_held(self, name: str) -> bool:
        return self._held.get(name, ("", 0.0))[1] > self._monotonic()

    async def release(self, name: str, holder: str) -> None:
        if self._held.get(name, ("", 0.0))[0] == holder:
            del self._held[name]


class Lease:
    """One process' claim to one piece of work."""

    def __init__(self, leases: Leases, name: str, holder: str, seconds: float = LEASE_S) -> None:
        """``seconds``: longer than any step of the work, or another process takes it in between."""
        self._leases = leases
        self._name = name
        self._holder = holder
        self._seconds = seconds

    async def hold(self) -> bool:
        """Whether the work is ours for the next ``seconds``."""
        return await self._leases.hold(self._name, self._holder, self._seconds)

    async def release(self) -> None:
        """Let another process go on at once; if that cannot be told, the lease lapses by itself."""
        with contextlib.suppress(StateUnavailable):
            await self._leases.release(self._name, self._holder)
