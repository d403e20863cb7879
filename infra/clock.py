"""Time, passed in: the wall clock for records, the monotonic clock for waits."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """What the service needs of time. Tests pass one that they move by hand."""

    def now(self) -> datetime:
        """The time of day, UTC. It may jump (NTP); never subtract two of these to time a wait."""

    def monotonic(self) -> float:
        """Seconds that only go forward; for budgets, deadlines and leases."""


class SystemClock:
    """The machine's own clocks."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()
