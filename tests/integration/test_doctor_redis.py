"""``callrouter doctor`` and real Redis servers: alone, behind Sentinel, on a Cluster, and each wrongly set up."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from callrouter.doctor.live import check_background, check_redis
from callrouter.doctor.model import Finding, examine
from callrouter.parts import PART
from callrouter.settings import Settings
from infra.redis import RedisAddress, RedisLink
from infra.redis_lease import RedisLeases
from tests.missing import or_skip
from tests.redis_server import RedisNodes, RedisServer, RedisWithSentinel
from tests.running import free_port


async def findings(folder: Path, url: str | None, **differently: Any) -> list[Finding]:
    return await examine(Settings(data_dir=folder, redis_url=url, **differently), [("redis", check_redis)])


def bad(found: list[Finding]) -> list[str]:
    assert all(each.do for each in found if each.level != "ok")
    return [each.text for each in found if each.level != "ok"]


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def started(stack: ExitStack, make: Any, *arguments: str, **differently: str) -> Any:
    stack.enter_context(or_skip())
    return stack.enter_context(make(*arguments, **differently))


@pytest.mark.parametrize("make", [RedisServer, RedisWithSentinel, RedisNodes])
async def test_a_sound_redis_is_all_right(stack: ExitStack, tmp_path: Path, make: Any) -> None:
    found = await findings(tmp_path, started(stack, make).url)
    assert bad(found) == []
    assert any("noeviction" in each.text for each in found)
    assert any(each.text.startswith("version ") for each in found)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--maxmemory-policy", "allkeys-lru"), "may forget calls when memory is short (maxmemory-policy allkeys-lru)"),
        (("--appendonly", "no"), "keeps no append-only file: a restart forgets calls and unwritten records"),
        (("--maxmemory", "1100000"), "of its memory is used"),
        (("--replicaof", "127.0.0.1", "1"), "is a replica, which takes no calls"),
    ],
)
async def test_a_redis_that_is_set_up_wrongly_is_found(
    stack: ExitStack, tmp_path: Path, arguments: tuple[str, ...], said: str
) -> None:
    told = bad(await findings(tmp_path, started(stack, RedisServer, *arguments).url))
    assert any(said in each for each in told), told


async def test_sentinel_without_a_replica_is_found(stack: ExitStack, tmp_path: Path) -> None:
    house = started(stack, RedisWithSentinel)
    house.replica.client.replicaof("NO", "ONE")
    house.master.client.client_kill_filter(_type="replica")
    assert "has no replica that Sentinel could put in its place" in bad(await findings(tmp_path, house.url))


async def test_a_redis_that_is_not_there_or_shuts_us_out_is_told_without_its_password(
    stack: ExitStack, tmp_path: Path
) -> None:
    guarded = started(stack, RedisServer, password="open-sesame")
    urls = [f"redis://:hush@127.0.0.1:{free_port()}", guarded.url.replace("open-sesame", "hush"), "mysql://hush@x"]
    for url in urls:
        found = await findings(tmp_path, url)
        assert [each.level for each in found] == ["failed"]
        assert "hush" not in str(found)


async def test_production_without_redis_is_warned(tmp_path: Path) -> None:
    assert await findings(tmp_path, None) == []
    (finding,) = await findings(tmp_path, None, environment="production")
    assert (finding.level, finding.text) == ("warning", "live calls are kept in this process only")


async def test_processes_that_only_take_calls_want_a_background_process(stack: ExitStack, tmp_path: Path) -> None:
    url = started(stack, RedisServer).url

    async def background(parts: str) -> list[Finding]:
        return await examine(
            Settings(data_dir=tmp_path, redis_url=url, parts=parts), [("background", check_background)]
        )

    assert bad(await background("calls")) == ["none works: the processes that take calls do its work"]
    assert await background("all") == []
    link = RedisLink(RedisAddress.parse(url))
    await RedisLeases(link).hold(PART, "a background process", 60)
    await link.close()
    (found,) = await background("calls")
    assert (found.level, found.text) == ("ok", "it works")
