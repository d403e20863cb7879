"""Tallies by minute and by London day: what windows and days are added up from."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from functools import lru_cache

from alerts.figures.items import Scope, ScopeKind
from alerts.figures.shares import Share
from alerts.figures.tally import Tally
from alerts.model import LONDON

MINUTES_KEPT = timedelta(minutes=65)


@lru_cache(maxsize=64)
def _day_of_hour(hour: datetime) -> date:
    return hour.astimezone(LONDON).date()


def minute_of(at: datetime) -> datetime:
    """The start of its minute."""
    return at - timedelta(0, at.second, at.microsecond)  # at half the cost of ``replace``, several times a call


class Ledger:
    """The shares of calls that are over, each in its minute of the last hour, and in today's or yesterday's tally."""

    def __init__(self) -> None:
        self._minutes: dict[datetime, dict[Scope, Tally]] = {}
        self._days: dict[date, dict[Scope, Tally]] = {}
        self._places: dict[datetime, list[dict[Scope, Tally]]] = {}  # of each minute: those of the day, and its own
        self._at: datetime | None = None
        self._there: list[dict[Scope, Tally]] = []
        self._since: datetime | None = None
        self._first_day: date | None = None

    def replace(self, before: tuple[Share, ...], after: tuple[Share, ...]) -> None:
        """A call adds other shares than it did."""
        if not before:
            for share in after:
                self.add(share)
            return
        if before == after:
            return
        for share in before:
            if share not in after:
                self.add(share, -1)
        for share in after:
            if share not in before:
                self.add(share)

    def add(self, share: Share, calls: int = 1) -> None:
        """Add a share; take it out with ``calls`` -1."""
        if share.at is not self._at:  # a call's shares mostly count at one time
            self._at, self._there = share.at, self._tallies_at(share.at)
        scope = share.scope
        for tallies in self._there:
            tally = tallies.get(scope)
            if tally is None:
                tally = tallies[scope] = Tally()
            tally.add(share, calls)

    def _tallies_at(self, at: datetime) -> list[dict[Scope, Tally]]:
        minute = minute_of(at)
        found = self._places.get(minute)
        if found is None:
            found = self._places[minute] = self._tallies_of(minute)
        return found

    def _tallies_of(self, minute: datetime) -> list[dict[Scope, Tally]]:
        """Those of the day and of the minute, as far as they are shown."""
        day = day_of(minute)
        found = []
        if self._first_day is None or day >= self._first_day:
            found.append(self._days.setdefault(day, {}))
        if self._since is None or minute >= self._since:
            found.append(self._minutes.setdefault(minute, {}))
        return found

    def day(self, day: date) -> Mapping[Scope, Tally]:
        """The tallies of a day, by scope."""
        return self._days.get(day, {})

    def minutes(self, start: datetime, end: datetime, kind: ScopeKind) -> dict[Scope, Tally]:
        """The tallies of the minutes from ``start`` until before ``end``, by scope of that kind."""
        found: dict[Scope, Tally] = {}
        minute = start
        while minute < end:
            for scope, tally in self._minutes.get(minute, {}).items():
                if scope.kind == kind:
                    _tally(found, scope).merge(tally)
            minute += timedelta(minutes=1)
        return found

    def forget(self, now: datetime) -> None:
        """Let go of minutes and days that are no longer shown. It only ever goes forward."""
        since = minute_of(now - MINUTES_KEPT)
        if self._since is not None and since <= self._since:
            return
        self._since, self._at = since, None
        self._places.clear()
        self._first_day = now.astimezone(LONDON).date() - timedelta(days=1)
        for minute in [each for each in self._minutes if each < since]:
            del self._minutes[minute]
        for day in [each for each in self._days if each < self._first_day]:
            del self._days[day]


def day_of(at: datetime) -> date:
    """The London day of an instant."""
    return _day_of_hour(at.replace(minute=0, second=0, microsecond=0))


def _tally(tallies: dict[Scope, Tally], scope: Scope) -> Tally:
    found = tallies.get(scope)
    if found is None:
        found = tallies[scope] = Tally()
    return found
