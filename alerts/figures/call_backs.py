"""Call-backs counted: promised, and how soon a clinician reached the caller (items D13 to D18).

A promise is the caller's: what is promised in a call that goes on after a drop is promised in the call that was cut
off, once, from the first time. It counts for the whole service, and for each service, area and provider for which its
call counts. Only those placed through the overlay are seen: what providers place by themselves is not, so that a time
without any has no value, never 0. One that a call handler made is no clinician's; one that a person answered on the
line, or whose caller rang again and was answered, was not needed. Both are in no item.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, case, delete, or_, select
from sqlalchemy.dialects import postgresql, sqlite

from alerts.figures.history_tables import kpi_call_backs, kpi_calls
from alerts.figures.items import TOTAL, Scope, Values
from callrouter import events as ev
from infra.bus import Entry
from infra.sql import Database

KINDS = frozenset({ev.CallBackPromised.kind, ev.CallBackTried.kind, ev.CallBackEnded.kind})
NOT_NEEDED = frozenset({"withdrawn", "rang_again"})
CLINICIAN = "clinician"


@dataclass(frozen=True, slots=True)
class Promise:
    """What is known of one. ``promised_at`` is None as long as that event has not come."""

    promised_at: datetime | None = None
    reached_at: datetime | None = None
    reached_by: str = ""
    ended_at: datetime | None = None
    outcome: str = ""


PromisesOf = Mapping[Scope, Sequence[Promise]]
"""Promises by the scopes for which they count."""


def after(known: Promise, entry: Entry) -> Promise:
    """With one event more, in any order; the same again changes nothing."""
    facts = entry.facts
    if entry.kind == ev.CallBackPromised.kind:
        return replace(known, promised_at=min(known.promised_at or entry.at, entry.at))
    if entry.kind == ev.CallBackEnded.kind:
        return replace(known, ended_at=entry.at, outcome=str(facts.get("outcome", "")))
    if facts.get("outcome") == "answered":
        return replace(known, reached_at=entry.at, reached_by=str(facts.get("role", "")))
    return known


def call_back_values(promises: Iterable[Promise], start: datetime, end: datetime) -> dict[str, float | None]:
    """D13 to D18 of the promises from ``start`` until before ``end``; nothing where none was made.

    Every promise of ours is of 20 minutes: D13 and D14. None is ever of longer, so D15 to D18 are noughts.
    """
    made = [each for each in promises if each.promised_at is not None and start <= each.promised_at < end]
    if not made:
        return {}
    counted = [each for each in made if each.outcome not in NOT_NEEDED and each.reached_by in ("", CLINICIAN)]
    took = [each.reached_at - each.promised_at for each in counted if each.reached_at and each.promised_at]
    soon, hour = timedelta(minutes=20), timedelta(hours=1)
    return {
        "D13": len(counted),
        "D14": sum(each <= soon for each in took),
        "D14_60M": sum(soon < each <= hour for each in took),
        "D14_LATER": sum(each > hour for each in took),
        "D15": 0,
        "D16": 0,
        "D17": 0,
        "D18": 0,
    }


def values_by_scope(promises: PromisesOf, start: datetime, end: datetime) -> dict[Scope, Values]:
    """The items of each scope that has a promise from ``start`` until before ``end``."""
    found = {scope: call_back_values(of_it, start, end) for scope, of_it in promises.items()}
    return {scope: values for scope, values in found.items() if values}


async def keep_call_backs(database: Database, entries: Sequence[Entry], first: Mapping[str, str]) -> None:
    """Write down what these events say of call-backs, in any order and however often; others are left out.

    ``first``: of each call reference the one that it goes on with, or itself.
    """
    said: dict[str, Promise] = {}
    for each in entries:
        if each.kind in KINDS:
            ref = first[each.call_ref]
            said[ref] = after(said.get(ref, Promise()), each)
    told = {ref: values for ref, each in said.items() if (values := _columns(each))}
    elsewhere = [ref for ref, whole in first.items() if ref != whole]
    insert = postgresql.insert if database.dialect == "postgresql" else sqlite.insert
    at = kpi_call_backs.c.promised_at

    def write(connection: Connection) -> None:
        if elsewhere:  # read before it was known that the call goes on with another
            connection.execute(delete(kpi_call_backs).where(kpi_call_backs.c.call_ref.in_(elsewhere)))
        for ref, values in sorted(told.items()):
            row = insert(kpi_call_backs).values(call_ref=ref, **values)
            changed = dict(values)
            if "promised_at" in values:
                new = row.excluded.promised_at
                changed["promised_at"] = case((or_(at.is_(None), at > new), new), else_=at)
            connection.execute(row.on_conflict_do_update(index_elements=["call_ref"], set_=changed))

    if told or elsewhere:
        await database.write(write)


def _columns(said: Promise) -> dict[str, Any]:
    nothing = Promise()
    names = ("promised_at", "reached_at", "reached_by", "ended_at", "outcome")
    return {name: getattr(said, name) for name in names if getattr(said, name) != getattr(nothing, name)}


def promises_between(connection: Connection, start: datetime, end: datetime) -> dict[Scope, list[Promise]]:
    """Those that were made from ``start`` until before ``end``, by the scopes for which their calls count."""
    at = kpi_call_backs.c
    query = (
        select(kpi_call_backs, kpi_calls.c.shares)
        .join_from(kpi_call_backs, kpi_calls, kpi_calls.c.contact == at.call_ref, isouter=True)
        .where(at.promised_at >= start, at.promised_at < end)
    )
    found: dict[Scope, list[Promise]] = {}
    for row in connection.execute(query):
        promise = Promise(row.promised_at, row.reached_at, row.reached_by, row.ended_at, row.outcome)
        for scope in {TOTAL, *(Scope(kind, name) for kind, name, *_ in row.shares or ())}:
            found.setdefault(scope, []).append(promise)
    return found


def over_before(promises: PromisesOf, cut: datetime) -> dict[Scope, list[Promise]]:
    """Those over by then: what goes on moves between two looks."""
    return {
        scope: [each for each in of_it if each.ended_at is not None and each.ended_at < cut]
        for scope, of_it in promises.items()
    }
