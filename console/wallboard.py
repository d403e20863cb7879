"""The wallboard: figures of all providers, live. No personal data."""

from __future__ import annotations

from asyncio import gather
from datetime import timedelta

import anyio
from fastapi import APIRouter, Request, Response
from sse_starlette import EventSourceResponse

from callrouter.handover import Role
from console.board import END_CLASSES
from console.city import Asked, as_told, city_fragments, read_board
from console.feed import Feed, Feeds, Part
from console.fragments import parts_of, values_of
from console.heat import MEASURES
from console.readings import Readings
from console.small_numbers import CLINICAL
from console.web import Web
from console.windows import Typed, Window, read_typed, read_window

GRACE_S = 2.0
"""A stream that has not ended by itself so long after the shutdown began is cut off."""

REPORT_ROLES = (Role.COMMISSIONER, Role.ADMINISTRATOR, Role.PUBLIC_HEALTH, Role.CLINICAL_SAFETY)


def add_wallboard(router: APIRouter, web: Web, readings: Readings, feeds: Feeds, *, is_open: bool) -> None:
    """``GET /`` and its event stream; with ``is_open`` nobody needs to sign in for them."""

    @router.get("/", name="wallboard")
    async def wallboard(request: Request) -> Response:
        asked, typed = asks(web, readings, request, is_open=is_open), typed_in(web, readings, request)
        session = web.session(request)
        told = as_told(readings, asked)
        fragments = city_fragments(told, asked)
        big = request.query_params.get("screen") == "big"
        if big:
            fragments = {name: fragments[name] for name in ("firing", "age")}
        shown, values = await gather(read_board(told, asked.window), values_of(fragments))
        return web.page(
            request,
            "wallboard_big.html" if big else "wallboard.html",
            422 if typed and typed.problems else 200,
            board=shown,
            asked=asked,
            holds_back=told.holds_back,
            windows=tuple(Window),
            typed=typed,
            end_classes=END_CLASSES,
            may_report=session is not None and session.who.role in REPORT_ROLES,
            yesterday=readings.today() - timedelta(days=1),
            **values,
        )

    @router.get("/wallboard/events")
    async def events(request: Request) -> Response:
        asked = asks(web, readings, request, is_open=is_open and not names_days(request))
        told = as_told(readings, asked)

        async def figures() -> dict[str, object]:
            return (await read_board(told, asked.window)).event()

        def parts() -> dict[str, Part]:
            return {"figures": Part(figures), **parts_of(web, city_fragments(told, asked))}

        return streaming(feeds.of(("city", asked), parts))


def typed_in(web: Web, readings: Readings, request: Request) -> Typed | None:
    """What stands in the form of days; None for who is not signed in: days are work for the database."""
    return read_typed(request.query_params, readings.today()) if web.session(request) else None


def names_days(request: Request) -> bool:
    """Whether typed days are asked for: who is signed out meanwhile must not get today's figures in their place."""
    return "from" in request.query_params or "to" in request.query_params


def asks(web: Web, readings: Readings, request: Request, *, is_open: bool) -> Asked:
    """What the address asks for, of whom. Raises SignInNeeded unless the pages of figures are open."""
    session = web.session(request) if is_open else web.require(request)
    typed = typed_in(web, readings, request)
    measures = [each for each in MEASURES if each == request.query_params.get("heat")]
    return Asked(
        window=(typed.days if typed else None) or read_window(request.query_params.get("window")),
        heat=measures[0] if measures else "offered",
        every_count=session is not None and session.who.role in CLINICAL,
    )


def streaming(feed: Feed) -> Response:
    """The feed as an answer that goes on until the browser leaves, or the server ends."""
    ending = anyio.Event()
    return EventSourceResponse(
        feed.events(ending), sep="\n", ping=0, shutdown_event=ending, shutdown_grace_period=GRACE_S
    )
