"""Takes recordings of talks from an Asterisk's disk, where they lie in clear, and deletes them there.

The dialplan records (MixMonitor), so that a talk is recorded whole whoever of ours dies; a recording whose call is not
on the line any more is complete. It is deleted only after it was kept: whoever dies in between leaves it to be taken
again. One that cannot be kept, since nobody knows its call, its key does not open or something is away, stays and is a
failing part of the service: a person must see to it, since nothing can tell a late journal from a call that is lost.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Protocol

import httpx

from adapters.asterisk.channel import Channel
from infra.clock import Clock
from infra.failing import Failing
from infra.health import Health
from infra.loops import until_next

PART = "recordings"
"""Of the service; a colon and the Asterisk's name follow."""
LOOK_EVERY_S = 15.0
"""A recording lies on the disk for two looks after its talk. Each costs some 4 ms of CPU, whether anything records or
not."""
LEASE_S = 2 * LOOK_EVERY_S
"""Of who looks: longer than from one look to the next."""
LIES_S = 90.0
"""Longer than this after its talk no recording lies there unless something is wrong."""
PART_OCTETS = 256 * 1024
"""Half a minute: what is in memory at once."""
_NAME = re.compile(r"(?P<context>[0-9a-f]{32})-(?P<line>[0-9a-f]{32})-(?P<dial>[0-9]{1,9})")


class CallUnknown(Exception):
    """Nobody knows the call of a recording: it is on its way to the journal, lost, or another installation's."""


class Keeper(Protocol):
    """Where recordings go."""

    async def keep(self, context: str, recording: str, sound: AsyncIterator[bytes]) -> bool:
        """Keep the sound of a talk, which comes in the same parts each time; False while nobody knows its call."""


@dataclass(frozen=True, slots=True)
class _Stored:
    name: str
    context: str
    line: str
    dial: str

    @property
    def recording(self) -> str:
        """What it is called once it is kept: the line's own name and the number of its dial."""
        return f"{self.line}-{self.dial}"


class TakeRecordings:
    """For the Asterisk behind ``client``, called ``edge``. One process at a time is enough; two do no harm.

    The part :data:`PART` of ``health`` fails while a recording has lain there for :data:`LIES_S` since this process
    first saw it without its call; ``why`` is what kept it from being taken.
    """

    def __init__(self, client: httpx.AsyncClient, keeper: Keeper, clock: Clock, health: Health, edge: str) -> None:
        self._client = client
        self._keeper = keeper
        self._clock = clock
        self._health = health
        self._part = f"{PART}:{edge}"
        self._over: dict[_Stored, float] = {}  # whose call is not on the line: since which look (monotonic)
        self._why: dict[_Stored, str] = {}  # it could not be taken at the look before
        self._failing = Failing("recordings_not_taken", "recordings_taken_again", edge=edge)

    async def step(self, _wait_s: float) -> int:
        """One look, and the time until the next; for :func:`infra.loops.repeat`."""
        await self.look()
        await asyncio.sleep(until_next(LOOK_EVERY_S))
        return 0

    async def look(self) -> None:
        """Take what was complete at the look before, too: Asterisk closes a file a moment after its call.

        Raises :class:`httpx.HTTPError` where Asterisk does not answer. What cannot be taken now stays for the next.
        """
        try:
            stored = await self._stored()
            lines = await self._lines() if stored else set()
        except httpx.HTTPStatusError as error:  # one that does not answer at all is a failing part already
            self._health.failed(self._part, f"http_{error.response.status_code}")
            raise
        now, before = self._clock.monotonic(), self._over
        self._over = {each: before.get(each, now) for each in stored if each.line not in lines}
        self._tell(now)
        self._why = {}
        for each in sorted(self._over.keys() & before.keys(), key=lambda one: one.name):
            try:
                await self._take(each)
            except Exception as error:  # noqa: BLE001 - it stays there, and the others are taken
                self._why[each] = type(error).__name__
                self._failing.failed(error, LOOK_EVERY_S)
        if not self._why:
            self._failing.goes()

    def lost(self) -> None:
        """Another process looks, and says how it is."""
        self._over, self._why = {}, {}
        self._health.ok(self._part)

    def _tell(self, now: float) -> None:
        oldest = min(self._over, key=self._over.__getitem__, default=None)
        if oldest is not None and now - self._over[oldest] > LIES_S:
            self._health.failed(self._part, self._why.get(oldest, "not_taken"))
        else:
            self._health.ok(self._part)

    async def _take(self, stored: _Stored) -> None:
        if not await self._keeper.keep(stored.context, stored.recording, self._sound(stored)):
            raise CallUnknown
        answer = await self._client.delete(f"/recordings/stored/{stored.name}")
        if answer.status_code != httpx.codes.NOT_FOUND:  # another process was quicker
            answer.raise_for_status()

    async def _stored(self) -> list[_Stored]:
        answer = await self._client.get("/recordings/stored")
        answer.raise_for_status()
        found = (_NAME.fullmatch(str(each["name"])) for each in answer.json())
        return [_Stored(one.string, one["context"], one["line"], one["dial"]) for one in found if one is not None]

    async def _lines(self) -> set[str]:
        """The names of all calls on the line; a provider's leg bears its caller's."""
        answer = await self._client.get("/channels")
        answer.raise_for_status()
        return {Channel.read(each).variables.get("CALL_REF", "") for each in answer.json()}

    async def _sound(self, stored: _Stored) -> AsyncIterator[bytes]:
        async with self._client.stream("GET", f"/recordings/stored/{stored.name}/file") as answer:
            answer.raise_for_status()
            async for part in answer.aiter_bytes(PART_OCTETS):
                yield part
