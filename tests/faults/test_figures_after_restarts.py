"""Redis and the database go away and come back in the middle of a stream of calls: the figures equal the recount."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from datetime import timedelta
from functools import partial

import pytest
from sqlalchemy import func, select
from sqlalchemy.exc import SQLAlchemyError

from alerts.figures.check import differences
from alerts.figures.history import KpiHistory
from alerts.figures.history_rows import DAY, midnight
from alerts.figures.kpi import LiveFigures
from alerts.figures.recount import recount
from alerts.model import LONDON
from callrouter.figures.board import Board
from callrouter.figures.folding import KpiFolder
from callrouter.journal import Journal, JournalWriter
from callrouter.journal import journal as journal_table
from infra.bus import Entry
from infra.clock import SystemClock
from infra.crypto import KeyRing
from infra.errors import StateUnavailable
from infra.loops import repeat
from infra.migrate import upgrade_database
from infra.redis import RedisAddress, RedisLink
from infra.redis_stream import RedisStream
from infra.sql import Database, connect_database
from tests.made_up_calls import made_up_day
from tests.missing import or_skip
from tests.postgres import Postgres
from tests.redis_server import RedisServer

WITHIN_S = 120.0
"""Pauses of ours are 5 s at most; the rest is for a busy machine."""


@pytest.fixture
def servers() -> Iterator[tuple[Postgres, RedisServer]]:
    """Two servers of this test's own: they come to harm."""
    with or_skip(), Postgres() as postgres, RedisServer() as redis:
        yield postgres, redis


@asynccontextmanager
async def reading(database: Database, redis: RedisServer) -> AsyncIterator[tuple[RedisStream, Board, KpiHistory]]:
    """The readers that count, going on whatever happens."""
    link = RedisLink(RedisAddress.parse(redis.url))
    stream = RedisStream(link, idle_s=0.5)
    journal, history = Journal(database, KeyRing(b"m" * 32, b"i" * 32)), KpiHistory(database, {})
    writer, folder = JournalWriter(stream, journal), KpiFolder(stream, journal, history)
    board = Board(LiveFigures({}), stream, journal, SystemClock())
    await writer.join()
    await folder.join()
    loops = [
        asyncio.create_task(repeat("journal", writer.step, full=writer.BATCH)),
        asyncio.create_task(repeat("kpis", folder.step, full=folder.BATCH)),
        asyncio.create_task(repeat("figures", board.step, full=board.BATCH)),
    ]
    try:
        yield stream, board, history
    finally:
        for loop in loops:
            loop.cancel()
        await asyncio.gather(*loops, return_exceptions=True)
        await link.close()


async def tell(stream: RedisStream, entries: list[Entry]) -> None:
    """Append each, again until it is taken: an answer that was lost makes it two."""
    for first in range(0, len(entries), 5):
        while True:
            try:
                await stream.append(entries[first : first + 5])
                break
            except StateUnavailable:
                await asyncio.sleep(0.05)


async def in_journal(database: Database) -> int:
    try:
        query = select(func.count()).select_from(journal_table)
        return int(await database.read(lambda connection: connection.execute(query).scalar_one()))
    except SQLAlchemyError:
        return -1


async def until(true: Callable[[], Awaitable[bool]]) -> None:
    """Wait for what a server has no event for."""
    async with asyncio.timeout(WITHIN_S):
        while not await true():  # noqa: ASYNC110 - it is read, it does not call
            await asyncio.sleep(0.1)


@pytest.mark.slow
async def test_figures_equal_the_recount_after_redis_and_the_database_were_away(
    servers: tuple[Postgres, RedisServer],
) -> None:
    postgres, redis = servers
    database = connect_database(postgres.new_database())
    await upgrade_database(database)
    now = SystemClock().now()
    day = now.astimezone(LONDON).date()
    entries = sorted(made_up_day(31, 150, now - timedelta(minutes=40), 0.6), key=lambda entry: entry.at)
    third = len(entries) // 3
    async with reading(database, redis) as (stream, board, history):
        await tell(stream, entries[:third])
        telling = asyncio.create_task(tell(stream, entries[third - 20 : 2 * third]))
        redis.kill()
        await asyncio.sleep(0.3)
        redis.start()
        await telling
        telling = asyncio.create_task(tell(stream, entries[2 * third - 20 :]))
        postgres.stop()
        await telling
        await asyncio.sleep(0.3)
        postgres.start()

        count = partial(recount, start=midnight(day), end=midnight(day + DAY))
        far = now + DAY  # every call that is over

        async def written() -> bool:
            return await in_journal(database) == len(entries)

        async def history_agrees() -> bool:
            return differences(await history.tallies(day), again) == {}

        async def live_agrees() -> bool:
            return differences(board.tallies(day, far) or {}, over) == {}

        await until(written)
        again = await database.study(count)
        over = await database.read(partial(count, over_by=far))
        await until(history_agrees)
        await until(live_agrees)
        assert sum(calls for (what, _, _), (calls, _) in again["total"].items() if what == "end") > 100
    await database.close()
