"""The calls that are known, by their events; those that have news are read again."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from sys import intern
from typing import NamedTuple, TypeAlias

from alerts.figures.boxes import Boxes
from alerts.figures.calls import Call, Facts, Told, read_call
from alerts.figures.items import Scope
from alerts.figures.packing import pack, seen_of, told_of
from alerts.figures.shares import Share, shares_of
from callrouter import events as ev
from infra.bus import Entry

QUIET = timedelta(minutes=1)
"""A call that has been over for so long is put away: what was told of it is kept as one piece of bytes."""

ENDED_KEPT = timedelta(hours=6)
"""An ended call keeps its events at least this long, for those that come late; one later has the day read again."""

ENDED_BOX = timedelta(minutes=15)

UNENDED_KEPT = timedelta(hours=24)
"""No caller waits a day: an older call without an end has lost it, and must not alarm for ever."""

SETTLED_KEPT = timedelta(hours=48)
"""Which events of a forgotten call were counted is known until its day is no longer shown: repeats change nothing."""

SETTLED_BOX = timedelta(hours=6)

_ENTERED, _OFFERED = ev.NodeEntered.kind, ev.Offered.kind
Shares: TypeAlias = tuple[Share, ...]


@dataclass(slots=True)
class _Part:
    """The events of one call reference. ``seen``: a bit for each ``seq``. Of nodes, one says all."""

    contact: _Contact
    told: list[Told] = field(default_factory=list)
    seen: int = 0
    routed: bool = False


@dataclass(slots=True)
class _Contact:
    """One call of the figures: what was told under its reference, and under those that resume it.

    ``counted``: the shares that stand in the ledger; of a call in progress none does.
    """

    ref: str
    parts: list[_Part] = field(default_factory=list)
    call: Call | None = None
    shares: Shares = ()
    counted: Shares = ()


class News(NamedTuple):
    """A call that was read again; ``call`` is None for one that became part of another, ``was`` for a new one.

    ``before`` and ``after``: what it adds to the ledger; nothing while it is in progress, since that soon changes.
    """

    ref: str
    was: Call | None
    call: Call | None
    before: Shares
    after: Shares


class Contacts:
    """Every call of which there are events, and its shares. ``too_late`` counts events of calls that are forgotten.

    A call in progress stands as objects. One that is over, and quiet, is put away as bytes: it comes out again when
    there is news of it, and is read for whoever asks about the past.
    """

    def __init__(self) -> None:
        self._contacts: dict[str, _Contact] = {}
        self._parts: dict[str, _Part] = {}
        self._news: dict[str, _Contact] = {}
        self._put_away: Boxes[bytes] = Boxes(ENDED_BOX)
        self._settled: Boxes[int] = Boxes(SETTLED_BOX)
        self.too_late = 0

    def note(self, entry: Entry, kept: Facts) -> None:
        """Keep an event of a kind that moves figures, to be read later; one that is known changes nothing.

        ``kept``: what is looked at of its facts.
        """
        part = self._parts.get(entry.call_ref)
        if part is None:
            part = self._part(entry)
            if part is None:
                return
        seq, kind = entry.seq, entry.kind
        bit = 1 << seq
        if part.seen & bit:
            return
        part.seen |= bit
        if kind == _ENTERED:
            if part.routed:
                return
            part.routed = True
        elif kind == _OFFERED and (first := entry.facts.get("resumes")):
            self._join(part, first)
        part.told.append((seq, entry.at, intern(kind), kept))
        self._news[part.contact.ref] = part.contact

    def _part(self, entry: Entry) -> _Part | None:
        """Where an event belongs of which no part stands here; None if it is known, or too late."""
        ref = entry.call_ref
        packed = self._put_away.get(ref)
        if packed is not None:
            return None if seen_of(packed) >> entry.seq & 1 else self._take_out(ref)
        seen = self._settled.get(ref)
        if seen is not None:
            if not seen >> entry.seq & 1:
                self.too_late += 1
                self._settled.replace(ref, seen | 1 << entry.seq)
            return None
        part = self._parts[ref] = _Part(self._contact(ref))
        part.contact.parts.append(part)
        return part

    def _take_out(self, ref: str) -> _Part | None:
        """The call as it was before it was put away; None if it is not."""
        packed = self._put_away.pop(ref)
        if packed is None:
            return None
        contact = self._contacts[ref] = _Contact(ref)
        told = told_of(packed)
        part = _Part(contact, told, seen_of(packed), any(kind == _ENTERED for _, _, kind, _ in told))
        self._parts[ref] = part
        contact.parts.append(part)
        contact.call = read_call([told])
        contact.shares = contact.counted = shares_of(contact.call)
        return part

    def _contact(self, ref: str) -> _Contact:
        if ref not in self._contacts and self._take_out(ref) is None:
            self._contacts[ref] = _Contact(ref)
        return self._contacts[ref]

    def _join(self, part: _Part, first: str) -> None:
        """The part goes on with the call ``first``: it is a call of its own no more."""
        if part.contact.ref != first:
            part.contact.parts.remove(part)
            self._news[part.contact.ref] = part.contact
            part.contact = self._contact(first)
            part.contact.parts.append(part)

    def read_again(self) -> Iterator[News]:
        """Every call that has news since the last time."""
        news, self._news = self._news, {}
        for contact in news.values():
            was, before = contact.call, contact.counted
            if contact.parts:
                contact.call = read_call([part.told for part in contact.parts])
                contact.shares = shares_of(contact.call)
                contact.counted = () if contact.call.ended_at is None else contact.shares
            else:
                contact.call, contact.shares, contact.counted = None, (), ()
                self._contacts.pop(contact.ref, None)
            yield News(contact.ref, was, contact.call, before, contact.counted)

    def over_since(self, at: datetime) -> Iterator[Call]:
        """Every call that was over then or later, as it was last read."""
        for call in self._read(at):
            if call.ended_at is not None and call.ended_at >= at:
                yield call

    def as_of(self, at: datetime) -> Iterator[Call]:
        """Every call that was not over ``at`` that time, as what was told before it reads; no probe."""
        for contact in self._contacts.values():
            if contact.call is not None and _goes_on(contact.call, at):
                yield _before([part.told for part in contact.parts], at)
        for packed in self._put_away.since(at):
            told = told_of(packed)
            times = [each[1] for each in told]
            if min(times) < at <= max(times) and _goes_on(read_call([told]), at):  # most need no reading
                yield _before([told], at)

    def _read(self, since: datetime) -> Iterator[Call]:
        """Every call, but for most of those that were over before."""
        for contact in self._contacts.values():
            if contact.call is not None:
                yield contact.call
        for packed in self._put_away.since(since):
            yield read_call([told_of(packed)])

    def shares(self, refs: Iterable[str]) -> Iterator[Share]:
        """The shares of these calls, which are in progress."""
        return (share for ref in refs for share in self._contacts[ref].shares)

    def scopes(self, ref: str) -> Iterator[Scope]:
        """The scopes for which this call counts; none of one that is not known."""
        contact, packed = self._contacts.get(ref), self._put_away.get(ref)
        shares = contact.shares if contact else shares_of(read_call([told_of(packed)])) if packed else ()
        return (share.scope for share in shares)

    def put_away(self, now: datetime) -> None:
        """Pack the calls that are over. One that goes on with another stays as it is: there are few."""
        quiet = now - QUIET
        for ref, contact in list(self._contacts.items()):
            call = contact.call
            if call is None or call.ended_at is None or call.offered_at is None or call.ended_at > quiet:
                continue
            if ref in self._news or len(contact.parts) > 1 or self._parts.get(ref) is not contact.parts[0]:
                continue
            part = self._parts.pop(ref)
            self._drop(ref)
            self._put_away.put(ref, call.ended_at, pack(part.seen, part.told))

    def _drop(self, ref: str) -> None:
        """Contact and parts hold each other: as a circle they would stand until somebody looks for garbage."""
        self._contacts.pop(ref).parts.clear()

    def forget(self, now: datetime) -> list[Share]:
        """Let go of calls that are past; of their events only which were counted is remembered, for a while.

        Returns the shares of those that never ended: they are to be counted as they are.
        """
        for ref, packed in self._put_away.let_go(now - ENDED_KEPT):
            self._settled.put(ref, now, seen_of(packed))
        past = {ref: each for ref, each in self._contacts.items() if each.call is not None and is_past(each.call, now)}
        for ref in [ref for ref, part in self._parts.items() if part.contact.ref in past]:
            self._settled.put(ref, now, self._parts.pop(ref).seen)
        for ref in past:
            self._drop(ref)
        for _ in self._settled.let_go(now - SETTLED_KEPT):
            pass
        return [share for each in past.values() if not each.counted for share in each.shares]


def is_past(call: Call, now: datetime) -> bool:
    """Whether the call is to be forgotten."""
    if call.ended_at is not None and call.offered_at is not None:
        return now - call.ended_at > ENDED_KEPT
    return now - call.arrived_at > UNENDED_KEPT


def _goes_on(call: Call, at: datetime) -> bool:
    return not (call.is_probe or call.first_at >= at or (call.ended_at is not None and call.ended_at < at))


def _before(parts: Iterable[Sequence[Told]], at: datetime) -> Call:
    return read_call([[each for each in part if each[1] < at] for part in parts])
