"""Redis: version, memory policy, persistence, clock."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import AuthenticationError, NoPermissionError, RedisError

from callrouter.doctor.clocks import compare, now
from callrouter.doctor.model import Finding, failed, ok, warning
from callrouter.settings import Settings

OLDEST = 7
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
        client = Redis.from_url(settings.redis_url.get_secret_value(), socket_timeout=5, socket_connect_timeout=5)
    except ValueError:
        return [failed("redis", "REDIS_URL is no address of Redis", "redis://user:password@host:port")]
    async with client:
        return await _look(client)


async def _look(client: Redis) -> list[Finding]:
    before = now()
    try:
        info = await client.info()
        seconds, micros = await client.time()
    except (AuthenticationError, NoPermissionError) as error:
        return [
            failed("redis", f"does not let us in ({type(error).__name__})", "check the user and password in REDIS_URL")
        ]
    except (RedisError, OSError) as error:
        do = "see that it runs and lets this machine in (redis-cli ping), and check REDIS_URL"
        return [failed("redis", f"does not answer ({type(error).__name__})", do)]
    at = datetime.fromtimestamp(int(seconds) + int(micros) / 1e6, UTC)
    return [
        _version(str(info["redis_version"])), *_role(info), _policy(info), *_memory(info), _persistence(info),
        compare("redis", at, before, now()),
    ]  # fmt: skip


def _version(version: str) -> Finding:
    if int(version.partition(".")[0]) < OLDEST:
        return failed("redis", f"is version {version}", f"move to Redis {OLDEST} or later")
    return ok("redis", f"version {version} answers")


def _role(info: dict[str, Any]) -> list[Finding]:
    if info.get("role") == "master":
        return []
    return [failed("redis", "is a replica, which takes no calls", "point REDIS_URL at the master, or at Sentinel")]


def _policy(info: dict[str, Any]) -> Finding:
    policy = info.get("maxmemory_policy")
    if policy == "noeviction":
        return ok("redis", "forgets no call when memory is short (noeviction)")
    do = "set `maxmemory-policy noeviction` in redis.conf"
    return failed("redis", f"may forget calls when memory is short (maxmemory-policy {policy})", do)


def _memory(info: dict[str, Any]) -> list[Finding]:
    most, used = int(info.get("maxmemory", 0)), int(info["used_memory"])
    if most == 0 or used < FULL * most:
        return []
    return [warning("redis", f"{used / most:.0%} of its memory is used", "raise maxmemory, or see what fills it")]


def _persistence(info: dict[str, Any]) -> Finding:
    if not info.get("aof_enabled"):
        do = "set `appendonly yes` and `appendfsync everysec`; a restart then loses a second at most"
        return warning("redis", "keeps no append-only file: a restart forgets calls and unwritten records", do)
    if info.get("aof_last_write_status") != "ok":
        return failed("redis", "cannot write its append-only file", "see whether its disk is full")
    return ok("redis", "keeps an append-only file")
