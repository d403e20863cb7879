"""What pages read from the database and keep for a while: many browsers cost one query, a slow one holds no page."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass
from typing import Generic, TypeVar

import structlog

from infra.clock import Clock

log = structlog.get_logger(__name__)

PATIENCE_S = 2.0
"""Longest that a page waits for a reading; then it shows the last one, or says that it is not known."""

RETRY_S = 10.0

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


@dataclass(slots=True)
class _Reading(Generic[Value]):
    value: Value | None = None
    again_at: float = 0.0
    failed: bool = False
    under_way: asyncio.Task[None] | None = None


class Kept(Generic[Key, Value]):
    """What ``read`` gave for a key, for ``for_s`` seconds.

    When reading fails, what was read last goes on (None if nothing was), and it is tried again after :data:`RETRY_S`.
    A reading that takes over :data:`PATIENCE_S` goes on behind the page, for the next who asks.
    """

    MOST = 256  # keys: days of scopes; yesterday's are never asked for again

    def __init__(
        self, read: Callable[[Key], Awaitable[Value]], clock: Clock, for_s: float, patience_s: float = PATIENCE_S
    ) -> None:
        self._read = read
        self._clock = clock
        self._for_s = for_s
        self._patience_s = patience_s
        self._readings: dict[Key, _Reading[Value]] = {}

    async def of(self, key: Key) -> Value | None:
        """The value of ``key``, at most ``for_s`` old unless reading fails or is slow."""
        while key not in self._readings and len(self._readings) >= self.MOST:
            del self._readings[next(iter(self._readings))]  # the oldest: keys hold days, and days pass
        reading = self._readings.setdefault(key, _Reading())
        waits = reading.value is None
        if reading.under_way is None and self._clock.monotonic() >= reading.again_at:
            reading.under_way = asyncio.create_task(self._renew(key, reading))
            waits = True
        if waits and reading.under_way is not None:
            await asyncio.wait({reading.under_way}, timeout=self._patience_s)
        return reading.value

    def is_old(self, key: Key) -> bool:
        """Whether the last try to read failed, so that :meth:`of` gives what was read before it, if anything."""
        return key in self._readings and self._readings[key].failed

    async def _renew(self, key: Key, reading: _Reading[Value]) -> None:
        try:
            reading.value = await self._read(key)
            reading.failed = False
        except Exception as error:  # noqa: BLE001 - whatever it is, pages go on with what was read before
            log.warning("wallboard_reading_failed", error=type(error).__name__)
            reading.failed = True
        finally:
            reading.again_at = self._clock.monotonic() + (min(RETRY_S, self._for_s) if reading.failed else self._for_s)
            reading.under_way = None
