"""The wallboard: figures of all providers, live. No personal data."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from fastapi import APIRouter, Request, Response
from sse_starlette import EventSourceResponse

from console.board import END_CLASSES, MINUTES, Board, board
from console.ports import LiveBoard
from console.web import Web

TICK_S = 1.0
HEARTBEAT_TICKS = 15
"""After so many ticks without news the page is told that the figures still stand."""

Sleep = Callable[[float], Awaitable[Any]]


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
        return EventSourceResponse(stream(live), ping=HEARTBEAT_TICKS, sep="\n")


def read(live: LiveBoard) -> Board:
    """The board as it stands now."""
    figures = live.figures()
    return board(figures, live.minutes(MINUTES) if figures else ())


async def stream(live: LiveBoard, sleep: Sleep = asyncio.sleep) -> AsyncIterator[dict[str, str]]:
    """A ``figures`` event at once and after each tick that changed something, else a ``still`` event.

    It goes on until the browser leaves or the server shuts down, which both cancel it. ``still`` is a named
    event since a page never sees the comments that keep proxies from closing the connection.
    """
    shown: dict[str, Any] = {}
    quiet = 0
    while True:
        now = read(live).event()
        at = now.pop("at")
        quiet = 0 if now != shown else quiet + 1
        if quiet == 0:
            yield {"event": "figures", "data": json.dumps({"at": at, **now})}
        elif quiet % HEARTBEAT_TICKS == 0:
            yield {"event": "still", "data": json.dumps({"at": at})}
        shown = now
        await sleep(TICK_S)
