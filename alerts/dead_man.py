"""The dead-man's switch: it fires when nothing is heard, so that what has died need not say so."""

from __future__ import annotations

from typing import Literal

from infra.clock import Clock

AGAIN_S = 900.0
"""A switch that has fired says so again after so long: the first word may have met a person who was asleep."""

Word = Literal["fired", "again", "back"]


class DeadMansSwitch:
    """Fires once after ``silent_s`` without a sign of life, then every :data:`AGAIN_S`, and says once that it is back.

    The silence begins when the switch is made: who never gives a sign is dead, too. Time is the monotonic clock's.
    """

    def __init__(self, clock: Clock, silent_s: float) -> None:
        self._clock = clock
        self._limit_s = silent_s
        self._heard_at = clock.monotonic()
        self._told_at: float | None = None

    @property
    def silent_s(self) -> float:
        """For how long nothing has been heard."""
        return self._clock.monotonic() - self._heard_at

    @property
    def has_fired(self) -> bool:
        """Whether people were told, and not yet that it is over."""
        return self._told_at is not None

    def heard(self, ago_s: float) -> None:
        """A sign of life that was given ``ago_s`` seconds ago; one older than the newest changes nothing."""
        self._heard_at = max(self._heard_at, self._clock.monotonic() - max(0.0, ago_s))

    def word(self) -> Word | None:
        """What people are to be told now; the same word is given once."""
        now = self._clock.monotonic()
        if self.silent_s < self._limit_s:
            back, self._told_at = self.has_fired, None
            return "back" if back else None
        if self._told_at is None:
            self._told_at = now
            return "fired"
        if now - self._told_at >= AGAIN_S:
            self._told_at = now
            return "again"
        return None
