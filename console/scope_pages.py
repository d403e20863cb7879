"""One service or one area in depth, for clinical roles: nothing of it is held back."""

from __future__ import annotations

from asyncio import gather
from functools import partial

from fastapi import APIRouter, Request, Response

from alerts.figures.items import Scope, ScopeKind
from console.city import Asked, read_age, read_heat, read_trends
from console.errors import NoSuchPage
from console.feed import Feeds
from console.fragments import Fragment, Fragments, parts_of, values_of
from console.provider import read_items, read_now
from console.readings import Readings
from console.small_numbers import CLINICAL
from console.wallboard import asks, streaming, typed_in
from console.web import Web
from console.windows import Window


def add_scope_pages(router: APIRouter, web: Web, readings: Readings, feeds: Feeds) -> None:
    """``GET /services/{id}`` and ``/areas/{id}``, and their event streams."""
    for kind in ("service", "area"):
        _add(router, web, readings, feeds, Scope(kind, "any").kind)


def _add(router: APIRouter, web: Web, readings: Readings, feeds: Feeds, kind: ScopeKind) -> None:
    @router.get(f"/{kind}s/{{name}}")
    async def page(name: str, request: Request) -> Response:
        web.require(request, *CLINICAL)
        asked, typed = asks(web, readings, request, is_open=False), typed_in(web, readings, request)
        fragments = _fragments(readings, Scope(kind, name), asked)
        title, values = await gather(_title(readings, Scope(kind, name), asked), values_of(fragments))
        return web.page(
            request,
            "scope.html",
            422 if typed and typed.problems else 200,
            path=f"/{kind}s/{name}",
            title=title,
            asked=asked,
            windows=tuple(Window),
            typed=typed,
            **values,
        )

    @router.get(f"/{kind}s/{{name}}/events")
    async def events(name: str, request: Request) -> Response:
        web.require(request, *CLINICAL)
        asked = asks(web, readings, request, is_open=False)
        await _title(readings, Scope(kind, name), asked)
        fragments = _fragments(readings, Scope(kind, name), asked)
        return streaming(feeds.of((kind, name, asked), lambda: parts_of(web, fragments)))


def _fragments(readings: Readings, scope: Scope, asked: Asked) -> Fragments:
    return {
        "now": Fragment("_scope_now.html", partial(read_now, readings, scope, asked.window)),
        "age": Fragment("_age.html", partial(read_age, readings, asked.window), every_s=5),
        "items": Fragment("_items.html", partial(read_items, readings, scope, asked.window), every_s=5),
        "trends": Fragment("_trends.html", lambda: read_trends(readings, scope), every_s=10),
        "heat": Fragment("_heat.html", lambda: read_heat(readings, asked, scope), every_s=30),
    }


async def _title(readings: Readings, scope: Scope, asked: Asked) -> str:
    """What people call it; its id while nothing is known. Raises NoSuchPage for one that had no call lately."""
    windows = dict.fromkeys((Window.TODAY, asked.window, Window.WEEK))
    looked = await gather(*(readings.counted(each, scope.kind) for each in windows))
    found = next((each for kpis in looked for each in kpis or () if each.scope == scope), None)
    if found is None and any(kpis is not None for kpis in looked):
        raise NoSuchPage
    return found.name if found else scope.id
