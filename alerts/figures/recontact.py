"""Who rings again: of callers sent elsewhere or left alone with a message, how many come back, by message and version.

It needs the caller's number, and keeps a keyed hash of it, for :data:`KEPT` only; what stays is after how many seconds
a caller came back. No figure holds either (docs/safety/rules.md, 8).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, bindparam, func, select, text, update

from alerts.figures.history_rows import DAY, midnight
from alerts.figures.history_tables import kpi_calls, kpi_recontacts
from alerts.figures.items import Scope, ScopeKind
from infra.changes import change_each
from infra.sql import Database, UtcDateTime, insert_once

SENT_AWAY = ("deflected", "left_in_message", "self_served", "served_elsewhere")
"""End classes of callers who reached no person, by what we played or offered to them."""

WITHIN_H = (1, 24, 72)
LONGEST = timedelta(hours=72)
SECOND = timedelta(seconds=1)
KEPT = timedelta(hours=80)
"""A call that ends hours after its offer is followed for 72 hours from its end."""


@dataclass(frozen=True, slots=True)
class Caller:
    """A call whose number is known: ``number_key`` is a keyed hash."""

    call_ref: str
    number_key: str
    offered_at: datetime


@dataclass(frozen=True, slots=True)
class Recontact:
    """Callers of one end class after one message (empty: none was heard) of one version of the flow.

    ``callers``: those whose number is known. ``again``: of these, how many rang again within 1, 24 and 72 hours.
    """

    end_class: str
    message: str
    flow_version: str
    callers: int
    again: tuple[int, int, int]


class Recontacts:
    """Notes callers, looks who came back, and tells."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._insert = insert_once(kpi_recontacts, database.dialect)

    async def note(self, callers: Sequence[Caller]) -> None:
        """Keep these callers' hashes; again changes nothing."""
        rows = [
            {"call_ref": each.call_ref, "number_key": each.number_key, "offered_at": each.offered_at}
            for each in callers
        ]
        if rows:
            await self._database.write(lambda connection: change_each(connection, self._insert, rows))

    async def follow(self, now: datetime) -> int:
        """Write down who has come back, and forget hashes older than :data:`KEPT`; returns how many have newly.

        They are forgotten first, whatever becomes of the rest.
        """
        old = (kpi_recontacts.c.offered_at < now - KEPT) & kpi_recontacts.c.number_key.is_not(None)
        forget = update(kpi_recontacts).where(old).values(number_key=None)
        await self._database.write(lambda connection: connection.execute(forget))
        news = await self._database.read(lambda connection: _come_back(connection, now - KEPT))
        if news:
            by_ref = update(kpi_recontacts).where(kpi_recontacts.c.call_ref == bindparam("ref"))
            again = by_ref.values(again_s=bindparam("seconds"))
            await self._database.write(lambda connection: connection.execute(again, news))
        return len(news)

    async def told(self, first: date, last: date) -> list[Recontact]:
        """Of the calls offered on these London days, both included. Of the last three days it still grows."""
        query = (
            select(kpi_calls.c.end_class, kpi_calls.c.message, kpi_calls.c.flow_version, kpi_recontacts.c.again_s)
            .join(kpi_recontacts, kpi_recontacts.c.call_ref == kpi_calls.c.contact)
            .where(
                kpi_calls.c.end_class.in_(SENT_AWAY),
                kpi_calls.c.offered_at >= midnight(first),
                kpi_calls.c.offered_at < midnight(last + DAY),
            )
        )
        rows = await self._database.read(lambda connection: connection.execute(query).all())
        callers: Counter[tuple[str, str, str]] = Counter()
        again: Counter[tuple[tuple[str, str, str], int]] = Counter()
        for end_class, message, version, again_s in rows:
            callers[end_class, message, version] += 1
            for hours in WITHIN_H:
                again[(end_class, message, version), hours] += again_s is not None and again_s <= hours * 3600
        return [
            Recontact(*which, count, (again[which, 1], again[which, 24], again[which, 72]))
            for which, count in sorted(callers.items())
        ]


def sent_away_between(connection: Connection, start: datetime, end: datetime) -> list[tuple[datetime, int | None]]:
    """Of callers by a known number who were sent away: when they rang, and after how many seconds they came back."""
    query = (
        select(kpi_calls.c.offered_at, kpi_recontacts.c.again_s)
        .join(kpi_recontacts, kpi_recontacts.c.call_ref == kpi_calls.c.contact)
        .where(
            kpi_calls.c.end_class.in_(SENT_AWAY),
            kpi_recontacts.c.offered_at >= start,
            kpi_recontacts.c.offered_at < end,
        )
    )
    return [(row.offered_at, row.again_s) for row in connection.execute(query)]


