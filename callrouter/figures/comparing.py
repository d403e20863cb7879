"""What the figures of a London day come to, beside what a recount of the raw journal makes of them."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from functools import partial
from typing import Protocol, get_args

from sqlalchemy import Connection

from alerts.figures.call_backs import over_before, values_by_scope
from alerts.figures.check import differences, items_differ
from alerts.figures.history import KpiHistory
from alerts.figures.history_rows import DAY, midnight
from alerts.figures.items import Scope, ScopeKind, Values
from alerts.figures.recontact import KEPT, Recontacts, recontact_between
from alerts.figures.recount import Counts, recount
from alerts.figures.recount_call_backs import recount_call_backs
from alerts.figures.recount_recontact import recount_recontact
from alerts.figures.recount_waiting import recount_waiting
from alerts.figures.tally import Tally
from alerts.figures.waiting import WaitingNow
from infra.sql import Database

ROWS, HOURS, DAYS, LIVE = "calls", "hours", "days", "live"
"""What is compared: the history's rows of calls, what was added up of them, and the live figures."""

CALL_BACKS, RECONTACT, WAITING = "call-backs", "re-contact", "waiting"
"""Told as scopes of their own (``call-backs provider:kings``): of the rows and live; of the rows; live."""

SETTLED = timedelta(minutes=5)
"""Today, calls count that were over so long ago: journal, stream and history have long told the same of them."""


class Live(Protocol):
    """The live figures of today; each answer is None while they are not known."""

    def tallies(self, day: date, over_by: datetime) -> Mapping[Scope, Tally] | None:
        """What is counted of calls over before ``over_by``."""

    def call_backs(self, day: date, over_by: datetime) -> Mapping[Scope, Values] | None:
        """Items D13 to D18 of the day's promises that were over by then."""

    def waited(self, at: datetime) -> Mapping[Scope, WaitingNow] | None:
        """Who waited at that time."""

    def oddities(self) -> Mapping[str, int]:
        """How many events and calls cannot be read or be true, by name; empty while unknown."""


@dataclass(frozen=True, slots=True)
class Compared:
    """Where the figures of a London day differ from its recount: of each source, the scopes and in how many places.

    ``calls``: how many the recount has.
    """

    day: date
    calls: int
    differ: Mapping[str, Mapping[str, int]]

    @property
    def scopes(self) -> int:
        """In how many scopes anything differs."""
        return len({scope for found in self.differ.values() for scope in found})

    def beside(
        self, source: str, what: str, counted: Mapping[Scope, Values], again: Mapping[str, Mapping[str, float]]
    ) -> Compared:
        """The same, with the items of ``what`` in which that source differs, if any."""
        places = items_differ(counted, again)
        if not places:
            return self
        told = {f"{what} {scope}": count for scope, count in places.items()}
        return replace(self, differ={**self.differ, source: {**self.differ.get(source, {}), **told}})


def compare(day: date, counted: Mapping[str, Mapping[Scope, Tally]], again: Counts) -> Compared:
    """What each source counted of the day, against the recount."""
    differ = {source: found for source, tallies in counted.items() if (found := differences(tallies, again))}
    calls = sum(calls for (what, _, _), (calls, _) in again.get("total", {}).items() if what == "end")
    return Compared(day, calls, differ)


class Comparison:
    """Compares what the history, and of today the live figures, know with what the journal tells."""

    def __init__(self, database: Database, history: KpiHistory, recontacts: Recontacts) -> None:
        self._database = database
        self._history = history
        self._recontacts = recontacts

    async def of_day(self, day: date, now: datetime) -> Compared:
        """All of a day: its calls, what was added up of them, call-backs, and who rang again while that is known."""
        counted: dict[str, Mapping[Scope, Tally]] = {
            ROWS: await self._history.tallies(day),
            HOURS: await self._history.of_hours(day),
            DAYS: await self._history.rolled(day),
        }
        compared = await asyncio.to_thread(compare, day, counted, await self._recount(day))
        values, again = await self._call_backs(day, now - SETTLED)
        compared = compared.beside(ROWS, CALL_BACKS, values, again)
        if midnight(day) < now - KEPT:
            return compared
        await self._recontacts.follow(now)
        return compared.beside(ROWS, RECONTACT, *await self._database.study(partial(_recontact, day=day)))

    async def of_today(self, day: date, over_by: datetime, live: Live) -> Compared:
        """What was over before ``over_by``, and who waited then."""
        again = await self._recount(day, over_by)
        counted: dict[str, Mapping[Scope, Tally]] = {ROWS: await self._history.tallies(day, over_by)}
        if (tallies := live.tallies(day, over_by)) is not None:
            counted[LIVE] = tallies
        compared = await asyncio.to_thread(compare, day, counted, again)
        values, call_backs = await self._call_backs(day, over_by)
        compared = compared.beside(ROWS, CALL_BACKS, values, call_backs)
        if (promised := live.call_backs(day, over_by)) is not None:
            compared = compared.beside(LIVE, CALL_BACKS, promised, call_backs)
        waiting = await self._database.study(partial(recount_waiting, now=over_by))
        if (waited := live.waited(over_by)) is not None:
            compared = compared.beside(
                LIVE,
                WAITING,
                {scope: _of_waiting(each.waiting, each.longest_wait_s) for scope, each in waited.items()},
                {scope: _of_waiting(*each) for scope, each in waiting.items()},
            )
        return compared

    async def _recount(self, day: date, over_by: datetime | None = None) -> Counts:
        count = partial(recount, start=midnight(day), end=midnight(day + DAY), over_by=over_by)
        return await self._database.study(count)

    async def _call_backs(
        self, day: date, over_by: datetime
    ) -> tuple[Mapping[Scope, Values], Mapping[str, Mapping[str, int]]]:
        """Of the day's call-backs that were over by then: what the history counts, and the recount."""
        start, end = midnight(day), midnight(day + DAY)
        again = await self._database.study(partial(recount_call_backs, start=start, end=end, over_by=over_by))
        return values_by_scope(over_before(await self._history.promises(start, end), over_by), start, end), again


def _recontact(connection: Connection, day: date) -> tuple[Mapping[Scope, Values], Mapping[str, Mapping[str, int]]]:
    start, end = midnight(day), midnight(day + DAY)
    kinds: tuple[ScopeKind, ...] = get_args(ScopeKind)
    told = {
        scope: values
        for kind in kinds
        for scope, values in recontact_between(connection, start, end, kind).items()
    }  # fmt: skip
    return told, recount_recontact(connection, start, end)


def _of_waiting(waiting: int, longest_wait_s: float) -> dict[str, float]:
    return {"WAITING": waiting, "LONGEST_WAIT_S": longest_wait_s}
