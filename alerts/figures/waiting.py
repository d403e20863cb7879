"""Who waits now, of one scope."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class WaitingNow:
    """Callers who wait now; ``longest_wait_s``: of who waits longest, seconds since the service was offered the call.

    ``on_line``: calls answered and not over.
    """

    waiting: int = 0
    longest_wait_s: float = 0.0
    on_line: int = 0

    def and_one(self, since: datetime | None, now: datetime, *, talks: bool = False) -> WaitingNow:
        """With one call more, whose caller waits ``since`` then, or not at all."""
        waits = since is not None
        longest = max(self.longest_wait_s, (now - since).total_seconds()) if since is not None else self.longest_wait_s
        return WaitingNow(self.waiting + waits, longest, self.on_line + talks)


NOBODY = WaitingNow()
