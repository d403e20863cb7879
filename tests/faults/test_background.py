"""A background process beside a worker: the worker does its work while it does not, and operators are told."""

from __future__ import annotations

import asyncio
import signal
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
CALLS = 6


@dataclass
class Town:
    """A worker and a background process on one Redis and one database; callers' webhooks come to the worker."""

    redis: RedisServer
    worker: RunningService
    background: RunningService
    line: Line
    database: str

    async def calls(self, seed: int) -> None:
        """Whole calls, one after another."""
        summary = await simulate(self.line, calls=CALLS, rate=4.0, seed=seed, speed=20.0, talk_s=60)
        assert (summary.offered, summary.lost, summary.fell_back) == (CALLS, 0, 0)

    async def ended(self, calls: int) -> None:
        """So many calls stand in the journal whole, and are counted for their day."""
        async with asyncio.timeout(SOON_S):
            while await self._counted() != (calls, calls):  # noqa: ASYNC110 - written by processes that tell nobody
                await asyncio.sleep(0.1)

    async def _counted(self) -> tuple[int, int]:
        ended = text("SELECT count(*) FROM journal WHERE kind = 'ended'")
        folded = text("SELECT count(*) FROM kpi_calls")
        database = connect_database(self.database)
        try:
            return await database.read(
                lambda connection: (connection.execute(ended).scalar_one(), connection.execute(folded).scalar_one())
            )
        finally:
            await database.close()

    async def told(self, of: RunningService, part: str) -> str:
        """What ``/ready`` says of a part."""
        async with httpx.AsyncClient(timeout=20) as client:
            answer = await client.get(f"{of.url}/ready")
        assert answer.status_code == 200, "new calls are taken all the same"
        return next((str(each["state"]) for each in answer.json()["dependencies"] if each["name"] == part), "")

    async def until_told(self, part: str, state: str) -> None:
        """The worker says so."""
        async with asyncio.timeout(SOON_S):
            while await self.told(self.worker, part) != state:  # noqa: ASYNC110 - asked as operators do
                await asyncio.sleep(0.1)


@asynccontextmanager
async def town(folder: Path) -> AsyncIterator[Town]:
    """Skips, saying so, where Redis is not installed."""
    with ExitStack() as stack:
        stack.enter_context(or_skip())
        redis = stack.enter_context(RedisServer())
        database = f"sqlite:///{folder / 'shared.db'}"
        both = {"REDIS_URL": redis.url, "TWILIO_AUTH_TOKENS": TOKEN, "DATABASE_URL": database}
        background = RunningService(folder / "background", {**both, "PARTS": "background"})
        keys = {"KEYS_FILE": str(folder / "background/data/keys")}
        await asyncio.to_thread(stack.enter_context, background)
        worker = RunningService(folder / "worker", {**both, **keys, "PARTS": "calls"})
        await asyncio.to_thread(stack.enter_context, worker)
        async with httpx.AsyncClient(base_url=worker.url, timeout=20) as client:
            line = Line(client, worker.url, TOKEN, fallback_document(DEMO_FALLBACK))
            yield Town(redis, worker, background, line, database)


@asynccontextmanager
async def town_at_work(folder: Path) -> AsyncIterator[Town]:
    """A town whose background process has had the first calls."""
    async with town(folder) as it:
        await it.until_told("background", "ok")
        await it.calls(seed=1)
        await it.ended(CALLS)
        yield it


@pytest.mark.timeout(600)
async def test_it_is_killed_and_its_work_goes_on_at_the_worker_until_it_is_back(tmp_path: Path) -> None:
    async with town_at_work(tmp_path) as it:
        it.background.kill()
        await it.calls(seed=2)
        await it.until_told("background", "failed")
        await it.ended(2 * CALLS)

        await asyncio.to_thread(it.background.__enter__)
        await it.until_told("background", "ok")
        await it.calls(seed=3)
        await it.ended(3 * CALLS)
        assert "background_is_back" in it.worker.log.read_text()


@pytest.mark.timeout(600)
async def test_it_is_stopped_where_it_stands_and_the_worker_goes_on_until_it_wakes(tmp_path: Path) -> None:
    async with town_at_work(tmp_path) as it:
        it.background.signal(signal.SIGSTOP)
        try:
            await it.calls(seed=2)
            await it.until_told("background", "failed")
            await it.ended(2 * CALLS)
        finally:
            it.background.signal(signal.SIGCONT)
        await it.until_told("background", "ok")
        await it.calls(seed=3)
        await it.ended(3 * CALLS)
