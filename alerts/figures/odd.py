"""What cannot be read or cannot be true of the last hour: unreadable events, calls of the future, negative times.

It is counted as it comes and forgotten an hour later, so that an alert of it ends when its cause has.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import datetime, timedelta

from alerts.figures.calls import Call

KEPT = timedelta(hours=1)

SKEW = timedelta(seconds=60)
"""An event so far ahead of our clock is counted where its own says, and told as one from the future."""

KNOWN = 10_000
"""Events that cannot be read are told apart up to so many in an hour."""


class Oddities:
    """Odd events and calls (docs/alerts.md, Odd input), each once of a kind, however often it comes."""

    def __init__(self) -> None:
        self._unreadable: dict[tuple[str, int], datetime] = {}
        self._too_many: Counter[datetime] = Counter()  # by minute: a flood of them must not cost memory
        self._future: dict[str, datetime] = {}
        self._negative: dict[str, datetime] = {}

    def note_unreadable(self, ref: str, seq: int, at: datetime) -> bool:
        """An event of that time cannot be read; returns whether that is news. Beyond :data:`KNOWN` a repeat is, too."""
        if (ref, seq) in self._unreadable:
            return False
        if len(self._unreadable) < KNOWN:
            self._unreadable[ref, seq] = at
        else:
            self._too_many[at.replace(second=0, microsecond=0)] += 1
        return True

    def look(self, ref: str, call: Call | None, now: datetime) -> None:
        """Whether the call, as it is known ``now``, is odd; what was said of it before counts no more."""
        self._negative.pop(ref, None)
        if call is None:
            self._future.pop(ref, None)
            return
        if call.first_at - now > SKEW:
            self._future[ref] = call.first_at
        if odd := [at for at in (call.answered_at, call.ended_at) if at is not None and at < call.arrived_at]:
            self._negative[ref] = max(call.arrived_at, *odd)

    def told(self, now: datetime) -> Mapping[str, int]:
        """How many of each kind, of the last hour by the times that they name: a time to come is of now."""
        since = now - KEPT
        self._unreadable = {which: at for which, at in self._unreadable.items() if at >= since}
        self._too_many = Counter({at: count for at, count in self._too_many.items() if at >= since})
        for kept in (self._future, self._negative):
            for ref in [ref for ref, at in kept.items() if at < since]:
                del kept[ref]
        return {
            "unreadable": len(self._unreadable) + self._too_many.total(),
            "from_future": len(self._future),
            "negative": len(self._negative),
        }