_BY_SCOPE = {
    "sqlite": """SELECT share.value->>1 AS scope, {counts} FROM kpi_recontacts AS r
        JOIN kpi_calls AS c ON c.contact = r.call_ref, json_each(c.shares) AS share
        WHERE share.value->>0 = :kind AND {sent_away} GROUP BY 1""",
    "postgresql": """SELECT share->>1 AS scope, {counts} FROM kpi_recontacts AS r
        JOIN kpi_calls AS c ON c.contact = r.call_ref CROSS JOIN LATERAL json_array_elements(c.shares) AS share
        WHERE share->>0 = :kind AND {sent_away} GROUP BY 1""",
}
"""Counted by the database: a year's callers are too many to be brought here."""

_OF_THE_WHOLE = """SELECT '' AS scope, {counts} FROM kpi_recontacts AS r
    JOIN kpi_calls AS c ON c.contact = r.call_ref WHERE :kind = 'total' AND {sent_away}"""
_COUNTS = ", ".join(["COUNT(*)", *(f"COUNT(CASE WHEN r.again_s <= {hours * 3600} THEN 1 END)" for hours in WITHIN_H)])
_SENT_AWAY = "c.end_class IN :ends AND r.offered_at >= :start AND r.offered_at < :end"


def recontact_between(
    connection: Connection, start: datetime, end: datetime, kind: ScopeKind
) -> dict[Scope, dict[str, float | None]]:
    """The items of re-contact of the callers who rang in that time, by scope; none where no such caller is known.

    A call counts for the scopes for which it counts otherwise: the one service, the one area, each provider that it
    was offered to.
    """
    asked = _OF_THE_WHOLE if kind == "total" else _BY_SCOPE[connection.dialect.name]
    query = text(asked.format(counts=_COUNTS, sent_away=_SENT_AWAY)).bindparams(
        bindparam("ends", SENT_AWAY, expanding=True), bindparam("kind", kind),
        bindparam("start", start, UtcDateTime), bindparam("end", end, UtcDateTime),
    )  # fmt: skip
    return {
        Scope(kind, scope): _items(callers, dict(zip(WITHIN_H, again, strict=True)))
        for scope, callers, *again in connection.execute(query)
        if callers
    }


def recontact_values(
    sent_away: Sequence[tuple[datetime, int | None]], start: datetime, end: datetime
) -> dict[str, float | None]:
    """The items of re-contact of a stretch of time; none where no such caller is known."""
    within = [again_s for at, again_s in sent_away if start <= at < end]
    if not within:
        return {}
    again = {hours: sum(each is not None and each <= hours * 3600 for each in within) for hours in WITHIN_H}
    return _items(len(within), again)


def _items(callers: int, again: Mapping[int, int]) -> dict[str, float | None]:
    return {"RECONTACT_BASE": callers, **{f"RECONTACT_{hours}H": count for hours, count in again.items()}}


def _come_back(connection: Connection, since: datetime) -> list[dict[str, Any]]:
    """Of calls offered ``since`` then, those after which the number rang again, if that is not written down yet."""
    earlier, later = kpi_recontacts.alias("earlier"), kpi_recontacts.alias("later")
    came_back = (
        select(earlier.c.call_ref, earlier.c.again_s, kpi_calls.c.ended_at, func.min(later.c.offered_at).label("at"))
        .join(kpi_calls, kpi_calls.c.contact == earlier.c.call_ref)
        .join(later, (later.c.number_key == earlier.c.number_key) & (later.c.offered_at > kpi_calls.c.ended_at))
        .where(earlier.c.offered_at >= since, earlier.c.number_key.is_not(None), kpi_calls.c.end_class.in_(SENT_AWAY))
        .group_by(earlier.c.call_ref, earlier.c.again_s, kpi_calls.c.ended_at)
    )
    found = [
        (row.call_ref, -(-(row.at - row.ended_at) // SECOND), row.again_s)  # a begun second counts
        for row in connection.execute(came_back)
        if row.at - row.ended_at <= LONGEST
    ]
    return [{"ref": ref, "seconds": seconds} for ref, seconds, known in found if seconds != known]
