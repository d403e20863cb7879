"""What the quarantine holds of the people of stored plans: versions that could not be read, and other plans."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import structlog
from sqlalchemy import ColumnElement, Connection, Table, delete, insert, select, update

from careplans.erasing import WhyErased
from careplans.errors import PlanUnreadable
from careplans.model import is_nhs_number
from careplans.sealing import Sealed, Sealer
from careplans.sources.quarantine import Quarantine, Unread, destroy
from careplans.sources.tables import plan_run_gone
from careplans.tables import ended_plans, lock_for_writing, plans
from careplans.withdrawing import ERASED
from infra.crypto import KeyRing

_log = structlog.get_logger(__name__)
_NO_VERSION = -1
"""Of a record whose version could not be read: its tombstone keeps no version out."""


@dataclass(frozen=True, slots=True)
class _Named:
    """Which plans (source, its id there) rows are, and of which NHS numbers."""

    plans: frozenset[tuple[str, str]] = field(repr=False)
    nhs_numbers: frozenset[str] = field(repr=False)


def unread_about(connection: Connection, keyring: KeyRing, ids: Sequence[str]) -> list[Unread]:
    """What could not be read of these plans, and what gives an NHS number of theirs."""
    named = _named(connection, Sealer(keyring), ids)
    return Quarantine(keyring).about(connection, named.plans, named.nhs_numbers)


def erase_unread(
    connection: Connection, keyring: KeyRing, ids: Sequence[str], why: WhyErased, by: str, now: datetime
) -> list[str]:
    """Destroy what the quarantine holds of these plans; returns the ids of its records, for the audit.

    At a patient's own request (:attr:`WhyErased.REQUEST`) also every other record that gives their NHS number, but none
    of a plan that stays stored. Tombstones stay as of plans: a record that could be named does not come back in this
    version. To be called before the keys of ``ids`` are gone, in the transaction that erases them.
    """
    lock_for_writing(connection, plans)
    sealer = Sealer(keyring)
    named = _named(connection, sealer, ids)
    numbers = named.nhs_numbers if why is WhyErased.REQUEST else frozenset[str]()
    found = [
        each
        for each in Quarantine(keyring).about(connection, named.plans, numbers)
        if not _stays(connection, sealer, each, ids)
    ]
    destroy(connection, [each.id for each in found])
    for each in found:
        _leave(connection, sealer, each, {"why": ERASED, "reason": str(why), "by": by, "ended_at": now})
    _forget_withdrawals(connection, sealer, named)
    return [each.id for each in found]


def _named(connection: Connection, sealer: Sealer, ids: Sequence[str]) -> _Named:
    """What does not open names nothing: it is erased all the same."""
    known, numbers = set(), set()
    for table in (plans, ended_plans):
        columns = (table.c.id, table.c.source, table.c.name_key, table.c.wrapped_key, table.c.person)
        for row in connection.execute(select(*columns).where(table.c.id.in_(ids), table.c.wrapped_key.is_not(None))):
            sealed = Sealed(row.wrapped_key, row.person, b"")
            try:
                known.add((row.source, sealer.open_reference(row.id, sealed)))
                number = sealer.open_person(row.id, sealed).nhs_number if row.name_key else None
            except PlanUnreadable:
                _log.error("plan_not_sought_in_quarantine", plan=row.id)
                continue
            if number and is_nhs_number(number):
                numbers.add(number)
    return _Named(frozenset(known), frozenset(numbers))


def _stays(connection: Connection, sealer: Sealer, unread: Unread, ids: Sequence[str]) -> bool:
    """Whether it is a version of a plan that is stored and is not erased with it."""
    if unread.known.plan_id is None:
        return False
    return any(
        row.id not in ids
        for table in (plans, ended_plans)
        for row in connection.execute(
            select(table.c.id).where(_is(sealer, table, unread), table.c.wrapped_key.is_not(None))
        )
    )


def _is(sealer: Sealer, table: Table, unread: Unread) -> ColumnElement[bool]:
    return table.c.identity.in_(sealer.identities(unread.known.source, unread.known.plan_id or ""))


def _leave(connection: Connection, sealer: Sealer, unread: Unread, end: dict[str, Any]) -> None:
    """A tombstone under the record's own id, or the plan's own, raised to the version that could not be read."""
    known = unread.known
    if known.plan_id is None:
        return
    version = _NO_VERSION if known.version is None else known.version
    for table in (plans, ended_plans):
        query = select(table.c.id, table.c.version).where(_is(sealer, table, unread))
        if (row := connection.execute(query).first()) is not None:
            if row.version < version:
                connection.execute(update(table).where(table.c.id == row.id).values(version=version))
            return
    first, *_ = sealer.identities(known.source, known.plan_id)
    tombstone = {"id": unread.id, "identity": first, "source": known.source, "index_key": sealer.index_key}
    connection.execute(insert(ended_plans), tombstone | {"version": version, "restricted": False} | end)


def _forget_withdrawals(connection: Connection, sealer: Sealer, named: _Named) -> None:
    """What a held run says is withdrawn of these plans needs no decision any more."""
    systems = {source for source, _ in named.plans}
    for row in connection.execute(select(plan_run_gone).where(plan_run_gone.c.system.in_(systems))).all():
        try:
            reference = sealer.open_reference(row.id, Sealed(row.wrapped_key, row.reference, b""))
        except PlanUnreadable:
            continue
        if (row.system, reference) in named.plans:
            connection.execute(delete(plan_run_gone).where(plan_run_gone.c.id == row.id))
