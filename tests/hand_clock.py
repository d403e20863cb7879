"""A clock that only a test moves."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

NOON = datetime(2026, 3, 28, 12, tzinfo=UTC)
START = 1000.0


@dataclass
class HandClock:
    """Stands at noon until it is moved."""

    time: datetime = NOON
    seconds: float = START

    def now(self) -> datetime:
        return self.time

    def monotonic(self) -> float:
        return self.seconds

    @property
    def passed(self) -> float:
        """Seconds that have passed, by the monotonic clock; set it to go there, on both clocks."""
        return self.seconds - START

    @passed.setter
    def passed(self, seconds: float) -> None:
        self.move(seconds - self.passed)

    def move(self, seconds: float) -> None:
        """Let time pass, on both clocks."""
        self.time += timedelta(seconds=seconds)
        self.seconds += seconds

    def jump(self, seconds: float) -> None:
        """The time of day is set anew (NTP); the monotonic clock knows nothing of it."""
        self.time += timedelta(seconds=seconds)
