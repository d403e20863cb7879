"""The wallboard: figures of all providers, live. No personal data."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import anyio
from fastapi import APIRouter, Request, Response
from sse_starlette import EventSourceResponse

from console.board import END_CLASSES, MINUTES, Board, board
from console.ports import LiveBoard
from console.web import Web

TICK_S = 1.0
HEARTBEAT_TICKS = 15
"""After so many ticks without news the page is told that the figures still stand."""

GRACE_S = 2.0
"""A stream that has not ended by itself so long after the shutdown began is cut off."""

Tick = Callable[[], Awaitable[bool]]
"""Waits until it is time to look again; False when the server is shutting down."""


def add_wallboard(router: APIRouter, web: Web, live: LiveBoard, *, is_open: bool) -> None:
    """``GET /`` and its event stream; with ``is_open`` nobody needs to sign in for them."""

    @router.get("/", name="wallboard")
    async def wallboard(request: Request) -> Response:
        if not is_open:
            web.require(request)
        return web.page(request, "wallboard.html", board=read(live), end_classes=END_CLASSES)

    @router.get("/wallboard/events")
    async def events(request: Request) -> Response:
        if not is_open:
            web.require(request)
        ending = anyio.Event()
        return EventSourceResponse(
            stream(live, ticking(ending)),
            sep="\n",
            shutdown_event=ending,
            shutdown_grace_period=GRACE_S,
        )


def read(live: LiveBoard) -> Board:
    """The board as it stands now."""
    figures = live.figures()
    return board(figures, live.minutes(MINUTES) if figures else ())


def ticking(ending: anyio.Event) -> Tick:
    """A tick each second, cut short when the server's shutdown sets ``ending``."""

    async def tick() -> bool:
        with anyio.move_on_after(TICK_S):
            await ending.wait()
        return not ending.is_set()

    return tick


async def stream(live: LiveBoard, tick: Tick) -> AsyncIterator[dict[str, str]]:
    """A ``figures`` event at once and after each tick that changed something, else a ``still`` event.

    It goes on until a tick says that the server ends, or until the browser leaves, which cancels it. ``still``
    is a named event since a page never sees the comments that keep proxies from closing the connection.
    """
    shown: dict[str, Any] = {}
    quiet = 0
    going_on = True
    while going_on:
        now = read(live).event()
        at = now.pop("at")
        quiet = 0 if now != shown else quiet + 1
        if quiet == 0:
            yield {"event": "figures", "data": json.dumps({"at": at, **now})}
        elif quiet % HEARTBEAT_TICKS == 0:
            yield {"event": "still", "data": json.dumps({"at": at})}
        shown = now
        going_on = await tick()
