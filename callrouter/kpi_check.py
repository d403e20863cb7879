"""The figures compared with a recount of the journal: today so far every quarter of an hour, each night yesterday.

Calls that the history lacks, since their events were lost on the way to it, are first counted anew from the journal.
What still differs is a defect of ours, and somebody is told.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import partial

import structlog

from alerts.check import differences
from alerts.history import KpiHistory
from alerts.history_rows import DAY, midnight
from alerts.items import Scope
from alerts.model import LONDON
from alerts.recount import Counts, recount
from alerts.tally import Tally
from callrouter.kpi_folding import KpiFolder
from infra.clock import Clock
from infra.health import Health
from infra.sql import Database

log = structlog.get_logger()

PART = "figures"
ROWS, DAYS, LIVE = "calls", "days", "live"
"""What is compared: the history's rows of calls, what was added up of them, and the live figures."""

EVERY_S = 15 * 60.0
AGAIN_S = 60.0
"""After a comparison that failed."""

FAILURES = 5
"""So many in a row are told: before, it is most likely the database that is away, which is told by itself."""

SETTLED = timedelta(minutes=5)
"""Today, calls count that were over so long ago: journal, stream and history have long told the same of them."""

AT_NIGHT = 3
"""From this hour of London's clock on, yesterday is whole: who then still talks began before it."""

Live = Callable[[date, datetime], Mapping[Scope, Tally] | None]


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


def compare(day: date, counted: Mapping[str, Mapping[Scope, Tally]], again: Counts) -> Compared:
    """What each source counted of the day, against the recount."""
    differ = {source: found for source, tallies in counted.items() if (found := differences(tallies, again))}
    calls = sum(calls for (what, _, _), (calls, _) in again.get("total", {}).items() if what == "end")
    return Compared(day, calls, differ)


class FigureCheck:
    """Compares live figures and history with the recount. ``health`` has the part ``figures``."""

    def __init__(
        self,
        database: Database,
        folder: KpiFolder,
        history: KpiHistory,
        live: Live,
        clock: Clock,
        health: Health,
        oddities: Callable[[], Mapping[str, int]] = dict,
    ) -> None:
        self._database = database
        self._folder = folder
        self._history = history
        self._live = live
        self._clock = clock
        self._health = health
        self._oddities = oddities
        self._found: dict[str, Compared] = {}
        self._next = 0.0
        self._failures = 0

    @property
    def differ(self) -> int | None:
        """In how many scopes the last comparisons found a difference.

        None before the first, and when another process has long compared in our stead: it knows better.
        """
        if not self._found or self._clock.monotonic() > self._next + EVERY_S:
            return None
        return sum(each.scopes for each in self._found.values())

    async def day(self, day: date, over_by: datetime | None = None) -> Compared:
        """Compare a day, and mend the history once if it is that which differs.

        Compared are its calls' rows, what was added up of it and, with ``over_by``, the live figures of today.
        """
        compared = await self._compare(day, over_by)
        if compared.differ.keys() & {ROWS, DAYS}:
            folded = await self._folder.fold_between(midnight(day), midnight(day + DAY))
            while await self._history.roll():
                pass
            log.warning("figures_counted_anew", day=day.isoformat(), calls=folded)
            compared = await self._compare(day, over_by)
        return compared

    async def _compare(self, day: date, over_by: datetime | None) -> Compared:
        count = partial(recount, start=midnight(day), end=midnight(day + DAY), over_by=over_by)
        again = await self._database.study(count)
        counted = {ROWS: await self._history.tallies(day, over_by)}
        if over_by is None:
            counted[DAYS] = await self._history.rolled(day)
        elif (live := self._live(day, over_by)) is not None:
            counted[LIVE] = dict(live)
        return await asyncio.to_thread(compare, day, counted, again)

    async def step(self, wait_s: float) -> int:
        """Compare what is due; returns 0. What differs is logged by scope, and said to ``health``."""
        if self._clock.monotonic() < self._next:
            await asyncio.sleep(wait_s)
            return 0
        self._next = self._clock.monotonic() + AGAIN_S  # not at once: it is no light work
        try:
            await self._look()
        except Exception:
            self._failures += 1
            if self._failures >= FAILURES:
                self._health.failed(PART, "not compared")
            raise
        self._failures = 0
        self._next = self._clock.monotonic() + EVERY_S
        return 0

    async def _look(self) -> None:
        now = self._clock.now().astimezone(LONDON)
        yesterday = now.date() - DAY
        if now.hour >= AT_NIGHT and ("yesterday" not in self._found or self._found["yesterday"].day != yesterday):
            self._found["yesterday"] = _told(await self.day(yesterday))
        self._found["today"] = _told(await self.day(now.date(), self._clock.now() - SETTLED))
        if odd := {name: count for name, count in self._oddities().items() if count}:
            log.warning("figures_odd", **odd)
        if self.differ:
            self._health.failed(PART, "differ")
        else:
            self._health.ok(PART)


def _told(compared: Compared) -> Compared:
    for source, found in compared.differ.items():
        log.error("figures_differ", day=compared.day.isoformat(), source=source, scopes=list(found)[:20])
    return compared
