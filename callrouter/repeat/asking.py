"""What a caller waits for: their earlier contacts, and how many calls their line cut short. One query."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any, NamedTuple

from sqlalchemy import Select, bindparam, func, literal_column, select, true

from callrouter.repeat.patient import FIVE, Traits
from callrouter.repeat.rule import Encounter
from callrouter.repeat.tables import encounter_keys, encounters, short_calls
from infra.sql import Database

LANE = "repeats"
"""Of look-ups: one of plans that hangs keeps no repeat caller from being found."""

_NAMES = ("id", "started_at", "external", "doubtful", "provider", "context_key", "case_key", "nhs_key")
_COLUMNS = (*(encounters.c[name] for name in (*_NAMES, *(f"{each}_key" for each in FIVE))),
            encounter_keys.c.key.label("number"))  # fmt: skip


class _Found(NamedTuple):
    """A contact, once for each of its numbers. ``five``: the keys of what else of its patient is compared."""

    id: str
    started: datetime
    external: bool
    doubtful: bool
    provider: str
    context: str | None
    case: str | None
    nhs: str | None
    five: tuple[str | None, ...]
    number: str | None


async def ask(
    database: Database,
    keys: Sequence[str],
    numbers: Sequence[str],
    *,
    now: datetime,
    since: datetime,
    short_since: datetime,
) -> tuple[list[Encounter], int]:
    """The contacts from ``since`` until before ``now`` under any of the keys, and how many calls were cut short.

    Those that ended from ``short_since`` to ``now``, on the line with these ``numbers`` (its hashes, one for each key).
    """
    numbers = numbers or ("",)  # of nobody
    values: dict[str, object] = {"before": now, "since": since, "until": now, "short_since": short_since}
    values |= {f"key{at}": key for at, key in enumerate(keys)} | {f"number{at}": key for at, key in enumerate(numbers)}
    rows = await database.look_up(_query(len(keys), len(numbers)), values, lane=LANE)
    found = [_Found._make((*row[1:9], tuple(row[9:-1]), row[-1])) for row in rows if row[1] is not None]
    return _encounters(found), rows[0][0]


@lru_cache(maxsize=32)
def _query(keys: int, numbers: int) -> Select[Any]:
    """For so many keys and hashes, put together once. It has a row also where no contact is found."""
    by_key = select(encounter_keys.c.encounter).where(
        encounter_keys.c.key.in_([bindparam(f"key{at}") for at in range(keys)])
    )
    is_number = encounter_keys.c.kind == literal_column("'number'")  # a value would be one of those to be given
    found = (
        select(*_COLUMNS)
        .select_from(encounters.outerjoin(encounter_keys, (encounter_keys.c.encounter == encounters.c.id) & is_number))
        .where(
            encounters.c.id.in_(by_key),
            encounters.c.started_at < bindparam("before"),
            encounters.c.started_at >= bindparam("since"),
        )
        .subquery("found")
    )
    short = (
        select(func.count().label("calls"))
        .where(
            short_calls.c.number_key.in_([bindparam(f"number{at}") for at in range(numbers)]),
            short_calls.c.ended_at <= bindparam("until"),
            short_calls.c.ended_at >= bindparam("short_since"),
        )
        .subquery("short")
    )
    return select(short.c.calls, *found.c).select_from(short.outerjoin(found, true()))


def _encounters(rows: Sequence[_Found]) -> list[Encounter]:
    numbers: dict[str, set[str]] = {}
    first: dict[str, _Found] = {}
    for row in rows:
        first.setdefault(row.id, row)
        numbers.setdefault(row.id, set()).update([row.number] if row.number else [])
    return [
        Encounter(
            id=row.id,
            started=row.started,
            traits=Traits(**dict(zip(FIVE, row.five, strict=True)), nhs=row.nhs, numbers=frozenset(numbers[row.id])),
            provider=row.provider,
            context=row.context,
            case=row.case,
            external=row.external,
            doubtful=row.doubtful,
        )
        for row in first.values()
    ]
