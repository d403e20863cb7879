"""What a plan is, whom it is about, and what a number or a birth date may reveal of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from typing import Protocol, TypeVar
from zoneinfo import ZoneInfo

from careplans.kinds import PlanKind
from infra.nhs_number import is_nhs_number as is_nhs_number
from infra.numbers import Number, NumberClass

LONDON = ZoneInfo("Europe/London")


@dataclass(frozen=True, slots=True, repr=False)
class Person:
    """Whom a plan is about, as its source says. Never printed: it has no ``repr`` of its values.

    A pointer names an NHS number and nothing else: then both names are empty and ``birth_date`` is None.
    ``kept_phones``: of an older version, where none of this one's can be read.
    """

    given_name: str
    family_name: str
    birth_date: date | None
    nhs_number: str | None = None
    phones: tuple[str, ...] = ()
    kept_phones: tuple[str, ...] = ()

    @property
    def numbers(self) -> tuple[str, ...]:
        """Every number by which they are found."""
        return self.phones + self.kept_phones

    @property
    def full_name(self) -> str:
        """Given name, then family name."""
        return f"{self.given_name} {self.family_name}".strip()


@dataclass(frozen=True, slots=True)
class Plan:
    """One version of one plan. ``source`` and ``plan_id`` together are its identity."""

    plan_id: str = field(repr=False)
    source: str
    author_org: str
    kind: PlanKind
    person: Person = field(repr=False)
    handler_line: str = field(repr=False)
    detail: str = field(repr=False)
    valid_from: date
    review_by: date | None
    version: int
    restricted: bool = False


class MatchLevel(StrEnum):
    """How sure we are whose plan it is (docs/safety/rules.md, 3). A number alone never passes ``CANDIDATES``."""

    NONE = "none"
    CANDIDATES = "candidates"
    ASSERTED = "asserted"
    CONFIRMED = "confirmed"
    UNAVAILABLE = "unavailable"


@dataclass(frozen=True, slots=True)
class Candidate:
    """A plan that may be the caller's: nothing in it says whose. ``plan_id`` is opaque and ours.

    ``also_in``: other sources that hold the same plan, word for word.
    """

    plan_id: str
    kind: PlanKind
    source: str
    author_org: str
    valid_from: date
    review_by: date | None
    stale: bool
    raises: bool
    also_in: tuple[str, ...] = ()
    restricted: bool = False


@dataclass(frozen=True, slots=True)
class Match:
    """What a number brought. ``reason`` is a stable word; ``people`` counts the different persons."""

    outcome: MatchLevel
    reason: str
    candidates: tuple[Candidate, ...] = ()
    people: int = 0


@dataclass(frozen=True, slots=True)
class Viewer:
    """Who wants to see a plan, and as what. ``session`` is the random id of their sign-in.

    ``user`` says who somebody is; ``name`` is how information governance reads it in the audit (``user`` if empty).
    """

    user: str = field(repr=False)
    role: str
    session: str = field(default="", repr=False)
    organisation: str = ""
    name: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class OpenedPlan:
    """A plan whose person was checked. ``detail`` is set only for roles that may read it.

    ``restricted``: nobody may be told where this patient is or how to reach them.
    """

    plan_id: str
    kind: PlanKind
    source: str
    author_org: str
    valid_from: date
    review_by: date | None
    stale: bool
    raises: bool
    restricted: bool
    person: str = field(repr=False)
    handler_line: str = field(repr=False)
    detail: str | None = field(repr=False)
    also_in: tuple[str, ...] = ()
    born: date | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class RowFault:
    """What is wrong with one field of one row. ``reason`` never repeats the value."""

    line: int
    field: str
    reason: str


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What an import did, counted in rows. A row that is refused may have several faults."""

    imported: int = 0
    updated: int = 0
    unchanged: int = 0
    refused: tuple[RowFault, ...] = ()
    warnings: tuple[RowFault, ...] = ()


class HasPersonKeys(Protocol):
    """Anything that carries the keyed hashes of the person whom it is about."""

    @property
    def nhs_key(self) -> str | None: ...
    @property
    def name_key(self) -> str: ...


_P = TypeVar("_P", bound=HasPersonKeys)


def same_person(one: HasPersonKeys, other: HasPersonKeys) -> bool:
    """Whether two plans are surely about one person, judged by keyed hashes alone.

    Two valid NHS numbers decide, equal or not (docs/safety/rules.md, 4: different ones never match). Where one
    is missing, names and date of birth must all be equal. Doubt means two persons: then neither opens.
    """
    if one.nhs_key is not None and other.nhs_key is not None:
        return one.nhs_key == other.nhs_key
    return one.name_key == other.name_key


def group_by_person(plans: Sequence[_P]) -> list[list[_P]]:
    """Plans put together where each is about the same person as all others of its group."""
    groups: list[list[_P]] = []
    for plan in plans:
        fitting = (group for group in groups if all(same_person(plan, other) for other in group))
        group = next(fitting, None)
        if group is None:
            groups.append([plan])
        else:
            group.append(plan)
    return groups


_NEVER_LOOKED_UP = {
    NumberClass.WITHHELD: "withheld",
    NumberClass.CARRIER_FILLER: "carrier_filler",
    NumberClass.DIVERTED: "diverted_line",
    NumberClass.UNREADABLE: "unreadable_number",
}


def unmatchable(number: Number) -> Match | None:
    """The answer for a number that may never be looked up (docs/domain.md), or None for one that may."""
    reason = _NEVER_LOOKED_UP.get(number.kind)
    return None if reason is None else Match(MatchLevel.NONE, reason)


def london_date(now: datetime) -> date:
    """The date in England: the day by which a plan must be reviewed ends at midnight there, not in UTC."""
    return now.astimezone(LONDON).date()


def is_stale(review_by: date | None, today: date) -> bool:
    """Whether the review date has passed. A stale plan is still shown and still raises priority."""
    return review_by is not None and review_by < today
