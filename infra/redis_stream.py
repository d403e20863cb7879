"""The event stream on Redis Streams: one stream for each shard, one consumer group for each durable reader group.

What one commit appends is one entry of Redis (a *bundle*): each costs the readers far more than what is in it. A bundle
is acknowledged when all that is in it are.

What one process has fetched and not acknowledged it keeps in hand, and gives again. What a dead process had in hand
is claimed after :data:`IDLE_S`, by whoever reads next: a process that has just got a dead one's lease (which lasts
longer than that) goes on where it stopped.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby, islice

import structlog

from infra.bus import KEPT_S, Entry, Position
from infra.errors import StateUnavailable
from infra.packing import packed, unpacked
from infra.redis import RedisLink, Script
from infra.redis_keys import SHARDS, events_key, shard_of
from infra.turns import alike

POLL_S = 0.05  # between two looks for new entries; no caller waits for a reader
IDLE_S = 3.0  # less than a lease: see above
TRIM_EVERY_S = 10.0
PATIENCE_S = 5.0  # for one command of a reader: it may fetch megabytes, and no caller waits

log = structlog.get_logger()

# KEYS: events. ARGV: milliseconds to keep, milliseconds after which an idle consumer without work has died.
# Removes what every group has acknowledged and is old enough; '~' leaves a few more, which costs less.
_TRIM = Script("""
local function before(a, b)
  local am, as = a:match('(%d+)-(%d+)')
  local bm, bs = b:match('(%d+)-(%d+)')
  am, as, bm, bs = tonumber(am), tonumber(as), tonumber(bm), tonumber(bs)
  return am < bm or (am == bm and as < bs)
end
if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
local now = redis.call('TIME')
local upto = string.format('%d-0', now[1] * 1000 + math.floor(now[2] / 1000) - ARGV[1])
for _, group in ipairs(redis.call('XINFO', 'GROUPS', KEYS[1])) do
  local name, last = group[2], group[8]
  local pending = redis.call('XPENDING', KEYS[1], name)
  if pending[1] > 0 then last = pending[2] end
  if before(last, upto) then upto = last end
  for _, consumer in ipairs(redis.call('XINFO', 'CONSUMERS', KEYS[1], name)) do
    if consumer[4] == 0 and consumer[6] > tonumber(ARGV[2]) then
      redis.call('XGROUP', 'DELCONSUMER', KEYS[1], name, consumer[2])
    end
  end
