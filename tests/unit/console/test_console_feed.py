"""The feed: one look a turn for all readers, who get everything at first and then only what changed."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import anyio
import pytest
from console_world import SetBoard

from console.board import Board, board
from console.feed import HEARTBEAT_TICKS, Feed, Feeds, Part
from console.ports import LiveBoard
from tests.hand_clock import HandClock


def read(live: LiveBoard) -> Board:
    return board(live.figures(), live.minutes(30) if live.figures() else ())


@dataclass
class World:
    """A board under a feed whose turns the test makes; with each the figures' own clock goes on."""

    live: SetBoard = field(default_factory=SetBoard)
    clock: HandClock = field(default_factory=HandClock)
    looks: int = 0
    looked: asyncio.Event = field(default_factory=asyncio.Event)
    _turns: asyncio.Queue[None] = field(default_factory=asyncio.Queue)

    def feed(self, **parts: Part) -> Feed:
        return Feed({"figures": Part(self.figures), **parts}, self.clock, self._pause)

    async def figures(self) -> dict[str, Any]:
        self.looks += 1
        return read(self.live).event()

    def turn(self, count: int = 1) -> None:
        for _ in range(count):
            self._turns.put_nowait(None)

    async def _pause(self) -> None:
        if self.looks == 4:
            self.looked.set()
        await self._turns.get()
        self.clock.move(1)
        if self.live.now is not None:
            self.live.now = replace(self.live.now, at=self.live.now.at + timedelta(seconds=1))


@dataclass
class Reader:
    """One browser."""

    stream: AsyncIterator[bytes]

    async def take(self) -> list[tuple[str, dict[str, Any]]]:
        async with asyncio.timeout(30):
            return list(self._events(await anext(self.stream)))

    @staticmethod
    def _events(chunk: bytes) -> Iterator[tuple[str, dict[str, Any]]]:
        for event in chunk.decode().removesuffix("\n\n").split("\n\n"):
            kind, data = event.split("\n")
            yield kind.removeprefix("event: "), json.loads(data.removeprefix("data: "))


@pytest.fixture
def world() -> World:
    return World()


async def test_a_stream_speaks_when_something_changed_and_else_each_15_s(world: World) -> None:
    feed = world.feed()
    async with aclosing(feed.events(anyio.Event())) as stream:
        reader = Reader(stream)
        ((kind, first),) = await reader.take()
        assert (kind, first["at"], first["total"]["cells"]["waiting"]) == ("figures", "12:00:00", "9")
        world.turn(HEARTBEAT_TICKS)
        assert await reader.take() == [("still", {"at": f"12:00:{HEARTBEAT_TICKS}"})]
        world.live.set_total(waiting=10)
        world.turn()
        ((kind, second),) = await reader.take()
        assert (kind, second["total"]["cells"]["waiting"]) == ("figures", "10")
        world.live.now = None
        world.turn()
        ((kind, third),) = await reader.take()
        assert (kind, third["at"], third["total"]["cells"]["waiting"]) == ("figures", "not known", "not known")


async def test_a_stream_holds_what_the_page_holds(world: World) -> None:
    async with aclosing(world.feed().events(anyio.Event())) as stream:
        ((_, event),) = await Reader(stream).take()
    assert event == json.loads(json.dumps(board(world.live.figures(), world.live.minutes(30)).event()))
    assert event["minutes"][-1]["time"] == "12:00"


async def test_a_hundred_readers_cost_one_look_a_turn(world: World) -> None:
    feed = world.feed()
    readers = [Reader(feed.events(anyio.Event())) for _ in range(100)]
    await asyncio.gather(*(reader.take() for reader in readers))
    assert world.looks == 1
    world.live.set_total(waiting=1)
    world.turn()
    chunks = await asyncio.gather(*(reader.take() for reader in readers))
    assert world.looks == 2
    assert {chunk[0][1]["total"]["cells"]["waiting"] for chunk in chunks} == {"1"}
    for reader in readers:
        await reader.stream.aclose()  # type: ignore[attr-defined]


async def test_a_part_that_fails_leaves_the_others_alone_and_a_slow_reader_gets_the_newest(world: World) -> None:
    async def broken() -> dict[str, Any]:
        raise OSError

    feed = world.feed(alerts=Part(broken))
    async with aclosing(feed.events(anyio.Event())) as quick, aclosing(feed.events(anyio.Event())) as slow:
        assert [kind for kind, _ in await Reader(quick).take()] == ["figures"]
        await Reader(slow).take()
        for waiting in (1, 2, 3):
            world.live.set_total(waiting=waiting)
            world.turn()
            await Reader(quick).take()
        ((_, newest),) = await Reader(slow).take()
        assert newest["total"]["cells"]["waiting"] == "3"


async def test_a_part_that_waits_for_the_database_holds_no_other(world: World) -> None:
    answers = asyncio.Event()

    async def slow() -> dict[str, Any]:
        await answers.wait()
        return {"n": 1}

    async with aclosing(world.feed(past=Part(slow)).events(anyio.Event())) as stream:
        reader = Reader(stream)
        for waiting in (3, 4, 5):
            assert [kind for kind, _ in await reader.take()] == ["figures"]
            world.live.set_total(waiting=waiting)
            world.turn()
        answers.set()
        kinds: set[str] = set()
        while kinds != {"figures", "past"}:
            kinds |= {kind for kind, _ in await reader.take()}


async def test_a_part_is_asked_no_more_often_than_it_wants(world: World) -> None:
    asked: list[float] = []

    async def seldom() -> dict[str, Any]:
        asked.append(world.clock.monotonic())
        return {"n": len(asked)}

    feed = world.feed(map=Part(seldom, every_s=10))
    async with aclosing(feed.events(anyio.Event())) as stream:
        reader = Reader(stream)
        assert [kind for kind, _ in await reader.take()] == ["figures", "map"]
        world.turn(10)
        assert await reader.take() == [("map", {"n": 2})]
    assert asked[1] - asked[0] == 10


async def test_a_stream_ends_when_the_server_shuts_down(world: World) -> None:
    ending = anyio.Event()
    async with aclosing(world.feed().events(ending)) as stream:
        await anext(stream)
        ending.set()
        world.turn()
        async with asyncio.timeout(30):
            assert [event async for event in stream] == []


async def test_who_comes_late_is_told_the_time_that_it_is(world: World) -> None:
    feeds = Feeds(world.clock, world._pause)
    feed = feeds.of("city", lambda: {"figures": Part(world.figures)})
    async with aclosing(feed.events(anyio.Event())) as early:
        await anext(early)
        world.turn(3)
        await world.looked.wait()
        assert feeds.of("city", dict) is feed
        async with aclosing(feed.events(anyio.Event())) as late:
            ((_, event),) = await Reader(late).take()
    assert event["at"] == "12:00:03"
