"""Redis: version, memory policy, persistence, clock; and whether a background process works."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from callrouter.doctor.clocks import compare, now
from callrouter.doctor.model import Finding, failed, ok, warning
from callrouter.parts import PART
from callrouter.settings import Settings
from infra.errors import StateUnavailable
from infra.redis import RedisAddress, RedisLink
from infra.redis_lease import RedisLeases

OLDEST = 7
ANSWER_S = 3.0
FULL = 0.8
"""Share of ``maxmemory``: above it a surge of calls may meet refused writes."""


async def check_redis(settings: Settings) -> Sequence[Finding]:
    """The store of live calls."""
    if settings.redis_url is None:
        if settings.is_production:
            do = "set CALLROUTER_REDIS_URL; without it the death of the process sends its callers to the fall-back"
            return [warning("redis", "live calls are kept in this process only", do)]
        return []
    try:
        address = RedisAddress.parse(settings.redis_url.get_secret_value())
    except ValueError:
        do = "redis://user:password@host:port, or with redis+sentinel:// or redis+cluster:// (docs/settings.md)"
        return [failed("redis", "REDIS_URL is no address of Redis", do)]
    if address.kind != "cluster":
        return await _server("redis", address)
    nodes = [replace(address, kind="alone", hosts=(each,)) for each in address.hosts]
    found = [await _server(f"redis {host}:{port}", node) for node in nodes for host, port in node.hosts]
    return [each for findings in found for each in findings]


async def check_background(settings: Settings) -> Sequence[Finding]:
    """Whether a background process works where some only take calls. A Redis that is silent has its own check."""
    if settings.redis_url is None or settings.parts != "calls":
        return []
    try:
        link = RedisLink(RedisAddress.parse(settings.redis_url.get_secret_value()), budget_s=ANSWER_S)
    except ValueError:
        return []
    try:
        lives = await RedisLeases(link).is_held(PART)
    except StateUnavailable:
        return []
    finally:
        await link.close()
    if lives:
        return [ok("background", "it works")]
    do = "start `callrouter serve` with CALLROUTER_PARTS=background; callers' events wait behind its work meanwhile"
    return [warning("background", "none works: the processes that take calls do its work", do)]


async def _server(about: str, address: RedisAddress) -> list[Finding]:
    link = RedisLink(address, budget_s=ANSWER_S)
    before = now()
    try:
        info = await link.do("INFO")
        seconds, micros = await link.do("TIME")
    except StateUnavailable as error:
        do = "see that it runs and lets this machine in (redis-cli ping), and check REDIS_URL with its password"
        return [failed(about, f"does not answer, or does not let us in ({error})", do)]
    finally:
        await link.close()
    at = datetime.fromtimestamp(int(seconds) + int(micros) / 1e6, UTC)
    return [
        _version(about, str(info["redis_version"])), *_role(about, info), *_replica(about, info, address),
        _policy(about, info), *_memory(about, info), _persistence(about, info), compare(about, at, before, now()),
    ]  # fmt: skip


def _version(about: str, version: str) -> Finding:
    if int(version.partition(".")[0]) < OLDEST:
        return failed(about, f"is version {version}", f"move to Redis {OLDEST} or later")
    return ok(about, f"version {version} answers")


def _role(about: str, info: dict[str, Any]) -> list[Finding]:
    if info.get("role") == "master" or info.get("cluster_enabled"):
        return []
    return [failed(about, "is a replica, which takes no calls", "point REDIS_URL at the master, or at Sentinel")]


def _replica(about: str, info: dict[str, Any], address: RedisAddress) -> list[Finding]:
    if address.kind != "sentinel" or int(info.get("connected_slaves", 0)):
        return []
    return [warning(about, "has no replica that Sentinel could put in its place", "start one with `replicaof`")]


def _policy(about: str, info: dict[str, Any]) -> Finding:
    policy = info.get("maxmemory_policy")
    if policy == "noeviction":
        return ok(about, "forgets no call when memory is short (noeviction)")
    do = "set `maxmemory-policy noeviction` in redis.conf"
    return failed(about, f"may forget calls when memory is short (maxmemory-policy {policy})", do)


def _memory(about: str, info: dict[str, Any]) -> list[Finding]:
    most, used = int(info.get("maxmemory", 0)), int(info["used_memory"])
    if most == 0 or used < FULL * most:
        return []
    return [warning(about, f"{used / most:.0%} of its memory is used", "raise maxmemory, or see what fills it")]


def _persistence(about: str, info: dict[str, Any]) -> Finding:
    if not info.get("aof_enabled"):
        do = "set `appendonly yes` and `appendfsync everysec`; a restart then loses a second at most"
        return warning(about, "keeps no append-only file: a restart forgets calls and unwritten records", do)
    if info.get("aof_last_write_status") != "ok":
        return failed(about, "cannot write its append-only file", "see whether its disk is full")
    return ok(about, "keeps an append-only file")
