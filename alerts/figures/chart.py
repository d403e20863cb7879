"""The chart of the last minutes: who was offered, who was answered, and how long the longest had waited."""

from __future__ import annotations

from array import array
from bisect import bisect_left, insort
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta

from alerts.figures.calls import Call
from alerts.figures.ledger import minute_of
from alerts.model import MinutePoint

MINUTE = timedelta(minutes=1)


class Chart:
    """Calls that are over, by minute; those in progress are laid upon them when somebody looks.

    ``waits``: the seconds that each caller who waited in the minute had waited by then, in order, so that a call which
    is read again can be taken out: eight bytes for each minute of a wait.
    """

    def __init__(self) -> None:
        self._offered: Counter[datetime] = Counter()
        self._answered: Counter[datetime] = Counter()
        self._waits: dict[datetime, array[float]] = {}
        self._since: datetime | None = None

    def add(self, call: Call) -> None:
        """Count a call that is over; what it has in minutes that are forgotten counts no more."""
        _count(call, self._offered, self._answered, self._since)
        for minute, waited_s in _waited(call, self._since):
            waits = self._waits.get(minute)
            if waits is None:
                waits = self._waits[minute] = array("d")
            insort(waits, waited_s)

    def take_out(self, call: Call) -> None:
        """Undo :meth:`add`."""
        _count(call, self._offered, self._answered, self._since, -1)
        for minute, waited_s in _waited(call, self._since):
            waits = self._waits[minute]
            del waits[bisect_left(waits, waited_s)]

    def points(self, start: datetime, count: int, now: datetime, going_on: Iterable[Call]) -> tuple[MinutePoint, ...]:
        """The ``count`` minutes from ``start`` on, with the calls in progress."""
        offered, answered, longest = Counter[datetime](), Counter[datetime](), dict[datetime, float]()
        for call in going_on:
            _count(call, offered, answered, start)
            for minute, waited_s in _waited(call, start, now):
                longest[minute] = max(longest.get(minute, 0.0), waited_s)
        shown = (start + n * MINUTE for n in range(count))
        return tuple(
            MinutePoint(
                at,
                offered[at] + self._offered[at],
                answered[at] + self._answered[at],
                max(longest.get(at, 0.0), self._longest(at)),
            )
            for at in shown
        )

    def _longest(self, at: datetime) -> float:
        waits = self._waits.get(at)
        return waits[-1] if waits else 0.0

    def forget(self, now: datetime, kept: timedelta) -> None:
        """Let go of what is older. It only ever goes forward."""
        since = minute_of(now - kept)
        if self._since is None or since > self._since:
            self._since = since
            for minutes in (self._offered, self._answered, self._waits):
                for minute in [each for each in minutes if each < since]:
                    del minutes[minute]


def _count(
    call: Call, offered: Counter[datetime], answered: Counter[datetime], since: datetime | None, calls: int = 1
) -> None:
    for at, counts in ((call.offered_at, offered), (call.answered_at, answered)):
        if at is not None and (since is None or at >= since):
            counts[minute_of(at)] += calls


def _waited(call: Call, since: datetime | None, now: datetime | None = None) -> Iterator[tuple[datetime, float]]:
    """Each minute from ``since`` on in which the caller waited, and for how many seconds they had by its last instant.

    ``now``: no wait is longer, nor one that has no end yet. Of a call that is over each has one.
    """
    arrived_at = call.arrived_at
    for wait in call.waits:
        until = min([each for each in (wait.until, now) if each is not None])
        minute = minute_of(wait.since if since is None or wait.since > since else since)
        while minute <= until:
            after = minute + MINUTE
            yield minute, ((until if until < after else after) - arrived_at).total_seconds()
            minute = after
