"""Call-backs of the last two days as the event stream tells them, beside the live figures of calls."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta

from alerts.figures.call_backs import Promise, after, over_before, values_by_scope
from alerts.figures.items import TOTAL, Scope, Values
from callrouter import events as ev
from infra.bus import Entry

KEPT = timedelta(hours=48)
"""Longer than today in London, and than any call-back takes."""

ScopesOf = Callable[[str], Iterable[Scope]]
"""The scopes for which a call counts; none while it is not known."""


class LiveCallBacks:
    """Events in any order, of the calls that promised and of those that go on with them after a drop."""

    def __init__(self) -> None:
        self._known: dict[str, Promise] = {}
        self._first: dict[str, tuple[str, datetime]] = {}
        self._scopes: dict[str, frozenset[Scope]] = {}
        self._unplaced: set[str] = set()

    def note(self, entry: Entry) -> None:
        """Take in an event of a call-back, or a call's offer that says with which it goes on; again changes nothing."""
        if entry.kind == ev.Offered.kind:
            self._first[entry.call_ref] = (str(entry.facts["resumes"]), entry.at)
            return
        known = self._known.get(entry.call_ref, Promise())
        said = after(known, entry)
        if said != known:
            self._known[entry.call_ref] = said
            self._unplaced.add(entry.call_ref)

    def place(self, changed: Iterable[str], scopes_of: ScopesOf) -> None:
        """Remember for which scopes the promises count, of calls that have ``changed`` and of new promises."""
        wholes = {self._whole(ref) for ref in self._known}
        for ref in wholes.intersection(changed) | {self._whole(each) for each in self._unplaced}:
            if scopes := frozenset(scopes_of(ref)):
                self._scopes[ref] = scopes
        self._unplaced = {ref for ref in self._unplaced if self._whole(ref) not in self._scopes}

    def forget(self, now: datetime) -> None:
        """Let go of what is older than :data:`KEPT`."""
        old = now - KEPT
        self._known = {ref: each for ref, each in self._known.items() if _newest(each) >= old}
        self._first = {ref: each for ref, each in self._first.items() if each[1] >= old}
        self._unplaced &= self._known.keys()
        self._scopes = {ref: each for ref, each in self._scopes.items() if ref in {*map(self._whole, self._known)}}

    def values(self, start: datetime, now: datetime) -> dict[Scope, Values]:
        """The items of the promises since ``start``, of each scope that has any."""
        return values_by_scope(self._promises(), start, now + timedelta(seconds=1))

    def over(self, start: datetime, end: datetime, cut: datetime) -> dict[Scope, Values]:
        """The items of the promises from ``start`` until before ``end`` that were over before ``cut``."""
        return values_by_scope(over_before(self._promises(), cut), start, end)

    def _whole(self, ref: str) -> str:
        return self._first[ref][0] if ref in self._first else ref

    def _promises(self) -> dict[Scope, list[Promise]]:
        wholes: dict[str, Promise] = {}
        for ref, part in self._known.items():
            whole = self._whole(ref)
            wholes[whole] = _together(wholes[whole], part) if whole in wholes else part
        found: dict[Scope, list[Promise]] = {}
        for ref, promise in wholes.items():
            for scope in {TOTAL, *self._scopes.get(ref, ())}:
                found.setdefault(scope, []).append(promise)
        return found


def _together(one: Promise, other: Promise) -> Promise:
    promised = [each.promised_at for each in (one, other) if each.promised_at is not None]
    reached = one if one.reached_at is not None else other
    ended = one if one.ended_at is not None else other
    return Promise(
        min(promised, default=None), reached.reached_at, reached.reached_by, ended.ended_at, ended.outcome
    )  # fmt: skip


def _newest(promise: Promise) -> datetime:
    return max(at for at in (promise.promised_at, promise.reached_at, promise.ended_at) if at is not None)
