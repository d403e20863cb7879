"""Figures of the past: every call once, hours and London days added up from them, kept for as long as anybody asks.

A call's row is read from all of its known events and never replaced by a reading of fewer; then its hours are marked,
and added up again by :meth:`KpiHistory.roll`. So a repeat, a restart or a second reader changes nothing.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any, get_args

from sqlalchemy import Connection, Row, Table, delete, select
from sqlalchemy.dialects import postgresql, sqlite

from alerts.figures.call_backs import PromisesOf, call_back_values, keep_call_backs, promises_between, values_by_scope
from alerts.figures.history_rows import (
    DAY,
    Contact,
    figures_as_data,
    hour_of,
    hours_of,
    midnight,
    row_of,
    seconds_of,
    shares_in,
)
from alerts.figures.history_tables import kpi_calls, kpi_days, kpi_dirty, kpi_hours
from alerts.figures.items import CLOCKS, ITEMS, TOTAL, Clock, Kpis, Scope, ScopeKind, Values, with_values
from alerts.figures.progress import Stage, counted_until, note_progress
from alerts.figures.recontact import recontact_between, recontact_values, sent_away_between
from alerts.figures.tally import Tally
from alerts.model import LONDON
from infra.bus import Entry
from infra.changes import change_each
from infra.sql import Database

HOUR = timedelta(hours=1)

ROLLED_AT_ONCE = 24
"""Hours added up in one step: after months were folded anew, each step stays short."""

CALLS_AT_ONCE = 500
"""Rows of calls that are held at once: an hour, read as a whole, takes the more memory the busier it is."""

Tallies = dict[Scope, Tally]
_NO_VALUES: dict[str, float | None] = dict.fromkeys(ITEMS)


class KpiHistory:
    """What was counted, by hour and day. ``names`` are of scopes, for people: those of now, whatever they were then.

    A day or hour of which the journal has no call is absent from every answer: missing is not nought.
    """

    def __init__(self, database: Database, names: Mapping[Scope, str]) -> None:
        self._database = database
        self._names = names
        self._keep_call = self._upsert(kpi_calls, guard="events")
        insert = self._insert(kpi_dirty)
        self._mark_hour = insert.on_conflict_do_update(
            index_elements=[kpi_dirty.c.hour], set_={"marks": insert.excluded.marks}
        )

    # ------------------------------------------------------------------ keeping

    async def parts(self, contacts: Sequence[str]) -> dict[str, list[str]]:
        """The references of the calls that are known to belong to these contacts."""
        query = select(kpi_calls.c.contact, kpi_calls.c.parts).where(kpi_calls.c.contact.in_(contacts))
        rows = await self._database.read(lambda connection: connection.execute(query).all())
        return {row.contact: list(row.parts) for row in rows}

    async def keep(self, contacts: Sequence[Contact], absorbed: Iterable[str] = (), *, anew: bool = False) -> None:
        """Keep what these calls add to the figures; ``absorbed`` are references that resume another call.

        A row that was read from as many events stays as it is; ``anew``: it is replaced, whatever it says.
        """
        rows = [row_of(each) for each in contacts]
        gone = set(absorbed)
        if rows or gone:
            await self._database.write(lambda connection: self._keep(connection, rows, gone, anew=anew))

    async def mark(self, start: datetime, end: datetime) -> None:
        """Let every hour from ``start`` until before ``end`` be added up again."""
        hours = [hour_of(start) + HOUR * number for number in range(-(-(end - hour_of(start)) // HOUR))]
        await self._database.write(lambda connection: self._mark(connection, hours))

    def _keep(self, connection: Connection, rows: list[dict[str, Any]], gone: set[str], *, anew: bool) -> None:
        refs = {row["contact"] for row in rows} | gone
        columns = (kpi_calls.c.contact, kpi_calls.c.events, kpi_calls.c.shares)
        known = {row.contact: row for row in connection.execute(select(*columns).where(kpi_calls.c.contact.in_(refs)))}
        held = {ref: row.events - anew for ref, row in known.items()}
        newer = [row for row in rows if row["contact"] not in held or held[row["contact"]] < row["events"]]
        hours = {hour for row in newer for hour in hours_of(row["shares"])}
        changed = {row["contact"] for row in newer} | gone
        hours |= {hour for ref in changed & set(known) for hour in hours_of(known[ref].shares)}
        if gone:
            connection.execute(delete(kpi_calls).where(kpi_calls.c.contact.in_(gone)))
        change_each(connection, self._keep_call, newer)
        self._mark(connection, hours)

    async def keep_call_backs(self, entries: Sequence[Entry], first: Mapping[str, str]) -> None:
        """Keep what these events say of call-backs; again changes nothing. ``first``: with which each call goes on."""
        await keep_call_backs(self._database, entries, first)

    async def promises(self, start: datetime, end: datetime) -> PromisesOf:
        """The call-backs that were promised from ``start`` until before ``end``, by scope."""
        return await self._database.read(lambda connection: promises_between(connection, start, end))

    def _insert(self, table: Table) -> Any:
        return postgresql.insert(table) if self._database.dialect == "postgresql" else sqlite.insert(table)

    def _upsert(self, table: Table, *, guard: str) -> Any:
        """An INSERT that replaces a row of which the ``guard`` is not higher."""
        insert = self._insert(table)
        values = {each.name: insert.excluded[each.name] for each in table.columns if not each.primary_key}
        return insert.on_conflict_do_update(
            index_elements=list(table.primary_key), set_=values, where=table.c[guard] <= insert.excluded[guard]
        )

    def _mark(self, connection: Connection, hours: Iterable[datetime]) -> None:
        # in order of hours, so that two writers wait for each other and none for ever
        marks = [{"hour": hour, "marks": secrets.randbits(31)} for hour in sorted(hours)]
        change_each(connection, self._mark_hour, marks)

    # ------------------------------------------------------------------ adding up

    async def roll(self) -> int:
        """Add up the hours that were marked, and their days; returns how many hours that was."""
        hours = await self._database.study(read_marked)
        if hours:
            await self._database.maintain(lambda connection: store(connection, hours))
        return len(hours)

    async def note_progress(self, stage: Stage, at: datetime) -> None:
        """Everything that was told before ``at`` has come to that stage."""
        await note_progress(self._database, stage, at)

    # ------------------------------------------------------------------ asking

    async def counted_until(self) -> datetime | None:
        """Until when everything that was told is counted; None where that is not known."""
        return await self._database.read(counted_until)

    async def window(self, start: datetime, end: datetime, kind: ScopeKind, clock: Clock = "offered") -> list[Kpis]:
        """The figures of the calls from ``start`` until before ``end``, by scope; who still waits is not timed.

        Of a year it adds up days, in a thread of its own.
        """

        def read(connection: Connection) -> list[Kpis]:
            found = tallies_between(connection, start, end, kind)
            told = [
                tally.kpis(scope, self._name(scope), start, end, clock)
                for scope, tally in sorted(found.items())
                if not tally.is_empty
            ]
            call_backs = values_by_scope(promises_between(connection, start, end), start, end)
            return [*with_values(with_values(told, recontact_between(connection, start, end, kind)), call_backs)]

        return await self._database.study(read)

    async def recontact(self, start: datetime, end: datetime, kind: ScopeKind = "total") -> Mapping[Scope, Values]:
        """Of callers offered in that time who were sent away, how many have rung again; no scope that had none."""
        return await self._database.study(lambda connection: recontact_between(connection, start, end, kind))

    async def days(self, first: date, last: date, kind: ScopeKind, clock: Clock = "offered") -> list[Kpis]:
        """The figures of each London day from ``first`` to ``last``, both included, and each scope, in this order."""
        days = kpi_days
        within = days.c.day.between(first, last)
        query = select(days.c.day, days.c.scope, days.c[clock].label("told")).where(days.c.kind == kind, within)
        rows = await self._ask(query.order_by(days.c.day, days.c.scope))
        bounds = {day: (midnight(day), midnight(day + DAY)) for day in {row.day for row in rows}}
        scopes = {name: Scope(kind, name) for name in {row.scope for row in rows}}
        told = [self._day(scopes[row.scope], row.told, clock, *bounds[row.day]) for row in rows]
        return await self._of_the_whole(told, midnight(first), midnight(last + DAY)) if kind == "total" else told

    async def hours(
        self, first: date, last: date, kind: ScopeKind, clock: Clock = "offered", only: str | None = None
    ) -> list[Kpis]:
        """The figures of each hour of the London days from ``first`` to ``last``, and each scope, in this order.

        ``only``: of the one scope of this id.

        On the day of a clock change there are 23 or 25; ``start`` is UTC, so that none is doubled. Those of a week are
        more arithmetic than any caller should wait for: it is done in a thread of its own.
        """
        hours = kpi_hours
        within = hours.c.hour.between(midnight(first), midnight(last + DAY) - HOUR)
        query = select(hours.c.hour, hours.c.scope, hours.c.tally).where(hours.c.kind == kind, within)
        if only is not None:
            query = query.where(hours.c.scope == only)
        ordered: Any = query.order_by(hours.c.hour, hours.c.scope)

        def read(connection: Connection) -> list[Kpis]:
            rows = connection.execute(ordered)
            return [self._kpis(row, kind, clock, row.hour, row.hour + HOUR) for row in rows]

        return await self._database.study(read)

    async def tallies(self, day: date, over_by: datetime | None = None) -> Tallies:
        """What is counted of a London day by its calls' rows, every scope; with ``over_by`` of calls over before it."""
        start, end = midnight(day), midnight(day + DAY)
        return await self._database.study(lambda connection: _calls_between(connection, start, end, over_by))

    async def of_hours(self, day: date) -> Tallies:
        """What its hours, as they were added up, come to of a London day, every scope."""
        start, end = midnight(day), midnight(day + DAY)

        def read(connection: Connection) -> Tallies:
            kinds: tuple[ScopeKind, ...] = get_args(ScopeKind)
            return {k: v for kind in kinds for k, v in _hours_between(connection, start, end, kind).items()}

        return await self._database.study(read)

    async def rolled(self, day: date) -> Tallies:
        """What was added up of a London day, every scope."""
        columns = (kpi_days.c.kind, kpi_days.c.scope, kpi_days.c.tally)
        query = select(*columns).where(kpi_days.c.day == day)

        def read(connection: Connection) -> Tallies:
            return {Scope(row.kind, row.scope): Tally.of_data(row.tally) for row in connection.execute(query)}

        return await self._database.study(read)

    async def _of_the_whole(self, told: list[Kpis], start: datetime, end: datetime) -> list[Kpis]:
        """The same with who rang again and who was promised a call back, of each stretch that they are of."""

        def read(connection: Connection) -> tuple[list[tuple[datetime, int | None]], PromisesOf]:
            return sent_away_between(connection, start, end), promises_between(connection, start, end)

        sent_away, promises = await self._database.read(read)
        return [
            replace(
                each,
                values={
                    **each.values,
                    **recontact_values(sent_away, each.start, each.end),
                    **call_back_values(promises.get(TOTAL, ()), each.start, each.end),
                },
            )
            for each in told
        ]

    async def _ask(self, query: Any) -> Sequence[Row[Any]]:
        return await self._database.read(lambda connection: connection.execute(query).all())

    def _day(self, scope: Scope, told: Mapping[str, Any], clock: Clock, start: datetime, end: datetime) -> Kpis:
        return Kpis(
            scope=scope, name=self._name(scope), start=start, end=end, clock=clock, ends=told["ends"],
            values=_NO_VALUES | told["values"], seconds=seconds_of(told["seconds"]), waits=seconds_of(told["waits"]),
        )  # fmt: skip

    def _kpis(self, row: Row[Any], kind: ScopeKind, clock: Clock, start: datetime, end: datetime) -> Kpis:
        scope = Scope(kind, row.scope)
        return Tally.of_data(row.tally).kpis(scope, self._name(scope), start, end, clock)

    def _name(self, scope: Scope) -> str:
        return self._names.get(scope, scope.id)


