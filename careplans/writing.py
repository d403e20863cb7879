"""Plans in the database, written: the newest version of each, and the number index that follows from it."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    FromClause,
    Row,
    and_,
    bindparam,
    delete,
    exists,
    insert,
    or_,
    select,
    update,
)

from careplans.model import Plan
from careplans.sealing import PersonKeys, Sealed, Sealer
from careplans.tables import lock_for_writing, plan_numbers, plans

BATCH = 200
"""Plans in one statement: few round trips, and far below the 32,766 parameters that SQLite takes."""


@dataclass(slots=True)
class Written:
    """What was done with the plans that were given, one count for each."""

    imported: int = 0
    updated: int = 0
    unchanged: int = 0


@dataclass(slots=True)
class _Known:
    """A plan that is stored, or about to be: ``plan`` is the version to write, ``keys`` whom it was about."""

    identity: str
    id: str
    version: int
    keys: PersonKeys | None = None
    plan: Plan | None = None


def write_plans(connection: Connection, sealer: Sealer, new: Sequence[Plan], now: datetime) -> Written:
    """Store the plans that are newer than what is stored, in order, in the transaction of ``connection``.

    An older or equal version changes nothing, so that the same file may be imported again. The number index
    is right at the end: a person who became restricted has left it, one who no longer is has come back.
    """
    lock_for_writing(connection, plans)
    written = Written()
    for batch in _batches(new):
        _write_batch(connection, sealer, batch, now, written)
    return written


def _batches(new: Sequence[Plan]) -> Iterator[Sequence[Plan]]:
    for start in range(0, len(new), BATCH):
        yield new[start : start + BATCH]


def _write_batch(
    connection: Connection, sealer: Sealer, batch: Sequence[Plan], now: datetime, written: Written
) -> None:
    identities = [sealer.identity(plan) for plan in batch]
    known = _known(connection, identities)
    for identity, plan in zip(identities, batch, strict=True):
        _take(known, identity, plan, written)
    changed = [each for each in known.values() if each.plan is not None]
    if changed:
        _save(connection, sealer, changed, now)
        _index_numbers(connection, sealer, [keys for each in changed for keys in _touched(sealer, each)])


def _known(connection: Connection, identities: Sequence[str]) -> dict[str, _Known]:
    columns = (plans.c.identity, plans.c.id, plans.c.version, plans.c.nhs_key, plans.c.name_key)
    rows = connection.execute(select(*columns).where(plans.c.identity.in_(identities)))
    return {
        row.identity: _Known(row.identity, row.id, row.version, PersonKeys(row.nhs_key, row.name_key)) for row in rows
    }


def _take(known: dict[str, _Known], identity: str, plan: Plan, written: Written) -> None:
    stored = known.get(identity)
    if stored is None:
        known[identity] = _Known(identity, secrets.token_hex(16), plan.version, plan=plan)
        written.imported += 1
    elif plan.version > stored.version:
        stored.version, stored.plan = plan.version, plan
        written.updated += 1
    else:
        written.unchanged += 1


def _touched(sealer: Sealer, changed: _Known) -> Iterator[PersonKeys]:
    """Whom a plan was about, and whom it is about now: a correction may move it from one to another."""
    if changed.keys is not None:
        yield changed.keys
    if changed.plan is not None:
        yield sealer.person_keys(changed.plan.person)


def _save(connection: Connection, sealer: Sealer, changed: Sequence[_Known], now: datetime) -> None:
    new = [_columns(sealer, each, each.plan, now) for each in changed if each.plan and each.keys is None]
    newer = [_columns(sealer, each, each.plan, now) for each in changed if each.plan and each.keys]
    if new:
        connection.execute(insert(plans), new)
    if newer:
        ids = [values["id"] for values in newer]
        connection.execute(delete(plan_numbers).where(plan_numbers.c.plan.in_(ids)))
        rows = [values | {"row": values["id"]} for values in newer]
        connection.execute(update(plans).where(plans.c.id == bindparam("row")), rows)


def _columns(sealer: Sealer, row: _Known, plan: Plan, now: datetime) -> dict[str, Any]:
    clear = {
        "id": row.id,
        "identity": row.identity,
        "source": plan.source,
        "author_org": plan.author_org,
        "kind": str(plan.kind),
        "valid_from": plan.valid_from,
        "review_by": plan.review_by,
        "version": plan.version,
        "restricted": plan.restricted,
        "stored_at": now,
    }
    return clear | asdict(sealer.person_keys(plan.person)) | asdict(sealer.seal(row.id, plan))


def _index_numbers(connection: Connection, sealer: Sealer, touched: Sequence[PersonKeys]) -> None:
    """Make the number index right for everybody whose plans were touched.

    One restricted plan takes all plans of its person out, whoever their source is (docs/safety/rules.md, 7).
    """
    rows = connection.execute(_plans_of(touched)).all()
    hidden = [row.id for row in rows if row.hidden]
    if hidden:
        connection.execute(delete(plan_numbers).where(plan_numbers.c.plan.in_(hidden)))
    missing = [row for row in rows if not row.hidden and not row.indexed]
    numbers = [entry for row in missing for entry in _numbers(sealer, row)]
    if numbers:
        connection.execute(insert(plan_numbers), numbers)


def _plans_of(touched: Sequence[PersonKeys]) -> Any:
    other = plans.alias("other")
    hidden = exists().where(other.c.restricted, _same_person(other, plans))
    indexed = exists().where(plan_numbers.c.plan == plans.c.id)
    return select(
        plans.c.id, plans.c.wrapped_key, plans.c.person, hidden.label("hidden"), indexed.label("indexed")
    ).where(
        or_(
            plans.c.nhs_key.in_({keys.nhs_key for keys in touched if keys.nhs_key is not None}),
            plans.c.name_key.in_({keys.name_key for keys in touched}),
        )
    )


def _same_person(one: FromClause, other: FromClause) -> ColumnElement[bool]:
    """``careplans.model.same_person`` in SQL."""
    no_number = or_(one.c.nhs_key.is_(None), other.c.nhs_key.is_(None))
    return or_(one.c.nhs_key == other.c.nhs_key, and_(one.c.name_key == other.c.name_key, no_number))


def _numbers(sealer: Sealer, row: Row[Any]) -> list[dict[str, str]]:
    person = sealer.open_person(row.id, Sealed(row.wrapped_key, row.person, b""))
    return [{"number_hash": sealer.number_hash(phone), "plan": row.id} for phone in person.phones]
