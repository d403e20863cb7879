"""The contract of nudges: every implementation of ``Nudges`` holds it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from infra.nudges import MemoryNudges, Nudges
from infra.redis import RedisLink
from infra.redis_nudges import RedisNudges

SOON_S = 20.0


@pytest.fixture
def nudges(link: RedisLink | None) -> Nudges:
    """Nudges in this process, or on each kind of Redis."""
    return MemoryNudges() if link is None else RedisNudges(link)


class Listener:
    """Somebody who listens, from the first nudge heard on."""

    def __init__(self, nudges: Nudges) -> None:
        self._nudges = nudges
        self._heard: asyncio.Queue[str] = asyncio.Queue()
        self._task = asyncio.ensure_future(self._listen(nudges.listen()))

    async def _listen(self, calls: AsyncIterator[str]) -> None:
        async for call_ref in calls:
            self._heard.put_nowait(call_ref)

    async def ready(self) -> None:
        """Send until one is heard: whether somebody listens already, nobody can tell."""
        async with asyncio.timeout(SOON_S):
            while self._heard.empty():
                await self._nudges.send("ready?")
                await asyncio.sleep(0.01)

    async def next(self) -> str:
        """The next call heard of."""
        async with asyncio.timeout(SOON_S):
            while (call_ref := await self._heard.get()) == "ready?":
                pass
        return call_ref

    async def close(self) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)


async def test_everybody_who_listens_is_told(nudges: Nudges) -> None:
    listeners = [Listener(nudges) for _ in range(3)]
    for each in listeners:
        await each.ready()
    await nudges.send("one")
    await nudges.send("two")

    assert [(await each.next(), await each.next()) for each in listeners] == [("one", "two")] * 3
    for each in listeners:
        await each.close()


async def test_nudge_that_nobody_hears_is_nobodys_trouble(nudges: Nudges) -> None:
    await nudges.send("one")


async def test_listener_who_left_does_not_trouble_the_others(nudges: Nudges) -> None:
    gone, there = Listener(nudges), Listener(nudges)
    await gone.ready()
    await there.ready()
    await gone.close()
    await nudges.send("one")

    assert await there.next() == "one"
    await there.close()
