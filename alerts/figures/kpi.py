"""Live figures: the event stream folded into what is true of the service now, of the last minutes, and since midnight.

An event is only noted when it comes; its call is read again when somebody next looks, once for all of its new events.
So a burst costs little, and the order of arrival cannot matter.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import get_args

import structlog

from alerts.figures.call_backs import KINDS as CALL_BACKS
from alerts.figures.calls import NEEDS, Call, kept_of
from alerts.figures.chart import MINUTE, Chart
from alerts.figures.contacts import Contacts, News, is_past
from alerts.figures.history_rows import midnight
from alerts.figures.items import CLASSES, NOWHERE, PROBE_PROVIDER, Clock, Kpis, Scope, ScopeKind, Values, with_values
from alerts.figures.items import TOTAL as WHOLE
from alerts.figures.ledger import Ledger, day_of, minute_of
from alerts.figures.live_call_backs import LiveCallBacks
from alerts.figures.odd import Oddities
from alerts.figures.shares import Share, shares_of
from alerts.figures.tally import Tally, merged
from alerts.figures.waiting import NOBODY, WaitingNow
from alerts.model import LONDON, RECENT, TOTAL, Figures, MinutePoint, ScopeFigures
from callrouter.events import Offered
from infra.bus import Entry

log = structlog.get_logger(__name__)

OFFERED = Offered.kind
MINUTES_AT_MOST = 60
"""How far back a chart or a window may reach."""

CHART_KEPT = timedelta(minutes=MINUTES_AT_MOST + 5)
"""The chart is added up from minutes that are kept this long."""

PROBE_LASTS = timedelta(seconds=60)
"""A probe that waits longer has lost its auditor; it must not hide the wait of the next one."""

NAMES = {
    WHOLE: "Whole service",
    Scope("area", NOWHERE): "Area not known",
    Scope("service", NOWHERE): "No service asked for",
}


class LiveFigures:
    """The service's figures since the start of the Europe/London day, of the last hour by minute, and now.

    Entries may come late, twice and in any order: one is recognised by ``(call_ref, seq)``, and the figures
    depend only on which have come. They live in memory; after a restart the day's entries are applied again
    before the figures are shown. ``providers`` maps ids to names for people; each appears, with zeros, before
    its first call, and one that is not named appears under its id: a provider that is renamed keeps its figures, one
    whose id changes is another. ``names`` are those of other scopes. Raises ValueError for the id ``total``.
    """

    def __init__(self, providers: Mapping[str, str], names: Mapping[Scope, str] | None = None) -> None:
        if TOTAL in providers:
            raise ValueError(f"no provider may have the id {TOTAL!r}: it names the whole service")
        self._providers = dict(providers)
        self._names = {**NAMES, **(names or {})}
        self._contacts = Contacts()
        self._open: dict[str, Call] = {}  # those who may wait or talk now: looked at each second
        self._failed: dict[str, datetime] = {}  # when something of ours failed, in which calls, of late
        self._probes: dict[str, Call] = {}  # the auditor's own that are not over, and in nothing else
        self._ledger = Ledger()
        self._chart = Chart()
        self._call_backs = LiveCallBacks()
        self._forgot_at: datetime | None = None
        self._odd = Oddities()

    def anew(self) -> LiveFigures:
        """The same, without any entry."""
        return LiveFigures(self._providers, self._names)

    def apply(self, entry: Entry) -> None:
        """Note one entry of the event stream; one that is known or moves no figure changes nothing.

        Only clear facts are read. An entry that cannot be read is logged by its ids and left out: one event
        in a newer form must not stop the figures.
        """
        kind = entry.kind
        if kind not in NEEDS:
            if kind in CALL_BACKS:
                self._call_backs.note(entry)
            return
        kept = kept_of(entry.seq, kind, entry.facts)
        if kept is None:
            if self._odd.note_unreadable(entry.call_ref, entry.seq, entry.at):
                log.warning("entry_unreadable", call_ref=entry.call_ref, seq=entry.seq, kind=kind)
            return
        if kind == OFFERED and entry.facts.get("resumes"):
            self._call_backs.note(entry)
        self._contacts.note(entry, kept)

    @property
    def lacks_entries(self) -> bool:
        """Whether an event came of a call whose others are forgotten: all of the day must be applied again."""
        return self._contacts.too_late > 0

    def oddities(self, now: datetime) -> Mapping[str, int]:
        """Of the last hour: events that could not be read, and calls whose times cannot be true (docs/alerts.md)."""
        self._settle(now)
        return self._odd.told(now)

    def figures(self, now: datetime) -> Figures:
        """The figures at ``now`` (UTC): counters of its Europe/London day, and everyone who waits."""
        self._settle(now)
        day = self._of_day(now.astimezone(LONDON).date(), "total", "provider")
        waits = _waiting(self._open.values(), now, ("total", "provider"))
        total, *providers = (
            self._scope(scope.id or TOTAL, day.get(scope), waits.get(scope, NOBODY))
            for scope in (WHOLE, *(Scope("provider", each) for each in self._providers))
        )
        failed = sum(now - at < RECENT for at in self._failed.values())
        return Figures(now, replace(total, failed_recently=failed), tuple(providers), self._of_probes(now))

    def waiting(self, now: datetime, kind: ScopeKind) -> Mapping[Scope, WaitingNow]:
        """Who waits at ``now``, by scope, for each that has a call in progress.

        A caller waits for the service that they were last put through to, or first queued for, and in the newest area
        that is known; at every provider that has still to answer them.
        """
        self._settle(now)
        return _waiting(self._open.values(), now, (kind,))

    def waited(self, now: datetime, at: datetime) -> Mapping[Scope, WaitingNow]:
        """Who waited ``at`` some time in the last hours, as :meth:`waiting` told then, or would have told.

        Of what was told before it, by the times of the events: a later one changes nothing, however early it came.
        """
        self._settle(now)
        return _waiting(self._contacts.as_of(at), at, get_args(ScopeKind))

    def minutes(self, now: datetime, count: int) -> tuple[MinutePoint, ...]:
        """The last ``count`` minutes of the whole service, oldest first; the last is the one in progress.

        Calls are shown in the minute in which they were offered or answered by an agent. Raises ValueError
        for a count outside 1 to :data:`MINUTES_AT_MOST`.
        """
        self._settle(now)
        return self._chart.points(_first_minute(now, count), count, now, self._open.values())

    def window(self, now: datetime, minutes: int, kind: ScopeKind, clock: Clock = "offered") -> tuple[Kpis, ...]:
        """The figures of the calls offered in the last ``minutes``, the one in progress among them, by scope.

        Raises ValueError for a count outside 1 to :data:`MINUTES_AT_MOST`.
        """
        self._settle(now)
        start = _first_minute(now, minutes)
        going_on = [each for each in self._going_on(kind) if start <= each.at <= now]
        return self._kpis(self._ledger.minutes(start, now, kind), going_on, start, now, kind, clock)

    def today(self, now: datetime, kind: ScopeKind, clock: Clock = "offered") -> tuple[Kpis, ...]:
        """The figures of the calls offered since midnight in London, by scope."""
        self._settle(now)
        day = day_of(now)
        going_on = [each for each in self._going_on(kind) if day_of(each.at) == day]
        return self._kpis(self._ledger.day(day), going_on, midnight(day), now, kind, clock)

    def tallies(self, now: datetime, day: date, over_by: datetime | None = None) -> Mapping[Scope, Tally]:
        """What is counted of today, or yesterday, in London, by scope; with ``over_by`` of calls over before it.

        Nobody who still waits is in its times.
        """
        self._settle(now)
        if over_by is None:
            return self._of_day(day, *get_args(ScopeKind))
        found = {scope: merged([tally]) for scope, tally in self._ledger.day(day).items()}
        for call in self._contacts.over_since(over_by):
            for share in shares_of(call):
                if day_of(share.at) == day:
                    found[share.scope].add(share, -1)
        return found

    def call_backs(self, now: datetime, day: date, over_by: datetime) -> Mapping[Scope, Values]:
        """Items of the call-backs promised today, or yesterday, in London, that were over before ``over_by``."""
        self._settle(now)
        return self._call_backs.over(midnight(day), midnight(day + timedelta(days=1)), over_by)

    # ------------------------------------------------------------------ reading again what has news

    def put_away(self, now: datetime) -> None:
        """Read what has come, and pack the calls that are over: while a day is read, that it never stands as it came.

        Nothing is forgotten: what is still to be applied may belong to any call.
        """
        self._read_again(now)
        self._contacts.put_away(now)

    def _settle(self, now: datetime) -> None:
        self._ledger.forget(now)
        self._read_again(now)
        self._forget(now)

    def _read_again(self, now: datetime) -> None:
        changed = []
        for news in self._contacts.read_again():
            self._ledger.replace(news.before, news.after)
            self._place(news)
            self._odd.look(news.ref, news.call, now)
            changed.append(news.ref)
        self._call_backs.place(changed, self._contacts.scopes)

    def _place(self, news: News) -> None:
        ref, was, call = news.ref, news.was, news.call
        for places in (self._open, self._failed, self._probes):
            places.pop(ref, None)
        if was is not None and _is_charted(was):
            self._chart.take_out(was)
        if call is None:
            return
        if call.is_probe:
            if call.ended_at is None:
                self._probes[ref] = call
            return
        for provider in call.providers:
            self._providers.setdefault(provider, provider)
        if _is_charted(call):
            self._chart.add(call)
        else:
            self._open[ref] = call
        if call.failed_at is not None:
            self._failed[ref] = call.failed_at

    def _forget(self, now: datetime) -> None:
        """Once a minute: it looks at every call that is not put away."""
        if self._forgot_at is not None and abs(now - self._forgot_at) < MINUTE:
            return
        self._forgot_at = now
        self._chart.forget(now, CHART_KEPT)
        self._failed = {ref: at for ref, at in self._failed.items() if now - at < RECENT}
        self._open = {ref: call for ref, call in self._open.items() if not is_past(call, now)}
        self._call_backs.forget(now)
        self._contacts.put_away(now)
        for share in self._contacts.forget(now):
            self._ledger.add(share)

    # ------------------------------------------------------------------ telling

    def _kpis(
        self,
        found: Mapping[Scope, Tally],
        going_on: Iterable[Share],
        start: datetime,
        now: datetime,
        kind: ScopeKind,
        clock: Clock,
    ) -> tuple[Kpis, ...]:
        shown = {scope: merged([tally]) for scope, tally in found.items() if scope.kind == kind}
        for scope in self._always(kind):
            shown.setdefault(scope, Tally())
        for share in going_on:
            tally = shown.setdefault(share.scope, Tally())
            tally.add(share)
            tally.add_waiting(share, now)
        told = (
            tally.kpis(scope, self._name(scope), start, now, clock) for scope, tally in sorted(shown.items(), key=_id)
        )
        return with_values(told, self._call_backs.values(start, now))

    def _going_on(self, *kinds: str) -> Iterator[Share]:
        """The shares of calls in progress."""
        return (share for share in self._contacts.shares(self._open) if share.scope.kind in kinds)

    def _of_day(self, day: date, *kinds: str) -> dict[Scope, Tally]:
        """What is counted of a London day, with those in progress."""
        found = {scope: tally for scope, tally in self._ledger.day(day).items() if scope.kind in kinds}
        copied: set[Scope] = set()
        for share in self._going_on(*kinds):
            if day_of(share.at) == day:
                if share.scope not in copied:
                    copied.add(share.scope)
                    found[share.scope] = merged([found.get(share.scope) or Tally()])
                found[share.scope].add(share)
        return found

    def _always(self, kind: ScopeKind) -> list[Scope]:
        """Scopes that are told before their first call."""
        if kind == "provider":
            return [Scope("provider", each) for each in self._providers]
        return [WHOLE] if kind == "total" else []

    def _of_probes(self, now: datetime) -> ScopeFigures:
        self._probes = {ref: call for ref, call in self._probes.items() if now - call.arrived_at <= PROBE_LASTS}
        waits = NOBODY
        for call in self._probes.values():
            waits = waits.and_one(call.arrived_at if call.waiting else None, now)
        return ScopeFigures(
            scope=PROBE_PROVIDER, name="Alert auditor", waiting=waits.waiting, longest_wait_s=waits.longest_wait_s
        )

    def _name(self, scope: Scope) -> str:
        return self._providers.get(scope.id) or self._names.get(scope) or scope.id

    def _scope(self, scope: str, tally: Tally | None, waits: WaitingNow) -> ScopeFigures:
        counted = tally or Tally()
        return ScopeFigures(
            scope=scope,
            name=self._providers.get(scope, "Whole service"),
            waiting=waits.waiting,
            longest_wait_s=waits.longest_wait_s,
            on_line=waits.on_line,
            offered=sum(counted.ends.values()),
            answered_within_60=counted.seconds("offered", "answered").within(60),
            **{end: counted.ends[end] for end in CLASSES},
        )


def _id(item: tuple[Scope, Tally]) -> str:
    return item[0].id


def _first_minute(now: datetime, minutes: int) -> datetime:
    if not 1 <= minutes <= MINUTES_AT_MOST:
        raise ValueError(f"a chart or window has 1 to {MINUTES_AT_MOST} minutes, not {minutes}")
    return minute_of(now) - (minutes - 1) * MINUTE


def _is_charted(call: Call) -> bool:
    """Whether it stands in the minutes of the chart; one in progress is laid upon them when somebody looks."""
    return call.ended_at is not None and not call.is_probe


def _waiting(calls: Iterable[Call], now: datetime, kinds: Collection[ScopeKind]) -> dict[Scope, WaitingNow]:
    found: dict[Scope, WaitingNow] = {}
    for call in calls:
        if not is_past(call, now):
            for scope, since, talks in _waits_of(call):
                if scope.kind in kinds:
                    found[scope] = found.get(scope, NOBODY).and_one(since, now, talks=talks)
    return found


def _waits_of(call: Call) -> Iterator[tuple[Scope, datetime | None, bool]]:
    """Each scope of a call in progress, since when its caller waits there, and whether they talk."""
    since = call.arrived_at if call.waiting else None
    for scope in (WHOLE, Scope("service", call.service), Scope("area", call.area)):
        yield scope, since, call.talking
    for provider in call.providers:
        yield Scope("provider", provider), call.waits_at(provider), call.legs[provider].talking
