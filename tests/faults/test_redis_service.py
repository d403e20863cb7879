"""The whole service on a Redis that hangs, dies and comes back under callers: nobody is lost, operators are told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from sqlalchemy import text

from adapters.phone.line import Line
from adapters.phone.simulate import simulate
from adapters.twilio.fallback import fallback_document
from adapters.twilio.settings import DEMO_FALLBACK
from infra.sql import connect_database
from tests.missing import or_skip
from tests.redis_server import RedisServer
from tests.running import RunningService

pytestmark = [pytest.mark.alone, pytest.mark.slow]

TOKEN = "a-token-of-the-tests"
SOON_S = 60.0


@dataclass
class Town:
    """One worker on a real Redis, and its callers' line."""

    redis: RedisServer
    worker: RunningService
    client: httpx.AsyncClient
    line: Line

    async def redis_is(self, state: str) -> None:
        """Wait until operators are told so."""
        async with asyncio.timeout(SOON_S):
            while await self._redis_state() != state:  # noqa: ASYNC110 - asked as operators do
                await asyncio.sleep(0.1)

    async def _redis_state(self) -> str:
        told = (await self.client.get("/ready")).json()["dependencies"]
        return next((str(each["state"]) for each in told if each["name"] == "redis"), "")

    async def broken_journals(self) -> list[str]:
        """Calls whose events have a gap, or that have not ended once."""
        query = text(
            "SELECT call_ref FROM journal GROUP BY call_ref"
            " HAVING count(*) <> max(seq) OR sum(CASE WHEN kind = 'ended' THEN 1 ELSE 0 END) <> 1"
        )
        database = connect_database(f"sqlite:///{self.worker.folder / 'data/callrouter.db'}")
        try:
            return list(await database.read(lambda connection: list(connection.execute(query).scalars())))
        finally:
            await database.close()


@asynccontextmanager
async def town(folder: Path) -> AsyncIterator[Town]:
    """Skips, saying so, where Redis is not installed."""
    with ExitStack() as stack:
        stack.enter_context(or_skip())
        redis = stack.enter_context(RedisServer())
        worker = RunningService(folder, {"REDIS_URL": redis.url, "TWILIO_AUTH_TOKENS": TOKEN})
        await asyncio.to_thread(stack.enter_context, worker)
        async with httpx.AsyncClient(base_url=worker.url, timeout=20) as client:
            yield Town(redis, worker, client, Line(client, worker.url, TOKEN, fallback_document(DEMO_FALLBACK)))


async def test_callers_go_on_while_redis_hangs_dies_and_comes_back(tmp_path: Path) -> None:
    async with town(tmp_path) as it:
        calls = 60
        calling = asyncio.create_task(simulate(it.line, calls=calls, rate=4.0, seed=3, speed=20.0, talk_s=60))
        await it.redis_is("ok")
        it.redis.pause()
        await it.redis_is("failed")
        it.redis.resume()
        await it.redis_is("ok")
        it.redis.kill()
        await it.redis_is("failed")
        await asyncio.to_thread(it.redis.start)
        summary = await calling
        await it.redis_is("ok")
        print(summary)
        assert (summary.offered, summary.lost, summary.in_error, summary.fell_back) == (calls, 0, 0, 0)
        async with asyncio.timeout(SOON_S):
            while await it.broken_journals():  # noqa: ASYNC110 - written behind the calls, by a process that tells nobody
                await asyncio.sleep(0.2)
