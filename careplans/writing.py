"""Plans in the database, written: the newest version of each, and the number index that follows from it."""

from __future__ import annotations

import secrets
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Table,
    and_,
    bindparam,
    delete,
    exists,
    false,
    or_,
    select,
    update,
)

from careplans.fitting import require_fitting_keys
from careplans.held_versions import keep_held
from careplans.model import Person, Plan, same_person
from careplans.reindexing import bring_together
from careplans.sealing import Content, PersonKeys, Sealed, Sealer
from careplans.tables import ended_plans, lock_for_writing, plan_numbers, plans
from infra.bulk import insert_many, one_of

T = TypeVar("T")

BATCH = 500
"""Plans in one statement: few round trips, and far below the 32,766 parameters that SQLite takes."""

_NEAR = 4
"""Octets that the ids of one batch begin with alike, so that they lie together in indexes: 96 bits stay to guess."""


@dataclass(slots=True)
class Written:
    """What was done with the plans that were given, one count for each."""

    imported: int = 0
    updated: int = 0
    unchanged: int = 0


@dataclass(slots=True)
class _Known:
    """A plan that is stored, or about to be: ``plan`` is the version to write.

    ``keys``: whom it was about; ``new_keys``: whom it is about, once it was written.
    """

    identity: str
    id: str
    version: int
    stored: bool = False
    ended: bool = False
    keys: PersonKeys | None = None
    plan: Plan | None = None
    new_keys: PersonKeys | None = None


def write_plans(
    connection: Connection,
    sealer: Sealer,
    new: Sequence[Plan],
    now: datetime,
    completed: Collection[tuple[str, str]] = (),
) -> Written:
    """Store the plans that are newer than what is stored, in order, in the transaction of ``connection``.

    An older or equal version changes nothing, so that the same file may be imported again; nor does one that was
    withdrawn or erased come back by it. The same version takes the place of a stored one that lacks what could not be
    read: of ``completed`` plans (source, its id there), and where it has all numbers of the stored one and more.
    The number index is right at the end: a person who became
    restricted has left it, one who no longer is has come back.
    Raises :class:`careplans.errors.KeysDoNotFit` where plans are stored under other keys.
    """
    lock_for_writing(connection, plans)
    require_fitting_keys(connection, sealer)
    written = Written()
    for batch in batches(new):
        _write_batch(connection, sealer, batch, now, written, completed)
    return written


@dataclass(frozen=True, slots=True)
class Restriction:
    """What a record that cannot be read still says: that this plan is restricted. ``version``: None if it has none."""

    source: str
    plan_id: str = field(repr=False)
    version: int | None


def restrict_plans(connection: Connection, sealer: Sealer, said: Sequence[Restriction]) -> int:
    """Mark stored plans as restricted, unless they are newer than what says so; returns how many became it.

    In the transaction of ``connection`` every plan of their persons leaves the number index. A newer version that can
    be read decides again.
    """
    lock_for_writing(connection, plans)
    require_fitting_keys(connection, sealer)
    return sum(_restrict_batch(connection, sealer, batch) for batch in batches(said))


def _restrict_batch(connection: Connection, sealer: Sealer, batch: Sequence[Restriction]) -> int:
    asked = [(sealer.identities(each.source, each.plan_id), each) for each in batch]
    known = _known(connection, [identities for identities, _ in asked])
    named = [(known[identities[0]], each) for identities, each in asked if identities[0] in known]
    marked = {
        row.id: row
        for row, each in named
        if not row.ended and (each.version is None or each.version >= row.version) and row.keys is not None
    }
    if not marked:
        return 0
    changed = list(marked.values())
    if sealer.rotates:
        bring_together(connection, sealer, _persons(connection, sealer, marked))
        _read_keys(connection, changed)
    newly = update(plans).where(plans.c.id.in_(marked), plans.c.restricted == false()).values(restricted=True)
    done = connection.execute(newly).rowcount
    _index_numbers(connection, sealer, changed)
    return done


def _persons(connection: Connection, sealer: Sealer, ids: Collection[str]) -> list[PersonKeys]:
    """Whom stored plans are about, under every live index key."""
    people = _people(connection, sealer, plans.c.id.in_(ids))
    return [keys for person in people.values() for keys in sealer.person_keys(person)]


def batches(items: Sequence[T]) -> Iterator[Sequence[T]]:
    """``items`` in portions of :data:`BATCH`."""
    for start in range(0, len(items), BATCH):
        yield items[start : start + BATCH]


