"""Redis hangs, dies, fills up or fails over under calls at every stage: they go on, and no event is lost or doubled."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from redis_house import Caller, RedisHouse, redis_house

from tests.missing import or_skip
from tests.redis_server import RedisServer, RedisWithSentinel, until

pytestmark = pytest.mark.alone

PAUSE_MS = 10_000
"""For which Redis lets no commit happen: longer than any test needs to kill it."""

DEAD_AIR_S = 3.0
"""Longest that a caller may hear nothing. One answer may cost a few budgets (0.25 s) on a busy machine."""


@pytest.fixture
def server() -> Iterator[RedisServer]:
    with or_skip(), RedisServer() as made:
        yield made


async def settled(house: RedisHouse, what: str) -> None:
    """The store knows everything, and the journal has it, once and in order."""
    began = time.monotonic()
    await house.told()
    back_s = time.monotonic() - began
    events = await house.every_event_once_and_in_order()
    print(f"{what}: {len(house.callers)} calls, {events} events, each once; slowest answer {house.slowest_s:.2f} s, "
          f"store told after {back_s:.2f} s")  # fmt: skip
    assert house.slowest_s < DEAD_AIR_S


async def test_redis_hangs_calls_go_on_and_it_learns_of_them(server: RedisServer, tmp_path: Path) -> None:
    async with redis_house(server.url, tmp_path) as house:
        await house.at_every_stage()
        server.pause()
        await house.all_go_on(by=2)
        assert house.states.degraded
        await house.at_every_stage(each=1)
        await house.all_go_on()
        server.resume()
        await settled(house, "Redis hung")


async def test_redis_is_killed_and_comes_back_with_its_file(server: RedisServer, tmp_path: Path) -> None:
    async with redis_house(server.url, tmp_path) as house:
        await house.at_every_stage()
        server.kill()
        await house.all_go_on(by=2)
        assert house.states.degraded
        server.start()
        await house.all_go_on()
        await settled(house, "Redis was killed")


async def test_redis_comes_back_without_its_data(server: RedisServer, tmp_path: Path) -> None:
    async with redis_house(server.url, tmp_path) as house:
        await house.at_every_stage()
        await house.service.everything()  # what Redis alone knew is lost: events that no reader had yet
        server.client.flushall()
        await house.all_go_on()
        await settled(house, "Redis came back empty")


async def test_redis_is_out_of_memory(server: RedisServer, tmp_path: Path) -> None:
    async with redis_house(server.url, tmp_path) as house:
        await house.at_every_stage()
        server.client.config_set("maxmemory-policy", "noeviction")
        server.client.config_set("maxmemory", 1)
        await house.all_go_on(by=2)
        assert house.states.degraded
        await house.all_go_on()
        server.client.config_set("maxmemory", 0)
        await settled(house, "Redis was full")


async def test_commits_under_way_while_redis_dies_are_neither_lost_nor_doubled(
    server: RedisServer, tmp_path: Path
) -> None:
    async with redis_house(server.url, tmp_path) as house:
        for let_go in (False, True, False, True):
            await house.at_every_stage(each=2)
            server.client.client_pause(PAUSE_MS, all=False)
            going = asyncio.ensure_future(house.all_go_on())
            await asyncio.to_thread(until, lambda: server.client.info("clients")["blocked_clients"], "a commit")
            if let_go:  # it may have happened, and its answer be lost
                server.client.client_unpause()
            server.kill()
            server.start()
            await going
        await settled(house, "Redis died under commits")


@pytest.mark.slow
async def test_sentinel_fails_over_under_load(tmp_path: Path) -> None:
    with or_skip(), RedisWithSentinel() as servers:
        async with redis_house(servers.url, tmp_path) as house:
            await house.at_every_stage()
            servers.master.kill()
            loads = 0
            while not house.back.is_set() or loads < 5:  # calls come all the time until the replica is the master
                loads += 1
                await house.at_every_stage(each=1)
                await house.all_go_on()
                await asyncio.sleep(0.1)
            assert servers.replica.client.info("replication")["role"] == "master"
            await settled(house, "Sentinel failed over")


async def test_process_that_dies_while_redis_is_down_loses_no_event(server: RedisServer, tmp_path: Path) -> None:
    async with redis_house(server.url, tmp_path) as dead:
        await dead.at_every_stage()
        server.pause()
        await dead.all_go_on()
        assert dead.states.degraded
    server.resume()
    async with redis_house(server.url, tmp_path, like=dead) as heir:
        heir.callers = [Caller(heir.service, each.call_ref) for each in dead.callers]
        await settled(heir, "A process died while Redis hung")


async def test_nothing_personal_is_in_clear_in_redis_or_in_the_spool(server: RedisServer, tmp_path: Path) -> None:
    async with redis_house(server.url, tmp_path) as house:
        await house.at_every_stage()
        server.pause()
        await house.all_go_on()
        spooled = [path.read_bytes() for path in (tmp_path / "spool").iterdir()]
        server.resume()
        await settled(house, "Redis hung")
    kept = [path.read_bytes() for path in server.folder.rglob("*") if path.is_file()]
    assert any(b"leg_answered" in each for each in kept)
    assert sum(map(len, spooled)) > 1000
    assert not any(b"7700900123" in each for each in (*kept, *spooled))
