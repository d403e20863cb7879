"""What the journal says afterwards: every call's events from 1 on without a gap, and one end for each call."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import timedelta

import asyncpg

WITHIN_S = 30.0


@dataclass(frozen=True)
class Journalled:
    """Counts over all calls. ``gaps``: calls whose events are not 1, 2, … n; ``ends``: calls by number of ends.
    ``begun_again``: calls that go on with an earlier one under a later name, since its state could not be read."""

    calls: int
    events: int
    gaps: int
    ends: dict[int, int]
    taken_over: int
    begun_again: int

    @property
    def whole(self) -> bool:
        """Nothing lost, nothing doubled, everybody's end there."""
        return not self.gaps and self.ends == {1: self.calls}


async def journalled(database: str, calls: int) -> Journalled:
    """The journal once so many calls are whole there, or as it stands after half a minute."""
    connection = await asyncpg.connect(database.replace("+asyncpg", ""))
    try:
        async with asyncio.timeout(WITHIN_S):
            while not _complete(await _read(connection), calls):  # noqa: ASYNC110 - it is read, it does not call
                await asyncio.sleep(0.2)
    except TimeoutError:
        pass
    finally:
        found = await _read(connection)
        await connection.close()
    return found


async def span(database: str) -> timedelta:
    """From the earliest event to the latest, by the clocks of those who wrote them."""
    connection = await asyncpg.connect(database.replace("+asyncpg", ""))
    try:
        found: timedelta = await connection.fetchval("SELECT max(at) - min(at) FROM journal")
        return found
    finally:
        await connection.close()


def _complete(found: Journalled, calls: int) -> bool:
    return found.whole and found.calls >= calls


async def _read(connection: asyncpg.Connection) -> Journalled:
    rows = await connection.fetch(
        "SELECT call_ref, count(*) AS n, max(seq) AS last, count(*) FILTER (WHERE kind = 'ended') AS ends,"
        " count(*) FILTER (WHERE kind = 'taken_over') AS taken,"
        " bool_or(kind = 'offered' AND call_ref LIKE (facts->>'resumes') || 'e%') AS again"
        " FROM journal GROUP BY call_ref"
    )
    ends: dict[int, int] = {}
    for row in rows:
        ends[row["ends"]] = ends.get(row["ends"], 0) + 1
    return Journalled(
        calls=len(rows),
        events=sum(row["n"] for row in rows),
        gaps=sum(row["n"] != row["last"] for row in rows),
        ends=ends,
        taken_over=sum(row["taken"] for row in rows),
        begun_again=sum(bool(row["again"]) for row in rows),
    )
