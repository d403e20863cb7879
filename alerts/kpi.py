"""Live figures: the event stream folded into what is true of the service now and since midnight."""

from __future__ import annotations

import json
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from typing import TypeAlias

import structlog

from alerts.calls import READ, Call, Mark, marks, read_call
from alerts.model import LONDON, RECENT, TOTAL, Figures, MinutePoint, ScopeFigures
from callrouter import events as ev
from infra.bus import Entry

log = structlog.get_logger(__name__)

MINUTE = timedelta(minutes=1)

MINUTES_AT_MOST = 60
"""How far back a chart may reach: less than ended calls are remembered, so that no minute lacks calls."""

ENDED_KEPT = timedelta(minutes=90)
"""An ended call keeps its events this long, for the chart and for entries that come late."""

UNENDED_KEPT = timedelta(hours=24)
"""No caller waits a day: an older call without an end has lost it, and must not alarm for ever."""

SETTLED_KEPT = timedelta(hours=48)
"""A forgotten call's reference is kept until its day is no longer shown, so that a repeat changes nothing."""


_Events: TypeAlias = dict[int, tuple[datetime, ev.Event]]


@dataclass(slots=True)
class _Known:
    """A call as far as it is known: its events by ``seq``, what they say, and what it adds to the figures.

    Of a call that has ended the events are only for entries that come late; packed they take a tenth of the room.
    """

    call: Call
    events: _Events | bytes
    marks: frozenset[Mark] = field(default_factory=frozenset)

    def opened(self) -> _Events:
        """The events, to be read and added to."""
        return _unpacked(self.events) if isinstance(self.events, bytes) else self.events


