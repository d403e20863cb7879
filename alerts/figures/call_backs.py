"""Call-backs counted: promised, and how soon a clinician reached the caller (items D13 to D16), of the whole service.

Only those placed through the overlay are seen: what providers place by themselves is not, so that a time without any
has no value, never 0. One that a call handler made is no clinician's; one that a person answered on the line, or whose
caller rang again and was answered, was not needed. Both are in no item.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, select
from sqlalchemy.dialects import postgresql, sqlite

from alerts.figures.history_tables import kpi_call_backs
from callrouter import events as ev
from infra.bus import Entry
from infra.sql import Database

KINDS = frozenset({ev.CallBackPromised.kind, ev.CallBackTried.kind, ev.CallBackEnded.kind})
NOT_NEEDED = frozenset({"withdrawn", "rang_again"})
CLINICIAN = "clinician"
LIVE_KEPT = timedelta(hours=48)
"""Longer than today in London, and than any call-back takes."""


@dataclass(frozen=True, slots=True)
class Promise:
    """What is known of one. ``promised_at`` is None as long as that event has not come."""

    promised_at: datetime | None = None
    reached_at: datetime | None = None
    reached_by: str = ""
    ended_at: datetime | None = None
    outcome: str = ""


def after(known: Promise, entry: Entry) -> Promise:
    """With one event more, in any order; the same again changes nothing."""
    facts = entry.facts
    if entry.kind == ev.CallBackPromised.kind:
        return replace(known, promised_at=entry.at)
    if entry.kind == ev.CallBackEnded.kind:
        return replace(known, ended_at=entry.at, outcome=str(facts.get("outcome", "")))
    if facts.get("outcome") == "answered":
        return replace(known, reached_at=entry.at, reached_by=str(facts.get("role", "")))
    return known


def call_back_values(promises: Iterable[Promise], start: datetime, end: datetime) -> dict[str, float | None]:
    """D13 to D16 of the promises from ``start`` until before ``end``; nothing where none was made."""
    made = [each for each in promises if each.promised_at is not None and start <= each.promised_at < end]
    if not made:
        return {}
    counted = [each for each in made if each.outcome not in NOT_NEEDED and each.reached_by in ("", CLINICIAN)]
    took = [each.reached_at - each.promised_at for each in counted if each.reached_at and each.promised_at]
    soon, hour = timedelta(minutes=20), timedelta(hours=1)
    return {
        "D13": len(counted),
        "D14": sum(each <= soon for each in took),
        "D15": sum(soon < each <= hour for each in took),
        "D16": sum(each > hour for each in took),
    }


class LiveCallBacks:
    """The call-backs of the last two days, from the event stream."""

    def __init__(self) -> None:
        self._known: dict[str, Promise] = {}

    def note(self, entry: Entry) -> None:
        """Take in an event of a kind in :data:`KINDS`."""
        self._known[entry.call_ref] = after(self._known.get(entry.call_ref, Promise()), entry)

    def values(self, start: datetime, now: datetime) -> dict[str, float | None]:
        """The items of the promises since ``start``."""
        old = now - LIVE_KEPT
        for ref in [ref for ref, each in self._known.items() if each.promised_at and each.promised_at < old]:
            del self._known[ref]
        return call_back_values(self._known.values(), start, now + timedelta(seconds=1))

    def over(self, start: datetime, end: datetime, cut: datetime) -> dict[str, float | None]:
        """The items of the promises from ``start`` until before ``end`` that were over before ``cut``."""
        return call_back_values(over_before(self._known.values(), cut), start, end)


async def keep_call_backs(database: Database, entries: Sequence[Entry]) -> None:
    """Write down what these events say of call-backs, in any order and however often; others are left out."""
    said = [(each.call_ref, _columns(each)) for each in entries if each.kind in KINDS]
    told = [(ref, values) for ref, values in said if values]
    insert = postgresql.insert if database.dialect == "postgresql" else sqlite.insert

    def write(connection: Connection) -> None:
        for ref, values in told:
            row = insert(kpi_call_backs).values(call_ref=ref, **values)
            connection.execute(row.on_conflict_do_update(index_elements=["call_ref"], set_=values))

    if told:
        await database.write(write)


def _columns(entry: Entry) -> dict[str, Any]:
    said, nothing = after(Promise(), entry), Promise()
    names = ("promised_at", "reached_at", "reached_by", "ended_at", "outcome")
    return {name: getattr(said, name) for name in names if getattr(said, name) != getattr(nothing, name)}


def promises_between(connection: Connection, start: datetime, end: datetime) -> list[Promise]:
    """Those that were made from ``start`` until before ``end``."""
    at = kpi_call_backs.c
    rows = connection.execute(select(kpi_call_backs).where(at.promised_at >= start, at.promised_at < end))
    return [Promise(each.promised_at, each.reached_at, each.reached_by, each.ended_at, each.outcome) for each in rows]


def over_before(promises: Iterable[Promise], cut: datetime) -> list[Promise]:
    """Those over by then: what goes on moves between two looks."""
    return [each for each in promises if each.ended_at is not None and each.ended_at < cut]


def differences(counted: Mapping[str, float | None], again: Mapping[str, int]) -> int:
    """In how many items two counts differ; nothing is nought."""
    return sum((counted.get(code) or 0) != again.get(code, 0) for code in {*counted, *again})
