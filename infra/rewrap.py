"""Data keys wrapped anew under the newest master key, in portions, while the service goes on."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol, TypeVar

from sqlalchemy import Column, Connection, Table, bindparam, select, update

from infra.crypto import KeyRing, SealError

T = TypeVar("T")

PORTION = 500
"""Rows in one transaction: some ten milliseconds, so that nothing beside it waits long."""


@dataclass(frozen=True, slots=True)
class WrappedKeys:
    """A table with a data key in each row: its name, and which columns tell the row and hold the key."""

    table: Table
    row: Column[Any]
    key: Column[Any]


@dataclass(frozen=True, slots=True)
class Rewrapped:
    """A portion: how many rows were looked at and changed, and which master key those need that do not open."""

    looked_at: int
    changed: int
    left: Counter[str]


class Records(Protocol):
    """The half of :class:`infra.sql.Database` that is needed here."""

    async def read(self, work: Callable[[Connection], T]) -> T: ...
    async def write(self, work: Callable[[Connection], T]) -> T: ...


async def rewrap(database: Records, keys: KeyRing, where: WrappedKeys) -> AsyncIterator[Rewrapped]:
    """Wrap every key of the table anew, one portion after the other; stopped half-way, it may be begun again.

    A key that was destroyed or changed meanwhile is left as it is.
    """
    query = (
        select(where.row.label("row"), where.key.label("key"))
        .where(where.row > bindparam("after"), where.key.is_not(None))
        .order_by(where.row)
        .limit(PORTION)
    )
    after = ""
    while rows := await database.read(partial(_ask, query=query, after=after)):
        after = rows[-1].row
        left: Counter[str] = Counter()
        changed = []
        for row in rows:
            if keys.master_named(row.key) == keys.masters[0]:
                continue
            try:
                changed.append({"was": row.key, "this": row.row, "becomes": keys.rewrap(row.key)})
            except SealError:
                left[keys.master_named(row.key) or "unknown"] += 1
        if changed:
            await database.write(partial(_put, where=where, changed=changed))
        yield Rewrapped(len(rows), len(changed), left)


def _ask(connection: Connection, query: Any, after: str) -> list[Any]:
    return list(connection.execute(query, {"after": after}))


def _put(connection: Connection, where: WrappedKeys, changed: list[dict[str, Any]]) -> None:
    same = (where.row == bindparam("this"), where.key == bindparam("was"))
    connection.execute(update(where.table).where(*same).values({where.key: bindparam("becomes")}), changed)
