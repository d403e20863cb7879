"""Plans brought under the index key that is written, one person's plans always together.

Whether two plans are about one person is told by comparing their hashes, which says nothing across two index keys. So
whoever writes a plan while keys are changed, and the change itself, first brings every plan of that person along.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import asdict
from typing import Any

import structlog
from sqlalchemy import ColumnElement, Connection, Row, Table, bindparam, delete, insert, or_, select, update

from careplans.errors import PlanUnreadable
from careplans.sealing import PersonKeys, Sealed, Sealer
from careplans.tables import ended_plans, plan_numbers, plans

_log = structlog.get_logger(__name__)

TABLES = (plans, ended_plans)


def bring_together(connection: Connection, sealer: Sealer, persons: Iterable[PersonKeys]) -> int:
    """Put every plan of these persons that is under an older index key under the newest; returns how many.

    Plans that share an NHS number or a name with one of them come along, and those that share one with these, since
    any two of them may be one person's. What does not open stays as it is, and is logged.
    """
    found: dict[str, tuple[Table, Row[Any]]] = {}
    reached = _reached(persons)
    while any(reached):
        fresh = [
            (table, row)
            for table in TABLES
            for row in connection.execute(_older(table, sealer, _about(table, *reached)))
            if row.id not in found
        ]
        found |= {row.id: (table, row) for table, row in fresh}
        reached = _reached(PersonKeys(row.nhs_key, row.name_key) for _, row in fresh)
    return reindex(connection, sealer, list(found.values()))


def reindex(connection: Connection, sealer: Sealer, rows: Sequence[tuple[Table, Row[Any]]]) -> int:
    """Write the hashes of these rows anew, of the number index, too; returns how many could be opened."""
    done = 0
    for table in TABLES:
        changed = [each for at, row in rows if at is table and (each := _rehashed(sealer, table, row)) is not None]
        if changed:
            connection.execute(update(table).where(table.c.id == bindparam("row")), [values for values, _ in changed])
            done += len(changed)
        if table is plans and changed:
            _renumber(connection, {values["row"]: numbers for values, numbers in changed})
    return done


def columns(table: Table) -> tuple[ColumnElement[Any], ...]:
    """What :func:`reindex` needs of a row."""
    c = table.c
    return (c.id, c.source, c.nhs_key, c.name_key, c.index_key, c.review_by, c.wrapped_key, c.person, c.content)


def _reached(persons: Iterable[PersonKeys]) -> tuple[set[str], set[str]]:
    each = [keys for keys in persons if keys.name_key]
    return {keys.nhs_key for keys in each if keys.nhs_key}, {keys.name_key for keys in each}


def _about(table: Table, numbers: Collection[str], names: Collection[str]) -> ColumnElement[bool]:
    return or_(table.c.nhs_key.in_(numbers), table.c.name_key.in_(names))


def _older(table: Table, sealer: Sealer, which: ColumnElement[bool]) -> Any:
    older = or_(table.c.index_key.is_(None), table.c.index_key != sealer.index_key)
    return select(*columns(table)).where(which, older)


def _rehashed(sealer: Sealer, table: Table, row: Row[Any]) -> tuple[dict[str, Any], list[str]] | None:
    """The new columns of a row, and the hashes of its numbers; None if it cannot be told."""
    if row.wrapped_key is None:  # erased: nothing is left to make a hash of
        return None
    sealed = Sealed(row.wrapped_key, row.person, row.content or b"")
    try:
        plan_id = sealer.open_reference(row.id, sealed)
        if row.name_key is None:  # a plan that was withdrawn before it ever came
            return {"row": row.id, "identity": sealer.identities(row.source, plan_id)[0],
                    "index_key": sealer.index_key, "nhs_key": None, "name_key": None}, []  # fmt: skip
        person, content = sealer.open_person(row.id, sealed), sealer.open_content(row.id, sealed)
    except PlanUnreadable:
        _log.error("plan_not_reindexed", plan=row.id)
        return None
    identity, *_ = sealer.identities(row.source, plan_id)
    keys = asdict(sealer.row_keys(identity, person, content, row.review_by))
    values = {name: value for name, value in keys.items() if name in table.c}
    return values | {"row": row.id}, [sealer.number_hash(phone) for phone in person.numbers]


def _renumber(connection: Connection, numbers: dict[str, list[str]]) -> None:
    """Of the plans that stand in the number index, and of no other: who is restricted stays out of it."""
    indexed = select(plan_numbers.c.plan).where(plan_numbers.c.plan.in_(numbers)).distinct()
    ids = connection.execute(indexed).scalars().all()
    if ids:
        connection.execute(delete(plan_numbers).where(plan_numbers.c.plan.in_(ids)))
        connection.execute(
            insert(plan_numbers), [{"plan": each, "number_hash": one} for each in ids for one in set(numbers[each])]
        )