class LiveFigures:
    """The service's figures since the start of the Europe/London day, and now.

    Entries may come late, twice and in any order: one is recognised by ``(call_ref, seq)``, and the figures
    depend only on which have come. They live in memory; after a restart the day's entries are applied again
    before the figures are shown. ``providers`` maps ids to names for people; each appears, with zeros, before
    its first call, and one that is not named appears under its id. Raises ValueError for the id ``total``.
    """

    def __init__(self, providers: Mapping[str, str]) -> None:
        if TOTAL in providers:
            raise ValueError(f"no provider may have the id {TOTAL!r}: it names the whole service")
        self._names = dict(providers)
        self._calls: dict[str, _Known] = {}
        self._open: dict[str, _Known] = {}  # of them, those who may wait or talk now: looked at each second
        self._failed: dict[str, _Known] = {}  # of them, those in which something of ours failed
        self._forgot_at: datetime | None = None
        self._settled: dict[str, datetime] = {}
        self._counts: Counter[Mark] = Counter()
        self._marks: dict[frozenset[Mark], frozenset[Mark]] = {}  # most calls of a day have the same

    def apply(self, entry: Entry) -> None:
        """Count one entry of the event stream; one that is known or moves no figure changes nothing.

        Only clear facts are read. An entry that cannot be read is logged by its ids and left out: one event
        in a newer form must not stop the figures.
        """
        if entry.kind not in READ or entry.call_ref in self._settled:
            return
        known = self._calls.get(entry.call_ref)
        events = known.opened() if known is not None else {}
        if entry.seq in events:
            return
        try:
            event = ev.join(entry.kind, entry.facts)
        except TypeError:
            log.warning("entry_unreadable", call_ref=entry.call_ref, seq=entry.seq, kind=entry.kind)
            return
        self._add(entry, event, events)

    def figures(self, now: datetime) -> Figures:
        """The figures at ``now`` (UTC): counters of its Europe/London day, and everyone who waits."""
        self._forget(now)
        day = now.astimezone(LONDON).date()
        waits = {scope: _Waits() for scope in (TOTAL, *self._names)}
        for known in self._open.values():
            if not _is_past(known.call, now):
                _note_waits(waits, known.call, now)
        total, *providers = (self._scope(day, scope, waits[scope]) for scope in (TOTAL, *self._names))
        failed = sum(_failed_recently(known.call, now) for known in self._failed.values())
        return Figures(now, replace(total, failed_recently=failed), tuple(providers))

    def minutes(self, now: datetime, count: int) -> tuple[MinutePoint, ...]:
        """The last ``count`` minutes of the whole service, oldest first; the last is the one in progress.

        Calls are shown in the minute in which they were offered or answered by an agent. Raises ValueError
        for a count outside 1 to :data:`MINUTES_AT_MOST`.
        """
        if not 1 <= count <= MINUTES_AT_MOST:
            raise ValueError(f"a chart has 1 to {MINUTES_AT_MOST} minutes, not {count}")
        start = now.replace(second=0, microsecond=0) - (count - 1) * MINUTE
        calls = [known.call for known in self._calls.values()]
        offered = Counter((call.offered_at - start) // MINUTE for call in calls if call.offered_at)
        answered = Counter((call.answered_at - start) // MINUTE for call in calls if call.answered_at)
        longest = _longest_waits(calls, start, now)
        return tuple(
            MinutePoint(start + n * MINUTE, offered[n], answered[n], longest.get(n, 0.0)) for n in range(count)
        )

    def _add(self, entry: Entry, event: ev.Event, events: _Events) -> None:
        events[entry.seq] = (entry.at, event)
        call = read_call(events)
        for provider in call.providers:
            self._names.setdefault(provider, provider)
        known = self._calls.setdefault(entry.call_ref, _Known(call, events))
        found = marks(call)
        before, known.call, known.marks = known.marks, call, self._marks.setdefault(found, found)
        if call.ended_at is None:
            known.events = events
            self._open[entry.call_ref] = known
        else:
            known.events = _packed(events)
            self._open.pop(entry.call_ref, None)
        if call.failed_at is not None:
            self._failed[entry.call_ref] = known
        self._counts.update(known.marks - before)
        self._counts.subtract(before - known.marks)

    def _scope(self, day: date, scope: str, waits: _Waits) -> ScopeFigures:
        counts = {figure: self._counts[(day, scope, figure)] for figure in _COUNTED}
        return ScopeFigures(
            scope=scope,
            name=self._names.get(scope, "Whole service"),
            waiting=waits.count,
            longest_wait_s=waits.longest_s,
            on_line=waits.on_line,
            **counts,
        )

    def _forget(self, now: datetime) -> None:
        """Once a minute: it looks at every call of the last hour and a half."""
        if self._forgot_at is not None and abs(now - self._forgot_at) < MINUTE:
            return
        self._forgot_at = now
        for ref in [ref for ref, known in self._calls.items() if _is_past(known.call, now)]:
            self._settled[ref] = now + SETTLED_KEPT
            del self._calls[ref]
            self._open.pop(ref, None)
            self._failed.pop(ref, None)
        for ref in [ref for ref, until in self._settled.items() if until < now]:
            del self._settled[ref]
        yesterday = now.astimezone(LONDON).date() - timedelta(days=1)
        for mark in [mark for mark, count in self._counts.items() if mark[0] < yesterday or not count]:
            del self._counts[mark]
        for old in [found for found in self._marks if all(mark[0] < yesterday for mark in found)]:
            del self._marks[old]


def _packed(events: _Events) -> bytes:
    rows = [(seq, at.isoformat(), event.kind, ev.split(event)[0]) for seq, (at, event) in events.items()]
    return zlib.compress(json.dumps(rows).encode(), level=1)


def _unpacked(packed: bytes) -> _Events:
    rows = json.loads(zlib.decompress(packed))
    return {seq: (datetime.fromisoformat(at), ev.join(kind, facts)) for seq, at, kind, facts in rows}


_COUNTED = ("offered", "answered_within_60", "in_progress", *ev.END_CLASSES)


@dataclass(slots=True)
class _Waits:
    count: int = 0
    longest_s: float = 0.0
    on_line: int = 0

    def add(self, since: datetime | None, now: datetime) -> None:
        if since is not None:
            self.count += 1
            self.longest_s = max(self.longest_s, (now - since).total_seconds())


def _failed_recently(call: Call, now: datetime) -> bool:
    return call.failed_at is not None and now - call.failed_at < RECENT


def _note_waits(waits: Mapping[str, _Waits], call: Call, now: datetime) -> None:
    waits[TOTAL].add(call.arrived_at if call.waiting else None, now)
    waits[TOTAL].on_line += call.talking
    for provider in call.providers:
        waits[provider].add(call.waits_at(provider), now)
        waits[provider].on_line += call.legs[provider].talking


def _longest_waits(calls: Iterable[Call], start: datetime, now: datetime) -> dict[int, float]:
    longest: dict[int, float] = {}
    for call in calls:
        for minute, upto in _waited_minutes(call, start, now):
            waited = (upto - call.arrived_at).total_seconds()
            longest[minute] = max(longest.get(minute, 0.0), waited)
    return longest


def _waited_minutes(call: Call, start: datetime, now: datetime) -> Iterator[tuple[int, datetime]]:
    """Each minute, counted from ``start``, in which the caller waited, and the last instant of it."""
    for wait in call.waits:
        until = min(wait.until or now, now)
        first = max((wait.since - start) // MINUTE, 0)
        for minute in range(first, (until - start) // MINUTE + 1):
            yield minute, min(until, start + (minute + 1) * MINUTE)


def _is_past(call: Call, now: datetime) -> bool:
    if call.ended_at is not None and call.offered_at is not None:
        return now - call.ended_at > ENDED_KEPT
    return now - call.arrived_at > UNENDED_KEPT
