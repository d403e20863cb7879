"""Leases on Redis: a key that its holder renews, and that lapses by itself."""

from __future__ import annotations

from infra.redis import RedisLink, Script
from infra.redis_keys import lease_key

_HOLD = Script("""
local owner = redis.call('GET', KEYS[1])
if owner and owner ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
""")

_RELEASE = Script("""
if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end
""")


class RedisLeases:
    """:class:`infra.lease.Leases` on Redis, timed by its clock alone."""

    def __init__(self, link: RedisLink) -> None:
        self._link = link

    async def hold(self, name: str, holder: str, seconds: float) -> bool:
        return bool(await self._link.run(_HOLD, [lease_key(name)], [holder, int(seconds * 1000)]))

    async def is_held(self, name: str) -> bool:
        return bool(await self._link.do("EXISTS", lease_key(name)))

    async def release(self, name: str, holder: str) -> None:
        await self._link.run(_RELEASE, [lease_key(name)], [holder])