def tallies_between(connection: Connection, start: datetime, end: datetime, kind: ScopeKind) -> Tallies:
    """What is counted from ``start`` until before ``end``: days and hours as they were added up, the rest by call."""
    first, last = _next_hour(start), hour_of(end)
    if first >= last:
        return _of_kind(_calls_between(connection, start, end), kind)
    found: Tallies = {}
    _merge(found, _of_kind(_calls_between(connection, start, first), kind) if start < first else {})
    first_day, last_day = _next_day(first), last.astimezone(LONDON).date()  # the last is not whole
    if first_day < last_day:
        _merge(found, _hours_between(connection, first, midnight(first_day), kind))
        _merge(found, _days_between(connection, first_day, last_day, kind))
        first = midnight(last_day)
    _merge(found, _hours_between(connection, first, last, kind))
    _merge(found, _of_kind(_calls_between(connection, last, end), kind) if last < end else {})
    return found


def _next_hour(at: datetime) -> datetime:
    return at if hour_of(at) == at else hour_of(at) + HOUR


def _next_day(at: datetime) -> date:
    """The first London day that begins at that time or later."""
    day = at.astimezone(LONDON).date()
    return day if midnight(day) == at else day + DAY


def _hours_between(connection: Connection, first: datetime, last: datetime, kind: ScopeKind) -> Tallies:
    hours = kpi_hours.c
    query = select(hours.scope, hours.tally).where(hours.kind == kind, hours.hour >= first, hours.hour < last)
    return _added_up(kind, connection.execute(query))


