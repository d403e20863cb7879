"""One provider in depth: its items under both clocks, its waits, its day and its week. No personal data."""

from __future__ import annotations

from asyncio import gather
from collections.abc import Mapping
from functools import partial
from typing import Any

from fastapi import APIRouter, Request, Response

from alerts.figures.items import Scope
from alerts.figures.waiting import NOBODY
from alerts.model import ScopeFigures
from console.again import read_again
from console.board import Counts, counts_of, row
from console.city import Asked, as_told, read_age, read_firing, read_heat, read_trends
from console.distribution import bands
from console.errors import NoSuchPage
from console.feed import Feeds
from console.fragments import Fragment, Fragments, parts_of, values_of
from console.item_table import item_rows
from console.ports import ScopeFigures as Shown
from console.readings import Readings
from console.wallboard import asks, names_days, streaming, typed_in
from console.web import Web
from console.windows import Stretch, Window
from console.words import clock_time


def add_providers(router: APIRouter, web: Web, readings: Readings, feeds: Feeds, *, is_open: bool) -> None:
    """``GET /providers/{id}`` and its event stream, for whom the wallboard is."""

    @router.get("/providers/{provider}")
    async def page(provider: str, request: Request) -> Response:
        asked, typed = asks(web, readings, request, is_open=is_open), typed_in(web, readings, request)
        name = _name(readings, provider)
        fragments = provider_fragments(as_told(readings, asked), provider, asked)
        return web.page(
            request,
            "provider.html",
            422 if typed and typed.problems else 200,
            provider=provider,
            name=name,
            asked=asked,
            windows=tuple(Window),
            typed=typed,
            **await values_of(fragments),
        )

    @router.get("/providers/{provider}/events")
    async def events(provider: str, request: Request) -> Response:
        asked = asks(web, readings, request, is_open=is_open and not names_days(request))
        _name(readings, provider)
        fragments = provider_fragments(as_told(readings, asked), provider, asked)
        return streaming(feeds.of(("provider", provider, asked), lambda: parts_of(web, fragments)))


def provider_fragments(readings: Readings, provider: str, asked: Asked) -> Fragments:
    """What the page holds."""
    scope = Scope("provider", provider)
    return {
        "now": Fragment("_scope_now.html", partial(read_now, readings, scope, asked.window)),
        "firing": Fragment("_firing.html", partial(read_firing, readings, str(scope)), every_s=5),
        "age": Fragment("_age.html", partial(read_age, readings, asked.window), every_s=5),
        "items": Fragment("_items.html", partial(read_items, readings, scope, asked.window), every_s=5),
        "trends": Fragment("_trends.html", partial(read_trends, readings, scope), every_s=10),
        "heat": Fragment("_heat.html", partial(read_heat, readings, asked, scope), every_s=30),
    }


def _name(readings: Readings, provider: str) -> str:
    """What people call it; its id while no figures are known. Raises NoSuchPage where there is none of that id."""
    if readings.live.figures() is None:
        return provider
    figures = _figures(readings, provider)
    if figures is None:
        raise NoSuchPage
    return figures.name


def _figures(readings: Readings, provider: str) -> Shown | None:
    figures = readings.live.figures()
    return next((each for each in figures.providers if each.scope == provider), None) if figures else None


async def read_now(readings: Readings, scope: Scope, window: Stretch) -> Mapping[str, Any]:
    """The tiles of one scope: who waits now, and the counts of the window; ``row`` is None while nothing is known."""
    live, waiting = readings.live.figures(), readings.live.waiting(scope.kind)
    counted = await readings.counted_of(window, scope)
    found = None
    if waiting is not None:
        now = waiting.get(scope, NOBODY)
        figures = ScopeFigures(scope=scope.id, name="", waiting=now.waiting, longest_wait_s=now.longest_wait_s)
        found = row(figures, counts_of(counted) if counted else Counts())
    return {"at": clock_time(live.at if live else None), "row": found, "window": window}


async def read_items(readings: Readings, scope: Scope, window: Stretch) -> Mapping[str, Any]:
    """Every item under both clocks, how long callers waited, and who rang again."""
    offered, later, again = await gather(
        readings.counted_of(window, scope),
        readings.counted_of(window, scope, "message_end"),
        read_again(readings, scope, window),
    )
    times_who_waits = window.minutes is not None
    return {
        "rows": item_rows(offered, later, live=times_who_waits),
        "holds_back": readings.holds_back,
        "bands": bands(offered),
        "during": window.during,
        "times_who_waits": times_who_waits,
        "again": again,
    }
