"""The wallboard: figures of all providers, live. No personal data."""

from __future__ import annotations

import anyio
from fastapi import APIRouter, Request, Response
from sse_starlette import EventSourceResponse

from console.board import END_CLASSES, MINUTES, Board, board
from console.feed import Feed, Feeds, Part
from console.ports import LiveBoard
from console.web import Web

GRACE_S = 2.0
"""A stream that has not ended by itself so long after the shutdown began is cut off."""


def add_wallboard(router: APIRouter, web: Web, live: LiveBoard, feeds: Feeds, *, is_open: bool) -> None:
    """``GET /`` and its event stream; with ``is_open`` nobody needs to sign in for them."""

    @router.get("/", name="wallboard")
    async def wallboard(request: Request) -> Response:
        if not is_open:
            web.require(request)
        return web.page(request, "wallboard.html", board=read(live), end_classes=END_CLASSES)

    async def figures() -> dict[str, object]:
        return read(live).event()

    @router.get("/wallboard/events")
    async def events(request: Request) -> Response:
        if not is_open:
            web.require(request)
        return streaming(feeds.of("city", lambda: {"figures": Part(figures)}))


def streaming(feed: Feed) -> Response:
    """The feed as an answer that goes on until the browser leaves, or the server ends."""
    ending = anyio.Event()
    return EventSourceResponse(
        feed.events(ending), sep="\n", ping=0, shutdown_event=ending, shutdown_grace_period=GRACE_S
    )


def read(live: LiveBoard) -> Board:
    """The board as it stands now."""
    figures = live.figures()
    return board(figures, live.minutes(MINUTES) if figures else ())
