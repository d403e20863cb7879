"""Plans in the database, read: by number without opening anything, by id with what is sealed.

``metadata`` lists every table of the package.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import lru_cache
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, and_, bindparam, false, null, or_, select

import careplans.access.tables
import careplans.audit.tables  # noqa: F401 - their tables belong to the metadata
from careplans.folding import same_plan
from careplans.kinds import PlanKind
from careplans.sealing import Sealed
from careplans.tables import TOLD, ended_plans, metadata, plan_numbers, plans
from infra.sql import Database

__all__ = [
    "FoundPlan",
    "SealedPlan",
    "ended_plans",
    "ended_plans_of",
    "metadata",
    "plan_numbers",
    "plans",
    "plans_by_id",
    "plans_by_nhs_number",
    "plans_by_number",
    "plans_by_surname",
    "with_twins",
]


@dataclass(frozen=True, slots=True)
class FoundPlan:
    """The clear half of a stored plan. ``nhs_key`` and ``name_key`` tell persons apart, nothing more."""

    id: str
    kind: PlanKind
    source: str
    author_org: str
    valid_from: date
    review_by: date | None
    restricted: bool
    nhs_key: str | None = field(repr=False)
    name_key: str = field(repr=False)
    content_key: str | None = field(repr=False, default=None)


@dataclass(frozen=True, slots=True)
class SealedPlan:
    """A stored plan with its secret half, still sealed."""

    found: FoundPlan
    sealed: Sealed

    @property
    def nhs_key(self) -> str | None:
        return self.found.nhs_key

    @property
    def name_key(self) -> str:
        return self.found.name_key


_TOLD = (plans.c.id, *(plans.c[name] for name in TOLD))
_CLEAR = (*_TOLD, plans.c.nhs_key, plans.c.name_key, plans.c.content_key)
_NEWEST_FIRST = (plans.c.valid_from.desc(), plans.c.source, plans.c.id)


@lru_cache(maxsize=8)
def _by_number(keys: int, *, compared: bool) -> Select[Any]:
    """The query for so many live keys, put together once: that costs more than running it, and every call asks it.

    ``compared``: with what tells plans and persons apart, for which each plan's whole row is read.
    """
    either = or_(*(plan_numbers.c.number_hash == bindparam(f"hash{at}") for at in range(keys)))
    return (
        select(*(_CLEAR if compared else _TOLD))
        .join(plan_numbers, plan_numbers.c.plan == plans.c.id)
        # The index never holds restricted plans; asked again, because one slip here is a disclosure.
        .where(either, plans.c.restricted == false())
    )


async def plans_by_number(database: Database, hashes: Sequence[str]) -> list[FoundPlan]:
    """The plans that a number may mean, newest first, by indexes. ``hashes``: under each live key.

    One query that reads indexes alone, nearly always; several plans are asked for again, with what tells them apart.
    One that is found alone comes without that.
    """
    asked = {f"hash{at}": each for at, each in enumerate(hashes)}
    rows = await database.look_up(_by_number(len(hashes), compared=False), asked)
    if len(rows) < 2:
        return [_found((*row, None, row[0], None)) for row in rows]  # by its own id it is never taken for another's
    found = [_found(row) for row in await database.look_up(_by_number(len(hashes), compared=True), asked)]
    # here, since to have it sorted costs the server a fifth of the query
    found.sort(key=lambda each: (-each.valid_from.toordinal(), each.source, each.id))
    return found


_BY_NHS_NUMBER, _BY_SURNAME = (
    select(*_CLEAR).where(column.in_(bindparam("hashes", expanding=True))).order_by(*_NEWEST_FIRST)
    for column in (plans.c.nhs_key, plans.c.surname_key)
)


def plans_by_nhs_number(connection: Connection, hashes: Sequence[str]) -> list[FoundPlan]:
    """The plans of this NHS number, newest first, of restricted people, too: one query, on an index."""
    return [_found(row) for row in connection.execute(_BY_NHS_NUMBER, {"hashes": hashes})]


def plans_by_surname(connection: Connection, hashes: Sequence[str]) -> list[FoundPlan]:
    """The plans of this family name and date of birth, as :func:`plans_by_nhs_number`."""
    return [_found(row) for row in connection.execute(_BY_SURNAME, {"hashes": hashes})]


def plans_by_id(connection: Connection, ids: Sequence[str]) -> list[SealedPlan]:
    """The stored plans of these ids, newest first; ids that are not stored are left out."""
    return _sealed(connection, plans.c.id.in_(set(ids)))


def ended_plans_of(
    connection: Connection, nhs_keys: Collection[str], name_keys: Collection[str], surname_keys: Collection[str] = ()
) -> list[SealedPlan]:
    """Plans of these people that their source took back; of an erased one nothing says any more whose it was."""
    c = ended_plans.c
    either = or_(c.nhs_key.in_(nhs_keys), c.name_key.in_(name_keys), c.surname_key.in_(surname_keys))
    clear = [ended_plans.c[each.name] for each in _CLEAR if each is not plans.c.content_key]
    secret = (ended_plans.c.wrapped_key, ended_plans.c.person, ended_plans.c.content)
    query = select(*clear, null().label("content_key"), *secret).where(either, ended_plans.c.content.is_not(None))
    rows = connection.execute(query.order_by(ended_plans.c.valid_from.desc(), ended_plans.c.id))
    return [SealedPlan(_found(row), Sealed(row.wrapped_key, row.person, row.content)) for row in rows]


def with_twins(connection: Connection, found: Sequence[SealedPlan]) -> list[SealedPlan]:
    """``found``, and what other sources say in the same words of the same people: see ``careplans.folding``."""
    words = {each.found.content_key for each in found if each.found.content_key}
    if not words:
        return list(found)
    numbers, names = {each.nhs_key for each in found if each.nhs_key}, {each.name_key for each in found}
    ids = {each.found.id for each in found}
    same = and_(
        plans.c.content_key.in_(words),
        or_(plans.c.nhs_key.in_(numbers), plans.c.name_key.in_(names)),
        plans.c.id.not_in(ids),
    )
    twins = [
        twin
        for twin in _sealed(connection, same)
        if any(same_plan(twin.found, each.found) and twin.found.source != each.found.source for each in found)
    ]
    return [*found, *twins]


def _sealed(connection: Connection, which: ColumnElement[bool]) -> list[SealedPlan]:
    query = select(*_CLEAR, plans.c.wrapped_key, plans.c.person, plans.c.content).where(which).order_by(*_NEWEST_FIRST)
    rows = connection.execute(query)
    return [SealedPlan(_found(row), Sealed(row.wrapped_key, row.person, row.content)) for row in rows]


def _found(row: Sequence[Any]) -> FoundPlan:
    """A row that begins with the columns of ``_CLEAR``."""
    id_, kind, source, author_org, valid_from, review_by, restricted, nhs_key, name_key, content_key = row[:10]
    return FoundPlan(
        id_, PlanKind(kind), source, author_org, valid_from, review_by, restricted, nhs_key, name_key, content_key
    )
