"""Takes recordings of talks from an Asterisk's disk, where they lie in clear, and deletes them there.

The dialplan records (MixMonitor), so that a talk is recorded whole whoever of ours dies; a recording whose call is not
on the line any more is complete. It is deleted only after it was kept: whoever dies in between leaves it to be taken
again.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Protocol

import httpx
import structlog

from adapters.asterisk.channel import Channel
from infra.clock import Clock
from infra.loops import until_next

LOOK_EVERY_S = 5.0
"""A recording lies on the disk for two looks after its talk."""
UNKNOWN_S = 3600.0
"""For so long a call may be on its way to the journal. A recording of a call that never comes is nobody's: nothing can
seal it, and it must not lie there for ever."""
PART_OCTETS = 256 * 1024
"""Half a minute: what is in memory at once."""
_NAME = re.compile(r"(?P<context>[0-9a-f]{32})-(?P<line>[0-9a-f]{32})-(?P<dial>[0-9]{1,9})")

log = structlog.get_logger()


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
    """For the Asterisk behind ``client``. One process at a time is enough; two do no harm."""

    def __init__(self, client: httpx.AsyncClient, keeper: Keeper, clock: Clock) -> None:
        self._client = client
        self._keeper = keeper
        self._clock = clock
        self._over: set[_Stored] = set()  # whose call was not on the line at the look before
        self._unknown: dict[_Stored, float] = {}  # nobody knows its call: since when (monotonic)

    async def step(self, _wait_s: float) -> int:
        """One look, and the time until the next; for :func:`infra.loops.repeat`."""
        await self.look()
        await asyncio.sleep(until_next(LOOK_EVERY_S))
        return 0

    async def look(self) -> None:
        """Take what was complete at the look before, too: Asterisk closes a file a moment after its call.

        Raises :class:`httpx.HTTPError` where Asterisk does not answer. What cannot be taken now stays for the next.
        """
        stored = await self._stored()
        lines = await self._lines() if stored else set()
        over = {each for each in stored if each.line not in lines}
        for each in sorted(over & self._over, key=lambda one: one.name):
            try:
                await self._take(each)
            except Exception as error:  # noqa: BLE001 - it stays there, and the others are taken
                log.error("recording_not_taken", recording=each.recording, error=type(error).__name__)
        self._over = over
        self._unknown = {each: since for each, since in self._unknown.items() if each in over}

    async def _take(self, stored: _Stored) -> None:
        if not await self._keeper.keep(stored.context, stored.recording, self._sound(stored)):
            since = self._unknown.setdefault(stored, self._clock.monotonic())
            if self._clock.monotonic() - since < UNKNOWN_S:
                return
            log.error("recording_of_no_call", recording=stored.recording)
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