def _write_batch(
    connection: Connection,
    sealer: Sealer,
    batch: Sequence[Plan],
    now: datetime,
    written: Written,
    completed: Collection[tuple[str, str]],
) -> None:
    identities = [sealer.identities(plan.source, plan.plan_id) for plan in batch]
    known = _known(connection, identities)
    named = [(identity[0], plan) for identity, plan in zip(identities, batch, strict=True)]
    more = _with_more_numbers(connection, sealer, known, named)
    near = secrets.token_hex(_NEAR)
    for identity, plan in named:
        again = (plan.source, plan.plan_id) in completed or identity in more
        _take(known, identity, plan, written, near, again=again)
    changed = [each for each in known.values() if each.plan is not None]
    if changed:
        if sealer.rotates:
            bring_together(connection, sealer, _everybody(sealer, changed))
            _read_keys(connection, changed)
        _save(connection, sealer, changed, now)
        _index_numbers(connection, sealer, changed)


def _known(connection: Connection, identities: Sequence[tuple[str, ...]]) -> dict[str, _Known]:
    newest = {each: tried[0] for tried in identities for each in tried}
    found = {}
    for table in (ended_plans, plans):
        columns = (table.c.identity, table.c.id, table.c.version, table.c.nhs_key, table.c.name_key)
        for row in connection.execute(select(*columns).where(one_of(connection, table.c.identity, newest))):
            identity = newest[row.identity]
            keys = PersonKeys(row.nhs_key, row.name_key) if row.name_key else None
            found[identity] = _Known(identity, row.id, row.version, True, table is ended_plans, keys)
    return found


def _with_more_numbers(
    connection: Connection, sealer: Sealer, known: dict[str, _Known], named: Sequence[tuple[str, Plan]]
) -> set[str]:
    """Of which of these plans the stored one, in the same version, has some of the numbers and lacks others.

    Where the number index has them all nothing is opened: nearly always. A number that was kept of an older version is
    not one that this version has.
    """
    same = {
        stored.id: (identity, set(plan.person.phones))
        for identity, plan in named
        if (stored := known.get(identity)) and not stored.ended and stored.version == plan.version
    }
    numbers = select(plan_numbers.c.plan, plan_numbers.c.number_hash)
    rows = connection.execute(numbers.where(one_of(connection, plan_numbers.c.plan, same)))
    indexed = {(row.plan, row.number_hash) for row in rows}
    lacking = [
        each
        for each, (_, phones) in same.items()
        if any((each, sealer.number_hash(phone)) not in indexed for phone in phones)
    ]
    people = _people(connection, sealer, one_of(connection, plans.c.id, lacking)) if lacking else {}
    return {same[each][0] for each, person in people.items() if same[each][1] > set(person.phones)}


def _take(known: dict[str, _Known], identity: str, plan: Plan, written: Written, near: str, *, again: bool) -> None:
    stored = known.get(identity)
    if stored is None:
        known[identity] = _Known(identity, near + secrets.token_hex(16 - _NEAR), plan.version, plan=plan)
        written.imported += 1
    elif plan.version > stored.version or (again and plan.version == stored.version and not stored.ended):
        if stored.ended and stored.plan is None:
            written.imported += 1
        else:
            written.updated += 1
        stored.version, stored.plan = plan.version, plan
    else:
        written.unchanged += 1


def _touched(changed: _Known) -> Iterator[PersonKeys]:
    """Whom a plan was about, and whom it is about now: a correction may move it from one to another."""
    yield from filter(None, (changed.keys, changed.new_keys))


def _everybody(sealer: Sealer, changed: Sequence[_Known]) -> list[PersonKeys]:
    before = [each.keys for each in changed if each.keys is not None]
    return before + [keys for each in changed if each.plan for keys in sealer.person_keys(each.plan.person)]


def _read_keys(connection: Connection, changed: Sequence[_Known]) -> None:
    """Whom the stored plans are about, by the hashes that they have now."""
    known = {each.id: each for each in changed if each.keys is not None}
    for table in (ended_plans, plans):
        query = select(table.c.id, table.c.nhs_key, table.c.name_key).where(table.c.id.in_(known))
        for row in connection.execute(query):
            known[row.id].keys = PersonKeys(row.nhs_key, row.name_key)


