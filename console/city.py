"""The city at a glance: what the wallboard's page and its stream hold."""

from __future__ import annotations

from asyncio import gather
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from alerts.figures.items import TOTAL, Scope, ScopeKind
from alerts.figures.targets import targets
from console.again import read_again
from console.board import MINUTES, Board, board
from console.city_map import city_map
from console.firing import firing_lines
from console.fragments import Fragment, Fragments
from console.heat import MEASURES, Measure
from console.item_table import item_rows
from console.readings import Readings
from console.scopes import scope_table
from console.trends import trends
from console.windows import Stretch, Window

ODDITIES = {
    "unreadable": "could not be read and are not counted",
    "from_future": "from a clock that is ahead: they count when that time has come",
    "negative": "of calls that end before they begin: their time counts as 0 s",
}
"""What may be wrong with events (docs/alerts.md, Odd input)."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What the address asks for, and whether who asks may see small numbers. Pages that ask alike share a stream."""

    window: Stretch = Window.TODAY
    heat: Measure = "offered"
    every_count: bool = False

    def query(self, window: Stretch | None = None, heat: Measure | None = None) -> str:
        """As an address asks for it, with ``window`` or ``heat`` in place of its own."""
        return f"?{(window or self.window).query}&heat={heat or self.heat}"


def as_told(readings: Readings, asked: Asked) -> Readings:
    """The readings as they are told to whoever asks."""
    return readings if asked.every_count else readings.outside_clinical_roles()


async def read_board(readings: Readings, window: Stretch) -> Board:
    """The tiles and the table of providers as they stand now."""
    live = readings.live
    figures = live.figures()
    minutes = live.minutes(MINUTES) if figures else ()
    if window is Window.TODAY:
        return board(figures, minutes, holds_back=readings.holds_back)
    providers, total = await gather(readings.counted(window, "provider"), readings.counted_of(window, TOTAL))
    return board(figures, minutes, window, total, providers, holds_back=readings.holds_back)


def city_fragments(readings: Readings, asked: Asked) -> Fragments:
    """What the page holds beside the board.

    The table of areas is for who sees every count: map and table hold back different ones of the same calls, and who
    reads both could tell a small one.
    """
    areas = Fragment("_areas.html", partial(_scopes, readings, asked, "area"), every_s=5)
    return {
        "firing": Fragment("_firing.html", partial(read_firing, readings), every_s=5),
        "age": Fragment("_age.html", partial(read_age, readings, asked.window), every_s=5),
        "services": Fragment("_services.html", partial(_scopes, readings, asked, "service"), every_s=5),
        **({"areas": areas} if asked.every_count else {}),
        "items": Fragment("_city_items.html", partial(_items, readings, asked.window), every_s=5),
        "trends": Fragment("_trends.html", partial(read_trends, readings), every_s=10),
        "map": Fragment("_map.html", partial(_map, readings, asked), every_s=10),
        "heat": Fragment("_heat.html", partial(read_heat, readings, asked), every_s=30),
    }


async def read_firing(readings: Readings, scope: str | None = None) -> Mapping[str, Any]:
    """The alerts that fire; None if that is not known."""
    alerts = await readings.firing()
    return {"lines": None if alerts is None else firing_lines(alerts, scope)}


async def read_trends(readings: Readings, scope: Scope = TOTAL) -> Mapping[str, Any]:
    """Today by hour beside a week ago, for each target."""
    day = readings.today_of(scope)
    (today, counted), last_week = await gather(readings.hours_today(scope), readings.hours_a_week_ago(scope))
    found = trends(targets(), day, today, last_week)
    return {"charts": found.charts, "rows": found.rows, "age": counted, "holds_back": readings.holds_back}


async def read_age(readings: Readings, window: Stretch) -> Mapping[str, Any]:
    """Until when the days that were asked for are counted; nothing of what is live."""
    return {"during": window.during, "is_live": window.minutes is not None, "of": await readings.age(window)}


async def read_heat(readings: Readings, asked: Asked, scope: Scope = TOTAL) -> Mapping[str, Any]:
    """The hours of the week."""
    links = [(MEASURES[each], asked.query(heat=each), each == asked.heat) for each in MEASURES]
    return {
        "grid": await readings.heat(scope, asked.heat),
        "links": links,
        "measure": MEASURES[asked.heat],
        "holds_back": readings.holds_back,
    }


async def _map(readings: Readings, asked: Asked) -> Mapping[str, Any]:
    areas = readings.live.window("today", "area") if readings.is_known() else None
    return {"city": city_map(areas, every_count=asked.every_count)}


async def _scopes(readings: Readings, asked: Asked, kind: ScopeKind) -> Mapping[str, Any]:
    found = await readings.counted(asked.window, kind)
    every_count = asked.every_count
    waiting = readings.live.waiting(kind) if every_count else None
    return {
        "table": None if found is None else scope_table(found, every_count=every_count, waiting=waiting),
        "tells_who_waits": waiting is not None,
        "during": asked.window.during,
        "leads_on": every_count,
        "times_who_waits": asked.window.minutes is not None,
    }


async def _items(readings: Readings, window: Stretch) -> Mapping[str, Any]:
    """The whole service by item, and who rang again: of the days that were asked for, else of the last 24 hours."""
    offered, later, again = await gather(
        readings.counted_of(window, TOTAL),
        readings.counted_of(window, TOTAL, "message_end"),
        read_again(readings, TOTAL, window),
    )
    odd = readings.live.oddities()
    return {
        "rows": item_rows(offered, later, live=window.minutes is not None),
        "holds_back": readings.holds_back,
        "during": window.during,
        "again": again,
        "odd": [f"{count:,} {ODDITIES[name]}" for name, count in odd.items() if count],
    }
