"""Live call state on Redis: a compare-and-set that also appends the events, as one Lua script."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from infra.bus import Entry
from infra.packing import packed
from infra.redis import RedisLink, Script
from infra.redis_keys import SHARDS, call_key, calls_prefix, due_key, events_key, name_key, shard_of
from infra.state import Stored, Version

# KEYS: call, events, due. ARGV: reference, expected epoch and step ('' for a new call), new epoch and step, value,
# key, milliseconds to keep, milliseconds until due (''), then the events as `infra.packing` packs them (none: nothing).
# The very same commit again writes its time anew: a write of its own, whose replica has the first one, too.
# Else HSET is the first write: the only place where a full memory can refuse the script, before anything is changed.
_COMMIT = Script("""
local had = redis.call('HMGET', KEYS[1], 'epoch', 'step', 'value')
if had[1] and had[1] == ARGV[4] and had[2] == ARGV[5] and had[3] == ARGV[6] then
  redis.call('PEXPIRE', KEYS[1], ARGV[8])
  return 1
end
if (had[1] or '') ~= ARGV[2] or (had[2] or '') ~= ARGV[3] then return 0 end
if had[1] and tonumber(ARGV[4]) < tonumber(had[1]) then return 0 end
redis.call('HSET', KEYS[1], 'epoch', ARGV[4], 'step', ARGV[5], 'value', ARGV[6], 'key', ARGV[7])
redis.call('PEXPIRE', KEYS[1], ARGV[8])
if ARGV[9] == '' then
  redis.call('ZREM', KEYS[3], ARGV[1])
else
  local now = redis.call('TIME')
  redis.call('ZADD', KEYS[3], now[1] * 1000 + math.floor(now[2] / 1000) + ARGV[9], ARGV[1])
end
if ARGV[10] then redis.call('XADD', KEYS[2], '*', 'h', ARGV[10], 'o', ARGV[11]) end
return 1
""")

# KEYS: due. ARGV: milliseconds late, at most, prefix of the shard's calls. The calls stand in the slot of KEYS[1].
# Redis' own clock counts, so that no worker's jump of time makes a call late.
_OVERDUE = Script("""
local now = redis.call('TIME')
local before = now[1] * 1000 + math.floor(now[2] / 1000) - ARGV[1]
local found = {}
local due = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', '(' .. string.format('%d', before), 'LIMIT', 0, 1000)
for _, call in ipairs(due) do
  if #found >= 2 * tonumber(ARGV[2]) then break end
  if redis.call('EXISTS', ARGV[3] .. call) == 1 then
    found[#found + 1] = redis.call('ZSCORE', KEYS[1], call)
    found[#found + 1] = call
  else
    redis.call('ZREM', KEYS[1], call)
  end
end
return found
""")

_NAME = Script("""
if redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2]) then return ARGV[1] end
return redis.call('GET', KEYS[1])
""")


class RedisStates:
    """:class:`infra.state.CallStates` on Redis."""

    def __init__(self, link: RedisLink) -> None:
        self._link = link

    async def read(self, call_ref: str) -> Stored | None:
        epoch, step, value, key = await self._link.do("HMGET", call_key(call_ref), "epoch", "step", "value", "key")
        return None if epoch is None else Stored(Version(int(epoch), int(step)), value, key)

    async def commit(
        self,
        call_ref: str,
        expected: Version | None,
        new: Stored,
        entries: Sequence[Entry],
        *,
        keep_s: float,
        due_s: float | None,
    ) -> bool:
        shard = shard_of(call_ref)
        keys = [call_key(call_ref), events_key(shard), due_key(shard)]
        before = (expected.epoch, expected.step) if expected else ("", "")
        due = "" if due_s is None else int(due_s * 1000)
        after = (new.version.epoch, new.version.step, new.value, new.wrapped_key)
        args = [call_ref, *before, *after, int(keep_s * 1000), due]
        if entries:
            args += packed(entries)
        return bool(await self._link.run_kept(_COMMIT, keys, args))

    async def overdue(self, *, late_s: float, limit: int) -> list[str]:
        late_ms = int(late_s * 1000)
        found = await asyncio.gather(
            *(
                self._link.run(_OVERDUE, [due_key(shard)], [late_ms, limit, calls_prefix(shard)])
                for shard in range(SHARDS)
            )
        )
        late = [(float(due), call.decode()) for each in found for due, call in zip(each[::2], each[1::2], strict=True)]
        return [call for _, call in sorted(late)[:limit]]

    async def name(self, name: str, call_ref: str, *, keep_s: float) -> str:
        owner: bytes = await self._link.run(_NAME, [name_key(name)], [call_ref, int(keep_s * 1000)])
        return owner.decode()

    async def named(self, *names: str) -> list[str]:
        together = self._link.together([name_key(name) for name in names])
        found = await asyncio.gather(*(self._link.do("MGET", *keys) for keys in together))
        return [owner.decode() for each in found for owner in each if owner is not None]
