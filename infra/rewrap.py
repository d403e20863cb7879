"""Data keys wrapped anew under the newest master key, in portions, while the service goes on."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol, TypeVar

from sqlalchemy import Column, Connection, MetaData, Table, bindparam, select, update

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
    first = select(where.row.label("row"), where.key.label("key")).where(where.key.is_not(None))
    query = first.order_by(where.row).limit(PORTION)
    while rows := await database.read(partial(_ask, query=query)):
        query = first.where(where.row > rows[-1].row).order_by(where.row).limit(PORTION)
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


def _ask(connection: Connection, query: Any) -> list[Any]:
    return list(connection.execute(query))


def wrapped_keys_of(*metadata: MetaData) -> list[WrappedKeys]:
    """Every table that has a column ``wrapped_key``: each of them, so that none is forgotten when keys change."""
    tables = [table for each in metadata for table in each.sorted_tables if "wrapped_key" in table.c]
    return [WrappedKeys(table, next(iter(table.primary_key.columns)), table.c.wrapped_key) for table in tables]


def _put(connection: Connection, where: WrappedKeys, changed: list[dict[str, Any]]) -> None:
    same = (where.row == bindparam("this"), where.key == bindparam("was"))
    connection.execute(update(where.table).where(*same).values({where.key: bindparam("becomes")}), changed)