end
return redis.call('XTRIM', KEYS[1], 'MINID', '~', upto)
""")
_DEAD_CONSUMER_MS = 3_600_000

_ALL = [events_key(shard) for shard in range(SHARDS)]


@dataclass(slots=True)
class _Reader:
    """What this process knows of one group: what it has in hand, and, if nobody waits for it, how far it is.

    ``open``: bundles of which entries are in hand, each with their number.
    """

    in_hand: dict[Position, Entry] = field(default_factory=dict)
    open: dict[str, int] = field(default_factory=dict)
    cursor: dict[str, str] | None = None  # stream → last id that was fetched; None for a durable group
    recovered_at: float = float("-inf")

    def opened(
        self, key: str, bundles: Iterable[tuple[bytes, dict[bytes, bytes] | None]]
    ) -> Iterator[tuple[Position, Entry]]:
        """What is in these bundles, but for those that are open already."""
        for bundle_id, fields in bundles:
            bundle = f"{key} {bundle_id.decode()}"
            if fields and bundle not in self.open:
                entries = unpacked(fields[b"h"], fields[b"o"])
                self.open[bundle] = len(entries)
                yield from ((f"{bundle} {number}", entry) for number, entry in enumerate(entries))

    def close(self, position: Position) -> None:
        """This entry is not in hand any more."""
        del self.in_hand[position]
        bundle = _bundle(position)
        self.open[bundle] -= 1
        if not self.open[bundle]:
            del self.open[bundle]


class RedisStream:
    """:class:`infra.bus.EventStream` on Redis."""

    def __init__(self, link: RedisLink, *, kept_s: float = KEPT_S, idle_s: float = IDLE_S) -> None:
        self._link = link
        self._kept_ms = int(kept_s * 1000)
        self._idle_s = idle_s
        self._name = secrets.token_hex(8)
        self._readers: dict[str, _Reader] = {}
        self._trimmed_at = time.monotonic()

    async def join(self, group: str, *, durable: bool = True) -> None:
        if not durable:
            self._readers[group] = _Reader(cursor=dict.fromkeys(_ALL, "0-0"))
            return
        self._readers.setdefault(group, _Reader())
        await self._make(group, "$")

    async def leave(self, group: str) -> None:
        self._readers.pop(group, None)

    async def append(self, entries: Sequence[Entry]) -> None:
        for call_ref, each in groupby(sorted(entries, key=_call), key=_call):
            heads, octets = packed(list(each))
            fields = ("h", heads, "o", octets)
            await self._link.do("XADD", events_key(shard_of(call_ref)), "*", *fields, within_s=PATIENCE_S)

    async def read(self, group: str, *, limit: int, wait_s: float) -> list[tuple[Position, Entry]]:
        until = time.monotonic() + wait_s
        reader = self._readers[group]
        while True:
            if reader.cursor is None and time.monotonic() - reader.recovered_at >= self._idle_s:
                await self._recover(group, reader)
            if len(reader.in_hand) < limit:
                await self._fetch(group, reader, limit - len(reader.in_hand))
            if reader.in_hand or time.monotonic() >= until:
                return list(islice(reader.in_hand.items(), limit))
            await asyncio.sleep(min(POLL_S, max(0.0, until - time.monotonic())))

    async def acknowledge(self, group: str, positions: Sequence[Position]) -> None:
        reader = self._readers[group]
        done = {each for each in positions if each in reader.in_hand}
        left = Counter(reader.open)
        left.subtract(_bundle(each) for each in done)
        if reader.cursor is None:
            over = sorted(each.split(" ") for each, count in left.items() if count == 0)
            for key, same in groupby(over, key=lambda place: place[0]):
                await self._link.do("XACK", key, group, *(place[1] for place in same), within_s=PATIENCE_S)
        for position in done:
            reader.close(position)
        if time.monotonic() - self._trimmed_at >= TRIM_EVERY_S:
            await self.trim()

    async def trim(self) -> None:
        """Remove what every durable group has acknowledged and is older than it must be kept."""
        self._trimmed_at = time.monotonic()
        for key in _ALL:
            await self._link.run(_TRIM, [key], [self._kept_ms, _DEAD_CONSUMER_MS], PATIENCE_S)

    async def _make(self, group: str, start: str) -> None:
        for key in _ALL:
            try:
                await self._link.do("XGROUP CREATE", key, group, start, "MKSTREAM", within_s=PATIENCE_S)
            except StateUnavailable as error:
                if "BUSYGROUP" not in str(error.__cause__):
                    raise

    async def _fetch(self, group: str, reader: _Reader, count: int) -> None:
        found = await asyncio.gather(*(alike(self._fetch_from(keys, group, reader, count)) for keys in self._parts()))
        for key, entries in (each for part in found for each in part):
            if reader.cursor is not None and entries:
                reader.cursor[key] = entries[-1][0].decode()
            reader.in_hand.update(reader.opened(key, entries))

    async def _fetch_from(
        self, keys: list[str], group: str, reader: _Reader, count: int
    ) -> list[tuple[str, list[tuple[bytes, dict[bytes, bytes]]]]]:
        if reader.cursor is not None:
            command = ["XREAD", "COUNT", count, "STREAMS", *keys, *(reader.cursor[key] for key in keys)]
        else:
            who = ["GROUP", group, self._name]
            command = ["XREADGROUP", *who, "COUNT", count, "STREAMS", *keys, *(">" for _ in keys)]
        try:
            found = await self._link.do(*command, within_s=PATIENCE_S)
        except StateUnavailable as error:
            if "NOGROUP" not in str(error.__cause__):
                raise
            log.error("reader_group_lost", group=group)  # Redis came back without its data: read whatever is there
            await self._make(group, "0")
            found = await self._link.do(*command, within_s=PATIENCE_S)
        return [(key.decode(), entries) for key, entries in found or ()]

    def _parts(self) -> list[list[str]]:
        return self._link.together(_ALL)

    async def _recover(self, group: str, reader: _Reader) -> None:
        """Take what others, or this process without noticing, have had in hand for too long; it comes first."""
        reader.recovered_at = time.monotonic()
        lost: dict[Position, Entry] = {}
        try:
            for key in _ALL:
                await self._claim(key, group, reader, lost)
        finally:  # what was claimed before the connection broke is in our hand, and is given to nobody else
            reader.in_hand = {**lost, **reader.in_hand}
        if lost:
            log.warning("entries_recovered", group=group, entries=len(lost))

    async def _claim(self, key: str, group: str, reader: _Reader, lost: dict[Position, Entry]) -> None:
        start = b"0-0"
        while True:
            claim = ("XAUTOCLAIM", key, group, self._name, int(self._idle_s * 1000), start, "COUNT", 1000)
            try:
                start, entries, _ = await self._link.do(*claim, within_s=PATIENCE_S)
            except StateUnavailable as error:
                if "NOGROUP" not in str(error.__cause__):
                    raise
                return  # the next fetch makes it again
            lost.update(reader.opened(key, entries))
            if start == b"0-0":
                return


def _call(entry: Entry) -> str:
    return entry.call_ref


def _bundle(position: Position) -> str:
    return position.rpartition(" ")[0]
