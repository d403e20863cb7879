"""A look in a process of its own, so that no call waits for the arithmetic and no worker loads it.

The child gets the address of the database and the time on its standard input, and answers there with one line of JSON.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, func, select

from alerts.surges.errors import ScreeningFailed
from alerts.surges.model import ALL, Found, Screened, Series, start_of
from alerts.surges.tables import surge_counts
from infra.sql import Database, connect_database

LONGEST_S = 300.0
"""A look takes seconds, and learning some more; on a machine without time it is given up, and the next one tried."""

_KINDNESS = 10  # calls come first where cores are short

YOUNG = timedelta(days=10)
"""Before so much was counted no detector can say anything: no process is started for that."""

TOO_YOUNG = f"less than {YOUNG.days} days were counted"


class Looks:
    """Looks at the database at ``url`` (which is ``database``), each in a process of its own where one is worth it."""

    def __init__(self, database: Database, url: str) -> None:
        self._database = database
        self._url = url

    async def __call__(self, at: datetime) -> Screened:
        """As :func:`screen_apart`; also raises SQLAlchemyError."""
        first = select(func.min(surge_counts.c.quarter))
        since = await self._database.read(lambda connection: connection.execute(first).scalar())
        if since is not None and start_of(since) <= at - YOUNG:
            return await screen_apart(self._url, at)
        series = await self._database.read(_series)
        return Screened(at, series, 0, (), frozenset(), {TOO_YOUNG: series} if series else {})


def _series(connection: Connection) -> int:
    """How many signals were counted in how many areas."""
    at = surge_counts.c
    pairs = select(at.signal, at.area).where(at.signal != ALL).distinct().subquery()
    return int(connection.execute(select(func.count()).select_from(pairs)).scalar_one())


async def screen_apart(url: str, at: datetime, *, longest_s: float = LONGEST_S) -> Screened:
    """As :func:`alerts.surges.screening.screen` of the database at ``url``. Raises :class:`ScreeningFailed`.

    A call that is cancelled ends the child.
    """
    try:
        child = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "alerts.surges.process",
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
    except OSError as error:  # no memory, no processes
        raise ScreeningFailed(type(error).__name__) from error
    try:
        async with asyncio.timeout(longest_s):
            said, _ = await child.communicate(json.dumps({"url": url, "at": at.isoformat()}).encode())
    except TimeoutError as error:
        raise ScreeningFailed("timed_out") from error
    finally:
        if child.returncode is None:
            with suppress(ProcessLookupError):
                child.kill()
            await child.wait()
    if child.returncode:
        raise ScreeningFailed(said.decode(errors="replace").strip()[:80] or f"ended with {child.returncode}")
    return read_screened(json.loads(said))


def plain(screened: Screened) -> dict[str, Any]:
    """As JSON data; :func:`read_screened` is its inverse."""
    found = [{**asdict(each), "since": each.since.isoformat()} for each in screened.found]
    quiet = sorted([each.signal, each.area] for each in screened.quiet)
    return {
        "at": screened.at.isoformat(), "series": screened.series, "judged": screened.judged, "found": found,
        "quiet": quiet, "why_not": screened.why_not,
    }  # fmt: skip


def read_screened(data: Mapping[str, Any]) -> Screened:
    """What :func:`plain` made data of."""
    found = tuple(
        Found(**{**each, "series": Series(**each["series"]), "since": datetime.fromisoformat(each["since"])})
        for each in data["found"]
    )
    quiet = frozenset(Series(*each) for each in data["quiet"])
    at = datetime.fromisoformat(data["at"])
    return Screened(at, data["series"], data["judged"], found, quiet, dict(data["why_not"]))


async def _child(asked: Mapping[str, str]) -> Screened:
    from alerts.surges.screening import screen
    from infra.areas import london

    database = connect_database(asked["url"])
    try:
        return await screen(database, london(), datetime.fromisoformat(asked["at"]))
    finally:
        await database.close()


def _main() -> int:
    os.nice(_KINDNESS)
    asked = json.loads(sys.stdin.read())
    try:
        screened = asyncio.run(_child(asked))
    except Exception as error:  # noqa: BLE001 - whatever it is, the parent is told its kind, and no more
        sys.stdout.write(type(error).__name__)
        return 1
    sys.stdout.write(json.dumps(plain(screened)))
    return 0


if __name__ == "__main__":
    sys.exit(_main())