def _days_between(connection: Connection, first: date, last: date, kind: ScopeKind) -> Tallies:
    days = kpi_days.c
    query = select(days.scope, days.tally).where(days.kind == kind, days.day >= first, days.day < last)
    return _added_up(kind, connection.execute(query))


def _added_up(kind: ScopeKind, rows: Iterable[Row[Any]]) -> Tallies:
    found: Tallies = {}
    for row in rows:
        found.setdefault(Scope(kind, row.scope), Tally()).merge_data(row.tally)
    return found


def _merge(found: Tallies, more: Tallies) -> None:
    for scope, tally in more.items():
        found.setdefault(scope, Tally()).merge(tally)


def _of_kind(tallies: Tallies, kind: ScopeKind) -> Tallies:
    return {scope: tally for scope, tally in tallies.items() if scope.kind == kind}


def _calls_between(connection: Connection, start: datetime, end: datetime, over_by: datetime | None = None) -> Tallies:
    """Added up from the rows of calls, within a transaction. An offer of a call counts hours after its own at most."""
    query = select(kpi_calls.c.shares).where(
        kpi_calls.c.last_hour >= hour_of(start), kpi_calls.c.last_hour < end + DAY, kpi_calls.c.first_hour < end
    )
    if over_by is not None:
        query = query.where(kpi_calls.c.ended_at < over_by)
    found: Tallies = {}
    for row in connection.execute(query.execution_options(yield_per=CALLS_AT_ONCE)):
        for share in shares_in(row.shares, start, end):
            found.setdefault(share.scope, Tally()).add(share)
    return found


