"""What the pages of figures read: live from memory, the past and the alerts from the database, kept for a while."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from alerts.figures.history_rows import DAY, midnight
from alerts.figures.items import Clock as ItemClock
from alerts.figures.items import Kpis, Scope, ScopeKind, Seconds, Values
from alerts.figures.small_numbers import held_back, held_back_of_hour, of_few
from console.age import Age, age
from console.heat import MEASURES, WEEKS, Heat, Measure, heat
from console.kept import Kept
from console.ports import Alerts, FiringAlert, LiveBoard, Past
from console.windows import Days, Stretch
from console.words import LONDON
from infra.clock import Clock

ALERTS_KEPT_S = 5.0
TODAY_KEPT_S = 60.0
PAST_KEPT_S = 6 * 3600.0  # days before yesterday change only when events come days late

LAST = timedelta(hours=24)
"""Of whom a page tells who rang again."""

_Days = tuple[Scope, date, date]
_Sum = tuple[Days, ScopeKind, ItemClock]


@dataclass(frozen=True, slots=True)
class Dated:
    """What was read from the history, which was counted ``until`` then."""

    kpis: Sequence[Kpis]
    until: datetime | None


class Readings:
    """One for the console. What is not known is None.

    ``holds_back``: small counts of the whole service and of providers are not told (:meth:`outside_clinical_roles`).
    Those of places and needs are held back where their tables are made.
    """

    def __init__(
        self, live: LiveBoard, past: Past, alerts: Alerts, clock: Clock, *, tells_small_counts: bool = False
    ) -> None:
        self.holds_back = False
        self.tells_small_counts = tells_small_counts
        self.live = live
        self.past = past
        self.clock = clock
        self._alerts: Kept[str, Sequence[FiringAlert]] = Kept(lambda _: alerts.firing(), clock, ALERTS_KEPT_S)
        self._today: Kept[_Days, Dated] = Kept(self._hours_dated, clock, TODAY_KEPT_S)
        self._past: Kept[_Days, Sequence[Kpis]] = Kept(self._hours, clock, PAST_KEPT_S)
        self._sums: Kept[_Sum, Dated] = Kept(self._sum, clock, TODAY_KEPT_S)
        self._past_sums: Kept[_Sum, Dated] = Kept(self._sum, clock, PAST_KEPT_S)
        self._one_sum = asyncio.Lock()
        self._recontact: Kept[ScopeKind, Mapping[Scope, Values]] = Kept(self._of_last_day, clock, TODAY_KEPT_S)
        self._heats: Kept[_Days, Mapping[tuple[Measure, bool], Heat]] = Kept(self._heat, clock, PAST_KEPT_S)

    def outside_clinical_roles(self) -> Readings:
        """The same, kept together, as they are told to everybody else."""
        found = copy.copy(self)
        found.holds_back = not self.tells_small_counts
        return found

    def _told(self, found: Sequence[Kpis], kind: ScopeKind) -> Sequence[Kpis]:
        return held_back(found) if self.holds_back and not of_few(kind) else found

    def _told_hours(self, found: Sequence[Kpis], scope: Scope) -> Sequence[Kpis]:
        return [held_back_of_hour(each) for each in found] if self.holds_back and not of_few(scope.kind) else found

    def today(self) -> date:
        """The day in London."""
        return self.clock.now().astimezone(LONDON).date()

    def is_known(self) -> bool:
        """Whether there are live figures."""
        return self.live.figures() is not None

    async def firing(self) -> Sequence[FiringAlert] | None:
        """The alerts that fire, at most five seconds old."""
        found = await self._alerts.of("firing")
        return None if self._alerts.is_old("firing") else found

    def today_of(self, scope: Scope, clock: ItemClock = "offered") -> Kpis | None:
        """The live figures of one scope since midnight."""
        return _of(scope, self._told(self.live.window("today", scope.kind, clock), scope.kind))

    async def counted(self, window: Stretch, kind: ScopeKind, clock: ItemClock = "offered") -> Sequence[Kpis] | None:
        """The figures of every scope of that kind; live from memory, those of days from the database."""
        if window.minutes is not None:
            return self._told(self.live.window(window.minutes, kind, clock), kind) if self.is_known() else None
        found = await self._summed(window, kind, clock)
        return None if found is None else self._told(found.kpis, kind)

    async def _summed(self, window: Stretch, kind: ScopeKind, clock: ItemClock) -> Dated | None:
        days = window.days(self.today())
        # Right after midnight yesterday's last callers still wait, and its last hour is not in the history yet.
        is_settled = days.last < self.today() - DAY
        kept = self._past_sums if is_settled else self._sums
        return await kept.of((days, kind, clock))

    async def age(self, window: Stretch) -> Age | None:
        """Until when the sums of these days were counted; None of what is live, or could not be read at all."""
        if window.minutes is not None:
            return None
        found = await self._summed(window, "total", "offered")
        return (
            None
            if found is None
            else age(found.until, midnight(window.days(self.today()).last + DAY), self.clock.now())
        )

    async def counted_of(self, window: Stretch, scope: Scope, clock: ItemClock = "offered") -> Kpis | None:
        """The figures of one scope."""
        return _of(scope, await self.counted(window, scope.kind, clock) or ())

    async def recontact(self, scope: Scope) -> Kpis | None:
        """Of callers of the last 24 hours who were sent away, how many have rung again so far: items of re-contact.

        Without values where none was; None if that is not known.
        """
        found = await self._recontact.of(scope.kind)
        if found is None or self._recontact.is_old(scope.kind):
            return None
        now = self.clock.now()
        nothing: dict[Scope, Values] = {scope: {}}
        told = [
            Kpis(scope=each, name=each.id, start=now - LAST, end=now, clock="offered", ends={}, values=values,
                 seconds=Seconds(), waits=Seconds())
            for each, values in (nothing | dict(found)).items()
        ]  # fmt: skip
        return _of(scope, self._told(told, scope.kind))

    async def hours_today(self, scope: Scope) -> tuple[Sequence[Kpis], Age]:
        """Each hour of today, and until when they were counted."""
        day, now = self.today(), self.clock.now()
        found = await self._today.of((scope, day, day))
        if found is None:
            return (), age(None, now, now)
        return self._told_hours(found.kpis, scope), age(found.until, now, now)

    async def hours_a_week_ago(self, scope: Scope) -> Sequence[Kpis]:
        """Each hour of this weekday's last."""
        day = self.today() - timedelta(weeks=1)
        return self._told_hours(await self._past.of((scope, day, day)) or (), scope)

    async def heat(self, scope: Scope, measure: Measure) -> Heat | None:
        """The hours of the week, of the last eight weeks to yesterday; None if they could not be read."""
        last = self.today() - timedelta(days=1)
        found = await self._heats.of((scope, last - timedelta(weeks=WEEKS) + timedelta(days=1), last))
        return None if found is None else found[measure, self.holds_back and not of_few(scope.kind)]

    async def _hours(self, days: _Days) -> Sequence[Kpis]:
        scope, first, last = days
        return await self.past.hours(first, last, scope.kind, only=scope.id)

    async def _hours_dated(self, days: _Days) -> Dated:
        until = await self.past.counted_until()  # before, so that nobody takes what was missed for counted
        return Dated(await self._hours(days), until)

    async def _sum(self, asked: _Sum) -> Dated:
        days, kind, clock = asked
        async with self._one_sum:  # a year of every area is a second of work: one at a time, whoever asks
            until = await self.past.counted_until()
            found = await self.past.window(midnight(days.first), midnight(days.last + DAY), kind, clock)
            return Dated(found, until)

    async def _of_last_day(self, kind: ScopeKind) -> Mapping[Scope, Values]:
        now = self.clock.now()
        return await self.past.recontact(now - LAST, now, kind)

    async def _heat(self, days: _Days) -> Mapping[tuple[Measure, bool], Heat]:
        scope, first, last = days
        hours: list[Kpis] = []
        for week in range(WEEKS):  # over a thousand hours: callers of this process must not wait for all of them
            start = first + timedelta(weeks=week)
            hours += await self._hours((scope, start, min(last, start + timedelta(days=6))))
        return await asyncio.to_thread(_heats, hours)


def _heats(hours: Sequence[Kpis]) -> dict[tuple[Measure, bool], Heat]:
    return {(measure, holds): heat(hours, measure, holds_back=holds) for measure in MEASURES for holds in (True, False)}


def _of(scope: Scope, found: Sequence[Kpis]) -> Kpis | None:
    return next((each for each in found if each.scope == scope), None)
