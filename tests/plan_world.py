"""Sources of plans for the tests: rows to change one field of, a source that gives what it is told, counted cuts."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from sqlalchemy import Connection, Select, event

from careplans.rows import Row
from careplans.sources.model import Batch
from infra.sql import Database

T = TypeVar("T")

SYSTEM = "Demo Trust"


class HandClock:
    """Stands at a summer noon until somebody moves it."""

    def __init__(self) -> None:
        self.at = datetime(2026, 6, 15, 12, tzinfo=UTC)

    def now(self) -> datetime:
        return self.at

    def monotonic(self) -> float:
        return self.at.timestamp()

    def move(self, **by: float) -> None:
        self.at += timedelta(**by)


def plan(line: int, plan_id: str | None = None, **changes: object) -> Row:
    """A good row of :data:`SYSTEM` with some fields changed; the person is another for each line."""
    values: dict[str, object] = {
        "plan_id": plan_id or f"P{line}",
        "source": SYSTEM,
        "author_org": "Demo Hospice",
        "kind": "crisis plan",
        "given_name": "Zzgiven",
        "family_name": f"Zzfamily {line}",
        "date_of_birth": "1938-04-12",
        "phones": f"07700 900{line:03}",
        "handler_line": "Zzhandler",
        "valid_from": "2026-05-04",
        "version": "3",
    }
    return Row(line, {name: value for name, value in (values | changes).items() if value is not ...})


def gone(line: int, plan_id: str, version: int = 3) -> Row:
    """A row that takes a plan back."""
    return Row(line, {"plan_id": plan_id, "version": version, "withdrawn": "yes"})


@dataclass
class Script:
    """A source that gives these deliveries, each a list of batches of rows, and fails where it is told."""

    deliveries: Sequence[Sequence[Sequence[Row]]]
    whole: bool = False

    async def read(self, cursor: str) -> AsyncIterator[Batch]:
        place = tuple(json.loads(cursor)) if cursor else (0, 0)
        for number, delivery in enumerate(self.deliveries):
            for at, rows in enumerate(delivery):
                if (number, at) >= place:
                    last = at == len(delivery) - 1
                    after = (number + 1, 0) if last else (number, at + 1)
                    yield Batch(tuple(rows), json.dumps(after), at == 0, last, self.whole)


class Cut(BaseException):
    """The process is killed here."""


@dataclass
class Cutting:
    """A database of a process that is killed at a counted moment: before a statement, before or after a commit."""

    database: Database
    at: int

    @property
    def dialect(self) -> str:
        return self.database.dialect

    async def read(self, work: Callable[[Connection], T]) -> T:
        return await self.database.read(work)

    async def look_up(
        self, query: Select[Any], values: Mapping[str, object], *, lane: str = ""
    ) -> Sequence[Sequence[Any]]:
        return await self.database.look_up(query, values, lane=lane)

    async def write(self, work: Callable[[Connection], T]) -> T:
        def counted(connection: Connection) -> T:
            def before(*_: Any) -> None:
                self._moment()

            event.listen(connection, "before_cursor_execute", before)
            try:
                result = work(connection)
            finally:
                event.remove(connection, "before_cursor_execute", before)
            self._moment()
            return result

        result = await self.database.write(counted)
        self._moment()
        return result

    async def maintain(self, work: Callable[[Connection], T]) -> T:
        return await self.database.maintain(work)

    async def scrub(self, tables: Collection[str]) -> None:
        await self.database.scrub(tables)

    async def close(self) -> None:
        await self.database.close()

    def _moment(self) -> None:
        self.at -= 1
        if self.at < 0:
            raise Cut


def of(system: str, rows: Sequence[Row]) -> list[Row]:
    """The same rows from another system."""
    return [replace(row, values={**row.values, "source": system}) for row in rows]
