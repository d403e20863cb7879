"""Live news for however many browsers: looked up and put into bytes once, sent to all.

A page's news are parts with names (``figures``, ``alerts``, …), each a whole that replaces what the browser has of it,
so that one who reads slowly skips to the newest and lacks nothing.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Hashable, Mapping
from dataclasses import dataclass, field
from typing import Any

import anyio
import structlog

from infra.clock import Clock

log = structlog.get_logger(__name__)

TICK_S = 1.0
HEARTBEAT_TICKS = 15
"""After so many ticks without news the page is told that the figures still stand."""

PATIENCE_S = 0.25
"""So long a look waits for a part that is slow; what it gives is told by a later one."""

Pause = Callable[[], Awaitable[None]]
"""Waits until it is time to look again."""


async def a_second() -> None:
    """The pause of a running service."""
    await asyncio.sleep(TICK_S)


@dataclass(frozen=True, slots=True)
class Part:
    """``read`` gives what the browser is to have, as JSON; it is asked each ``every_s`` seconds at most.

    Its key ``at`` is the time of the figures: that alone is no news. It may wait for a database: the other parts go on
    meanwhile, and this one is not asked again before it has answered.
    """

    read: Callable[[], Awaitable[Mapping[str, Any]]]
    every_s: float = 0.0


@dataclass(slots=True)
class _Told:
    """What browsers have of one part: when it was read, in which turn it changed, and the bytes of the event."""

    read_at: float
    content: dict[str, Any]
    turn: int
    event: bytes


@dataclass(slots=True)
class Feed:
    """The news of one page. It looks only while somebody reads."""

    parts: Mapping[str, Part]
    clock: Clock
    pause: Pause = a_second
    _told: dict[str, _Told] = field(default_factory=dict)
    _turn: int = 0
    _quiet: int = 0
    _readers: int = 0
    _next: asyncio.Event = field(default_factory=asyncio.Event)
    _loop: asyncio.Task[None] | None = None
    _reading: dict[str, asyncio.Task[dict[str, Any]]] = field(default_factory=dict)

    async def events(self, ending: anyio.Event) -> AsyncIterator[bytes]:
        """Everything at once, then what changed; it ends at the first turn after ``ending`` was set.

        A page never sees the comments that keep proxies from closing the connection, so ``still`` is an event.
        """
        self._readers += 1
        try:
            if self._loop is None or self._loop.done():
                self._loop = asyncio.create_task(self._keep_looking())
            seen = self._turn
            if self._told:
                yield b"".join(_event(name, each.content) for name, each in self._told.items())
            while not ending.is_set():
                if seen == self._turn:
                    await self._next.wait()
                    continue
                news = b"".join(each.event for each in self._told.values() if each.turn > seen)
                seen = self._turn
                yield news
        finally:
            self._readers -= 1

    @property
    def is_read(self) -> bool:
        """Whether anybody reads it now."""
        return self._readers > 0

    async def _keep_looking(self) -> None:
        while self._readers:
            await self._look()
            self._next.set()
            self._next = asyncio.Event()
            await self.pause()
        self._told.clear()  # whoever comes next gets nothing old
        for task in self._reading.values():
            task.cancel()
        self._reading.clear()

    async def _look(self) -> None:
        news = False
        now = self.clock.monotonic()
        for name, part in self.parts.items():
            told = self._told.get(name)
            is_due = told is None or now - told.read_at >= part.every_s
            if is_due and name not in self._reading:
                self._reading[name] = asyncio.create_task(_content(part))
        if self._reading:
            await asyncio.wait(self._reading.values(), timeout=PATIENCE_S)
        for name in [name for name in self.parts if name in self._reading and self._reading[name].done()]:
            task = self._reading.pop(name)
            if (error := task.exception()) is not None:  # the other parts, and the next look, go on
                log.error("wallboard_part_failed", part=name, error=type(error).__name__)
            else:
                news |= self._note(name, task.result(), now)
        self._quiet = 0 if news else self._quiet + 1
        if self._quiet and self._quiet % HEARTBEAT_TICKS == 0:
            self._heartbeat(now)

    def _note(self, name: str, content: dict[str, Any], now: float) -> bool:
        told = self._told.get(name)
        if told is not None and _news_of(told.content) == _news_of(content):
            told.read_at, told.content = now, content
            return False
        self._turn += 1
        self._told[name] = _Told(now, content, self._turn, _event(name, content))
        return True

    def _heartbeat(self, now: float) -> None:
        first = next(iter(self.parts))
        if first in self._told:
            self._turn += 1
            content = {"at": self._told[first].content.get("at")}
            self._told["still"] = _Told(now, content, self._turn, _event("still", content))


async def _content(part: Part) -> dict[str, Any]:
    return dict(await part.read())


def _news_of(content: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in content.items() if name != "at"}


def _event(name: str, content: Mapping[str, Any]) -> bytes:
    return f"event: {name}\ndata: {json.dumps(content)}\n\n".encode()


class Feeds:
    """One feed for each page that somebody looks at; ``make`` gives the parts of a page's feed."""

    def __init__(self, clock: Clock, pause: Pause = a_second) -> None:
        self._clock = clock
        self._pause = pause
        self._feeds: dict[Hashable, Feed] = {}

    def of(self, page: Hashable, make: Callable[[], Mapping[str, Part]]) -> Feed:
        """The feed that all who look at ``page`` share. Feeds that nobody reads any more are forgotten."""
        if page not in self._feeds:
            self._feeds = {key: feed for key, feed in self._feeds.items() if feed.is_read}
            self._feeds[page] = Feed(make(), self._clock, self._pause)
        return self._feeds[page]