def read_marked(connection: Connection) -> list[tuple[datetime, int, Tallies]]:
    """Some of the hours to be added up, with their marks, added up."""
    marked = connection.execute(select(kpi_dirty).order_by(kpi_dirty.c.hour).limit(ROLLED_AT_ONCE)).all()
    return [(row.hour, row.marks, _calls_between(connection, row.hour, row.hour + HOUR)) for row in marked]


def store(connection: Connection, read: Sequence[tuple[datetime, int, Tallies]]) -> None:
    """Replace these hours and the days that they are in, but for those marked anew or added up by another meanwhile."""
    hours = [
        (hour, tallies)
        for hour, marks, tallies in read
        if connection.execute(delete(kpi_dirty).where(kpi_dirty.c.hour == hour, kpi_dirty.c.marks == marks)).rowcount
    ]
    rows = [
        {"hour": hour, "kind": scope.kind, "scope": scope.id, "tally": tally.as_data()}
        for hour, tallies in hours
        for scope, tally in tallies.items()
    ]
    connection.execute(delete(kpi_hours).where(kpi_hours.c.hour.in_([hour for hour, _ in hours])))
    if rows:
        connection.execute(kpi_hours.insert(), rows)
    for day in sorted({hour.astimezone(LONDON).date() for hour, _ in hours}):
        _store_day(connection, day)


def _store_day(connection: Connection, day: date) -> None:
    within = (kpi_hours.c.hour >= midnight(day)) & (kpi_hours.c.hour < midnight(day + DAY))
    found: Tallies = {}
    for row in connection.execute(select(kpi_hours).where(within)):
        found.setdefault(Scope(row.kind, row.scope), Tally()).merge_data(row.tally)
    connection.execute(delete(kpi_days).where(kpi_days.c.day == day))
    rows = [day_row(day, scope, tally) for scope, tally in found.items()]
    if rows:
        connection.execute(kpi_days.insert(), rows)


def day_row(day: date, scope: Scope, tally: Tally) -> dict[str, Any]:
    """The row of ``kpi_days``."""
    told: dict[str, Any] = {
        clock: figures_as_data(tally.kpis(scope, "", midnight(day), midnight(day + DAY), clock)) for clock in CLOCKS
    }
    return {"kind": scope.kind, "day": day, "scope": scope.id, "tally": tally.as_data(), **told}
