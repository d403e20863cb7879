"""The figures compared with a recount of the journal: today so far every quarter of an hour, each night yesterday.

For who rang again also the day until which callers are still followed. Calls that the history lacks, since their events
were lost on the way to it, are first counted anew from the journal. What still differs is a defect of ours, and
somebody is told.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import date, datetime

import structlog

from alerts.figures.history import KpiHistory
from alerts.figures.history_rows import DAY, midnight
from alerts.model import LONDON
from callrouter.figures.comparing import DAYS, HOURS, LIVE, ROWS, SETTLED, Compared, Comparison, Live
from callrouter.figures.folding import KpiFolder
from infra.clock import Clock
from infra.health import Health
from infra.loops import until_next

log = structlog.get_logger()

PART = "figures"
EVERY_S = 15 * 60.0
AGAIN_S = 60.0
"""After a comparison that failed."""

IN_DOUBT_S = 30.0
"""Until the second look, when the live figures differ: they are read a moment after the recount, in which a caller whom
we dropped rings back, or an event comes late. What differs twice is told."""

HANDED_OVER_S = 5.0
"""After another process compared, until this one does: by then the other knows that it no longer compares."""

FAILURES = 5
"""So many in a row are told: before, it is most likely the database that is away, which is told by itself."""

AT_NIGHT = 3
"""From this hour of London's clock on, yesterday is whole: who then still talks began before it."""
FOLLOWED = 3
"""So many days ago callers were last there who are still followed, should they ring again: looked at once more."""


class FigureCheck:
    """Compares live figures and history with the recount. ``health`` has the part ``figures``."""

    def __init__(
        self, comparison: Comparison, folder: KpiFolder, history: KpiHistory, live: Live, clock: Clock, health: Health
    ) -> None:
        self._comparison = comparison
        self._folder = folder
        self._history = history
        self._live = live
        self._clock = clock
        self._health = health
        self._found: dict[str, Compared] = {}
        self._next = 0.0
        self._failures = 0
        self._task: asyncio.Task[None] | None = None
        self._live_told: frozenset[str] = frozenset()
        self._live_in_doubt: frozenset[str] = frozenset()

    @property
    def differ(self) -> int | None:
        """In how many scopes the last comparisons found a difference.

        None before the first, and once another process compares in our stead: it knows better.
        """
        if not self._found or self._clock.monotonic() > self._next + EVERY_S:
            return None
        return sum(each.scopes for each in self._found.values())

    @property
    def odd(self) -> int | None:
        """How many events and calls of the last hour cannot be read or be true; None as for :attr:`differ`.

        None, too, while the live figures are not known.
        """
        found = self._live.oddities()
        return sum(found.values()) if found and self.differ is not None else None

    async def day(self, day: date, over_by: datetime | None = None) -> Compared:
        """Compare a day, and mend the history once if it is that which differs.

        Compared are its calls' rows and call-backs; of a whole day also what was added up of it, by hour and in all,
        and who rang again; with ``over_by`` the live figures of today, and who waited then.
        """
        compared = await self._compare(day, over_by)
        if compared.differ.keys() & {ROWS, HOURS, DAYS}:
            folded = await self._folder.fold_between(midnight(day), midnight(day + DAY))
            while await self._history.roll():
                pass
            log.warning("figures_counted_anew", day=day.isoformat(), calls=folded)
            compared = await self._compare(day, over_by)
        return compared

    async def _compare(self, day: date, over_by: datetime | None) -> Compared:
        if over_by is None:
            return await self._comparison.of_day(day, self._clock.now())
        return await self._comparison.of_today(day, over_by, self._live)

    async def step(self, wait_s: float) -> int:
        """Begin the comparison that is due, or wait for the one that goes on; returns 0. Cancelled, it ends.

        What differs is logged by scope, and said to ``health``.
        """
        if self._task is None:
            if self._clock.monotonic() < self._next:
                await asyncio.sleep(until_next(wait_s))
                return 0
            self._next = self._clock.monotonic() + AGAIN_S  # not at once: it is no light work
            self._task = asyncio.create_task(self._look())
        try:
            await asyncio.wait({self._task}, timeout=wait_s)  # no longer: the lease is renewed between two steps
        except asyncio.CancelledError:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            raise
        if self._task.done():
            task, self._task = self._task, None
            self._ended(task)
        return 0

    def _ended(self, task: asyncio.Task[None]) -> None:
        try:
            task.result()
        except Exception:
            self._failures += 1
            if self._failures >= FAILURES:
                self._health.failed(PART, "not compared")
            raise
        self._failures = 0
        self._next = self._clock.monotonic() + (IN_DOUBT_S if self._live_in_doubt else EVERY_S)

    def lost(self) -> None:
        """Another process compares: what this one found is forgotten, so that the two never contradict each other."""
        if self._task is not None:
            self._task.cancel()
            self._task = None
        if self._found or self._failures:
            self._found, self._failures = {}, 0
            self._live_told = self._live_in_doubt = frozenset()
            self._health.ok(PART)
        self._next = self._clock.monotonic() + HANDED_OVER_S

    async def _look(self) -> None:
        now = self._clock.now().astimezone(LONDON)
        for name, day in (("yesterday", now.date() - DAY), ("followed", now.date() - FOLLOWED * DAY)):
            if now.hour >= AT_NIGHT and (name not in self._found or self._found[name].day != day):
                self._found[name] = _told(await self.day(day))
        self._found["today"] = _told(self._twice(await self.day(now.date(), self._clock.now() - SETTLED)))
        if odd := {name: count for name, count in self._live.oddities().items() if count}:
            log.warning("figures_odd", **odd)
        if self.differ:
            self._health.failed(PART, "differ")
        else:
            self._health.ok(PART)

    def _twice(self, compared: Compared) -> Compared:
        """The same, of the live figures only what differed at the look before, too."""
        live = compared.differ.get(LIVE, {})
        told = {scope: places for scope, places in live.items() if scope in self._live_told | self._live_in_doubt}
        is_first = len(told) < len(live) and not self._live_in_doubt
        self._live_in_doubt = frozenset(live.keys() - told.keys() if is_first else ())
        self._live_told = frozenset(told)
        others = {source: found for source, found in compared.differ.items() if source != LIVE}
        return replace(compared, differ=others | ({LIVE: told} if told else {}))


def _told(compared: Compared) -> Compared:
    for source, found in compared.differ.items():
        log.error("figures_differ", day=compared.day.isoformat(), source=source, scopes=list(found)[:20])
    return compared