def _save(connection: Connection, sealer: Sealer, changed: Sequence[_Known], now: datetime) -> None:
    keep_held(connection, [each.id for each in changed if each.stored], now)
    back = [each.id for each in changed if each.ended]
    if back:
        connection.execute(delete(ended_plans).where(ended_plans.c.id.in_(back)))
    new = [_columns(sealer, each, each.plan, now) for each in changed if each.plan and (each.ended or not each.stored)]
    newer = [_columns(sealer, each, each.plan, now) for each in changed if each.plan and each.stored and not each.ended]
    if new:
        insert_many(connection, plans, new)
    if newer:
        ids = [values["id"] for values in newer]
        connection.execute(delete(plan_numbers).where(plan_numbers.c.plan.in_(ids)))
        rows = [values | {"row": values["id"]} for values in newer]
        connection.execute(update(plans).where(plans.c.id == bindparam("row")), rows)


def _columns(sealer: Sealer, row: _Known, plan: Plan, now: datetime) -> dict[str, Any]:
    clear = {
        "id": row.id,
        "source": plan.source,
        "author_org": plan.author_org,
        "kind": str(plan.kind),
        "valid_from": plan.valid_from,
        "review_by": plan.review_by,
        "version": plan.version,
        "restricted": plan.restricted,
        "stored_at": now,
    }
    content = Content(plan.handler_line, plan.detail)
    keys = sealer.row_keys(row.identity, plan.person, content, plan.review_by)
    row.new_keys = PersonKeys(keys.nhs_key, keys.name_key)
    sealed = sealer.seal(row.id, plan)
    # not asdict, which copies what it meets: a third of an import's time
    return (
        clear
        | {name: getattr(keys, name) for name in keys.__slots__}
        | {"wrapped_key": sealed.wrapped_key, "person": sealed.person, "content": sealed.content}
    )


def _index_numbers(connection: Connection, sealer: Sealer, changed: Sequence[_Known]) -> None:
    """Make the number index right for everybody whose plans were touched.

    One restricted plan takes all plans of its person out, whoever their source is (docs/safety/rules.md, 7).
    """
    written = {each.id: each.plan for each in changed if each.plan}
    touched = [keys for each in changed for keys in _touched(each)]
    rows = _about(connection, plans, touched, plans.c.id, plans.c.restricted)
    # what its source withdrew no longer says that somebody is restricted, nor that they no longer are
    ended = _about(connection, ended_plans, touched, ended_plans.c.restricted)
    restricted = [row for row in (*rows, *ended) if row.restricted]
    hidden = {row.id for row in rows if any(same_person(row, each) for each in restricted)}
    if hidden:
        connection.execute(delete(plan_numbers).where(plan_numbers.c.plan.in_(hidden)))
    shown = [row.id for row in rows if row.id not in hidden]
    phones = {row: plan.person.numbers for row in shown if (plan := written.get(row))}
    phones |= _of_others(connection, sealer, [row for row in shown if row not in written])
    numbers = [{"number_hash": sealer.number_hash(e164), "plan": row} for row, all_ in phones.items() for e164 in all_]
    if numbers:
        insert_many(connection, plan_numbers, numbers)


def _about(connection: Connection, table: Table, persons: Sequence[PersonKeys], *columns: Column[Any]) -> list[Any]:
    """These columns, and whom they are about, of the plans that share a number or a name with one of the persons."""
    numbers, names = {keys.nhs_key for keys in persons if keys.nhs_key is not None}, {keys.name_key for keys in persons}
    either = or_(one_of(connection, table.c.nhs_key, numbers), one_of(connection, table.c.name_key, names))
    return list(connection.execute(select(table.c.nhs_key, table.c.name_key, *columns).where(either)))


def _of_others(connection: Connection, sealer: Sealer, ids: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """The numbers of plans that were not written now and stand in no index: their person is no longer restricted."""
    if not ids:
        return {}
    indexed = exists().where(plan_numbers.c.plan == plans.c.id)
    people = _people(connection, sealer, and_(plans.c.id.in_(ids), ~indexed))
    return {row: person.numbers for row, person in people.items()}


def _people(connection: Connection, sealer: Sealer, such: ColumnElement[bool]) -> dict[str, Person]:
    query = select(plans.c.id, plans.c.wrapped_key, plans.c.person).where(such)
    return {
        row.id: sealer.open_person(row.id, Sealed(row.wrapped_key, row.person, b""))
        for row in connection.execute(query)
    }
