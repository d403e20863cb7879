"""Plans in the database, read: by number without opening anything, by id with what is sealed.

``metadata`` lists every table of the package.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from sqlalchemy import Connection, bindparam, false, select

import careplans.access.tables
import careplans.audit.tables  # noqa: F401 - their tables belong to the metadata
from careplans.kinds import PlanKind
from careplans.sealing import Sealed
from careplans.tables import ended_plans, metadata, plan_numbers, plans

__all__ = [
    "FoundPlan",
    "SealedPlan",
    "ended_plans",
    "metadata",
    "plan_numbers",
    "plans",
    "plans_by_id",
    "plans_by_number",
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


_CLEAR = (
    plans.c.id, plans.c.kind, plans.c.source, plans.c.author_org, plans.c.valid_from, plans.c.review_by,
    plans.c.restricted, plans.c.nhs_key, plans.c.name_key,
)  # fmt: skip
_NEWEST_FIRST = (plans.c.valid_from.desc(), plans.c.source, plans.c.id)


_BY_NUMBER = (
    select(*_CLEAR)
    .join(plan_numbers, plan_numbers.c.plan == plans.c.id)
    # The index never holds restricted plans; asked again, because one slip here is a disclosure.
    .where(plan_numbers.c.number_hash.in_(bindparam("hashes", expanding=True)), plans.c.restricted == false())
    .order_by(*_NEWEST_FIRST)
)
"""Made once: putting a query together costs more than running it, and every call asks this one."""


def plans_by_number(connection: Connection, hashes: Sequence[str]) -> list[FoundPlan]:
    """The plans that a number may mean, newest first: one query, on an index. ``hashes``: under each live key."""
    return [_found(row) for row in connection.execute(_BY_NUMBER, {"hashes": hashes})]


def plans_by_id(connection: Connection, ids: Sequence[str]) -> list[SealedPlan]:
    """The stored plans of these ids, newest first; ids that are not stored are left out."""
    query = (
        select(*_CLEAR, plans.c.wrapped_key, plans.c.person, plans.c.content)
        .where(plans.c.id.in_(set(ids)))
        .order_by(*_NEWEST_FIRST)
    )
    rows = connection.execute(query)
    return [SealedPlan(_found(row), Sealed(row.wrapped_key, row.person, row.content)) for row in rows]


def _found(row: Any) -> FoundPlan:
    return FoundPlan(
        row.id, PlanKind(row.kind), row.source, row.author_org, row.valid_from, row.review_by,
        row.restricted, row.nhs_key, row.name_key,
    )  # fmt: skip
