"""Two workers behind one address, and Twilio's callers: a worker that is killed costs nobody their call.

The callers are simulated telephones that perform TwiML, sign, time out and try again as Twilio does. Lost is judged
from what they met, never from our journal.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import ExitStack, asynccontextmanager
from dataclasses import asdict, dataclass
from itertools import cycle
from pathlib import Path

import httpx
import pytest
from sqlalchemy import text

from adapters.phone.line import Line
from adapters.phone.model import Far, FarEnd, SteadyFar
from adapters.phone.simulate import Summary, simulate
from adapters.twilio.fallback import fallback_document
from adapters.twilio.settings import DEMO_FALLBACK
from infra.sql import connect_database
from tests.missing import or_skip
from tests.postgres import Postgres
from tests.redis_server import RedisServer
from tests.running import ROOT, RunningService, run_command

pytestmark = [pytest.mark.alone, pytest.mark.slow]

PUBLIC_URL, TOKEN = "https://calls.example", "a-token-of-the-tests"
SPEED = 20.0
PROVIDERS = ROOT / "callrouter/providers.yaml"


class Spread(httpx.AsyncBaseTransport):
    """A load balancer of the simplest kind: each request to the next worker, save one that has just refused.

    It tries nothing again: that is Twilio's part, and the telephone's here.
    """

    REST_S = 1.0  # for a worker that refused

    def __init__(self, workers: Sequence[RunningService]) -> None:
        self._workers = list(workers)
        self._refused: dict[int, float] = {}
        self._inner = httpx.AsyncHTTPTransport(limits=httpx.Limits(max_connections=500))

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self._workers.append(self._workers.pop(0))
        resting = time.monotonic() - self.REST_S
        worker = next((each for each in self._workers if self._refused.get(each.port, 0.0) < resting), self._workers[0])
        request.url = request.url.copy_with(scheme="http", host="127.0.0.1", port=worker.port)
        try:
            return await self._inner.handle_async_request(request)
        except httpx.ConnectError:
            self._refused[worker.port] = time.monotonic()
            raise

    async def aclose(self) -> None:
        await self._inner.aclose()


@dataclass
class City:
    """Two workers, their callers' line to them, and their journal."""

    workers: list[RunningService]
    line: Line
    database: str

    async def kill_one_after_another(self, done: asyncio.Event, every_s: float) -> int:
        """Kill a worker, start it again, then the other, until ``done``; returns how often."""
        kills = 0
        for worker in cycle(self.workers):
            try:
                async with asyncio.timeout(every_s):
                    await done.wait()
                return kills
            except TimeoutError:
                pass
            await asyncio.to_thread(worker.kill)
            kills += 1
            await asyncio.to_thread(worker.__enter__)
        return kills

    async def broken_journals(self) -> list[str]:
        """Calls whose events do not count from 1 without a gap, or that have more than one end.

        One may have none yet: Twilio's last callback met a killed worker three times, and the sweep has not come.
        """
        query = text(
            "SELECT call_ref FROM journal GROUP BY call_ref"
            " HAVING count(*) <> max(seq) OR sum(CASE WHEN kind = 'ended' THEN 1 ELSE 0 END) > 1"
        )
        database = connect_database(self.database)
        try:
            return list(await database.read(lambda connection: list(connection.execute(query).scalars())))
        finally:
            await database.close()

    async def settled(self, calls: int) -> None:
        """Every call that began is in the journal, whole."""
        async with asyncio.timeout(60):
            # the journal is written behind the calls, by processes that tell nobody
            while await self.broken_journals() or await self._offered() < calls:  # noqa: ASYNC110
                await asyncio.sleep(0.2)

    async def _offered(self) -> int:
        database = connect_database(self.database)
        query = text("SELECT count(*) FROM calls")
        try:
            return int(await database.read(lambda connection: connection.execute(query).scalar_one()))
        finally:
            await database.close()


def everybody_answers(seed: str) -> Far:
    """Providers who are all there, the default service too: the fault is ours alone."""
    return SteadyFar(FarEnd("answered", ring_s=3.0, talk_s=60.0))


@asynccontextmanager
async def city(folder: Path) -> AsyncIterator[City]:
    """Real Redis, PostgreSQL and two worker processes; skips, saying so, where a server is not installed."""
    with ExitStack() as stack:
        stack.enter_context(or_skip())
        redis = stack.enter_context(RedisServer())
        postgres = stack.enter_context(Postgres())
        settings = {
            "REDIS_URL": redis.url,
            "DATABASE_URL": postgres.url,
            "KEYS": base64.b64encode(os.urandom(64)).decode(),
            "TWILIO_AUTH_TOKENS": TOKEN,
            "PUBLIC_URL": PUBLIC_URL,
        }
        workers = [RunningService(folder / f"worker-{n}", settings) for n in range(2)]
        done = await asyncio.to_thread(run_command, workers[0].environment, "db", "upgrade")
        assert done.returncode == 0, done.stderr
        for worker in workers:
            await asyncio.to_thread(stack.enter_context, worker)
        async with httpx.AsyncClient(base_url=PUBLIC_URL, transport=Spread(workers)) as client:
            yield City(workers, Line(client, PUBLIC_URL, TOKEN, fallback_document(DEMO_FALLBACK)), postgres.url)


async def callers_while_workers_die(folder: Path, *, calls: int, rate: float, every_s: float) -> tuple[Summary, int]:
    """The callers' own summary, and how many kills they met; asserts that nobody was lost and nothing doubled."""
    async with city(folder) as it:
        done = asyncio.Event()
        killing = asyncio.create_task(it.kill_one_after_another(done, every_s))
        summary = await simulate(it.line, calls=calls, rate=rate, seed=7, speed=SPEED, far=everybody_answers)
        done.set()
        kills = await killing
        await it.settled(calls - summary.fell_back)
        return summary, kills


def assert_nobody_lost(summary: Summary, calls: int) -> None:
    assert summary.offered == calls
    assert (summary.lost, summary.in_error) == (0, 0), summary
    assert summary.answered + summary.abandoned + summary.deflected == calls, summary


async def test_a_worker_killed_again_and_again_loses_no_caller_of_twilio(tmp_path: Path) -> None:
    calls = 60
    summary, kills = await callers_while_workers_die(tmp_path, calls=calls, rate=8.0, every_s=1.5)
    print(f"{kills} kills: {summary}")
    assert kills >= 1
    assert_nobody_lost(summary, calls)


@pytest.mark.faults
async def test_a_thousand_callers_of_twilio_while_workers_are_killed(tmp_path: Path) -> None:
    calls = 1000
    summary, kills = await callers_while_workers_die(tmp_path, calls=calls, rate=8.0, every_s=1.5)
    figures = {"kills": kills, **asdict(summary)}
    print(json.dumps(figures))
    assert kills >= 10
    assert_nobody_lost(summary, calls)
