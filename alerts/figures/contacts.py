"""The calls that are known, by their events; those that have news are read again."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from sys import intern
from typing import NamedTuple, TypeAlias

from alerts.figures.calls import Call, Told, kept_of, read_call
from alerts.figures.items import Scope
from alerts.figures.shares import Share, shares_of
from callrouter import events as ev
from infra.bus import Entry

SETTLED_KEPT = timedelta(hours=48)
"""Which events of a forgotten call were counted is known until its day is no longer shown: repeats change nothing."""

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
    """A call that was read again; ``call`` is None for one that became part of another.

    ``before`` and ``after``: what it adds to the ledger; nothing while it is in progress, since that soon changes.
    """

    ref: str
    call: Call | None
    before: Shares
    after: Shares


class Contacts:
    """Every call of which there are events, and its shares. ``too_late`` counts events of calls that are forgotten."""

    def __init__(self) -> None:
        self._contacts: dict[str, _Contact] = {}
        self._parts: dict[str, _Part] = {}
        self._news: dict[str, _Contact] = {}
        self._settled: dict[str, tuple[int, datetime]] = {}
        self.too_late = 0

    def note(self, entry: Entry) -> None:
        """Keep an event of a kind that moves figures, to be read later; one that is known changes nothing."""
        part = self._parts.get(entry.call_ref)
        if part is None:
            if entry.call_ref in self._settled:
                self._note_late(entry)
                return
            part = self._parts[entry.call_ref] = _Part(self._contact(entry.call_ref))
            part.contact.parts.append(part)
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
        part.told.append((seq, entry.at, intern(kind), kept_of(kind, entry.facts)))
        self._news[part.contact.ref] = part.contact

    def _note_late(self, entry: Entry) -> None:
        seen, until = self._settled[entry.call_ref]
        if not seen >> entry.seq & 1:
            self.too_late += 1
            self._settled[entry.call_ref] = (seen | 1 << entry.seq, until)

    def _contact(self, ref: str) -> _Contact:
        contact = self._contacts.get(ref)
        if contact is None:
            contact = self._contacts[ref] = _Contact(ref)
        return contact

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
            before = contact.counted
            if contact.parts:
                contact.call = read_call([part.told for part in contact.parts])
                contact.shares = shares_of(contact.call)
                contact.counted = () if contact.call.ended_at is None else contact.shares
            else:
                contact.call, contact.shares, contact.counted = None, (), ()
                self._contacts.pop(contact.ref, None)
            yield News(contact.ref, contact.call, before, contact.counted)

    def calls(self) -> Iterator[Call]:
        """Every call that is known, as it was last read."""
        return (contact.call for contact in self._contacts.values() if contact.call is not None)

    def as_of(self, at: datetime) -> Iterator[Call]:
        """Every call that was not over ``at`` that time, as what was told before it reads; no probe."""
        for contact in self._contacts.values():
            call = contact.call
            if call is None or call.is_probe or call.first_at >= at or (call.ended_at and call.ended_at < at):
                continue
            told = [[each for each in part.told if each[1] < at] for part in contact.parts]
            yield read_call(told)

    def shares(self, refs: Iterable[str]) -> Iterator[Share]:
        """The shares of these calls."""
        return (share for ref in refs for share in self._contacts[ref].shares)

    def scopes(self, ref: str) -> Iterator[Scope]:
        """The scopes for which this call counts; none of one that is not known."""
        contact = self._contacts.get(ref)
        return (share.scope for share in (contact.shares if contact else ()))

    def forget(self, is_past: Callable[[Call], bool], now: datetime) -> list[Share]:
        """Let go of calls that are past; of their events only which were counted is remembered, for a while.

        Returns the shares of those that never ended: they are to be counted as they are.
        """
        past = [(ref, each) for ref, each in self._contacts.items() if each.call is not None and is_past(each.call)]
        for ref, _ in past:
            del self._contacts[ref]
        until = now + SETTLED_KEPT
        for ref in [ref for ref, part in self._parts.items() if part.contact.ref not in self._contacts]:
            self._settled[ref] = (self._parts.pop(ref).seen, until)
        for ref in [ref for ref, (_, kept) in self._settled.items() if kept < now]:
            del self._settled[ref]
        return [share for _, each in past if not each.counted for share in each.shares]
