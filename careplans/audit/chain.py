"""Entries of the audit, and their place in the chain: appended, never changed, without a name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, distinct, func, insert, select

from careplans.audit.tables import plan_audit
from careplans.tables import lock_for_writing
from infra.hash_chain import START, link

A_DAY = timedelta(days=1)


class What(StrEnum):
    """What was done. The values stand in the chain for ever: add to them, change none."""

    CHECKED_RIGHT = "checked_right"
    CHECKED_WRONG = "checked_wrong"
    OPENED = "opened"
    PASSED_ON = "passed_on"
    OPENED_REFERENCE = "opened_reference"
    OPENED_EMERGENCY = "opened_emergency"
    REFUSED = "refused"
    SEARCHED = "searched"
    BROKE_GLASS = "broke_glass"
    REVIEWED = "reviewed"
    VIEWS_READ = "views_read"
    EXPORTED = "exported"
    ERASED = "erased"
    DISCARDED = "discarded"
    RECORDING_OPENED = "recording_opened"
    HELD = "held"
    HOLD_LIFTED = "hold_lifted"
    KEYS_ROTATED = "keys_rotated"


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One line of the audit. ``entry`` is its random id, ``actor`` a keyed hash, ``plan`` and ``about`` opaque ids."""

    entry: str
    at: datetime
    actor: str
    role: str
    call_ref: str
    attempt: str
    plan: str | None
    what: str
    about: str = ""
    late: bool = False


@dataclass(frozen=True, slots=True)
class Head:
    """How long the chain is, and the hash at its end."""

    length: int
    head: str


def append(connection: Connection, entries: Sequence[AuditEntry]) -> None:
    """Add ``entries`` in the transaction of ``connection``; late ones that are there already are left out."""
    lock_for_writing(connection, plan_audit)
    new = _unknown(connection, entries)
    end = head_of(connection)
    rows = []
    for seq, each in enumerate(new, end.length + 1):
        row = {"seq": seq, **asdict(each), "what": str(each.what)}
        end = Head(seq, hash_of(end.head, row))
        rows.append({**row, "hash": end.head})
    if rows:
        connection.execute(insert(plan_audit), rows)


def head_of(connection: Connection) -> Head:
    """The end of the chain as it stands."""
    newest = select(plan_audit.c.seq, plan_audit.c.hash).order_by(plan_audit.c.seq.desc()).limit(1)
    row = connection.execute(newest).one_or_none()
    return Head(0, START) if row is None else Head(row.seq, row.hash)


def hash_of(before: str, row: Mapping[str, Any]) -> str:
    """What must stand in the column ``hash`` of this row. Migration 0008 reckons the same."""
    at: datetime = row["at"]
    names = ("entry", "actor", "role", "call_ref", "attempt", "plan", "what", "about", "late")
    return link(before, [row["seq"], at.astimezone(UTC).isoformat(), *(row[name] for name in names)])


def wrong_tries(connection: Connection, actors: Sequence[str], call_ref: str) -> int:
    """How many birth dates this person, under whichever of their hashes, has got wrong in this call."""
    query = select(func.count(distinct(plan_audit.c.attempt))).where(
        plan_audit.c.actor.in_(actors),
        plan_audit.c.call_ref == call_ref,
        plan_audit.c.what == What.CHECKED_WRONG,
    )
    return int(connection.execute(query).scalar_one())


def append_within(
    connection: Connection, entries: Sequence[AuditEntry], actors: Sequence[str], most_wrong: int
) -> bool:
    """Add the ``entries`` of one try; False if ``actors``, the hashes of who tried, have been wrong too often.

    Too often: ``most_wrong`` times within a day before.
    """
    lock_for_writing(connection, plan_audit)
    wrong = select(func.count(distinct(plan_audit.c.attempt))).where(
        plan_audit.c.actor.in_(actors),
        plan_audit.c.what == What.CHECKED_WRONG,
        plan_audit.c.at > entries[0].at - A_DAY,
    )
    left = int(connection.execute(wrong).scalar_one()) < most_wrong
    append(connection, entries)
    return left


def _unknown(connection: Connection, entries: Sequence[AuditEntry]) -> list[AuditEntry]:
    late = [each.entry for each in entries if each.late]
    if not late:
        return list(entries)
    known = set(connection.execute(select(plan_audit.c.entry).where(plan_audit.c.entry.in_(late))).scalars())
    return [each for each in entries if each.entry not in known]


def made_late(entries: Sequence[AuditEntry]) -> list[AuditEntry]:
    """The same entries as they go into the chain after their time."""
    return [replace(each, late=True) for each in entries]
