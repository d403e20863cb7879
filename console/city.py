"""The city at a glance: what the wallboard's page and its stream hold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from alerts.figures.items import TOTAL, Kpis, Scope, ScopeKind
from alerts.figures.targets import targets
from console.board import MINUTES, Board, board, counts_of
from console.city_map import city_map
from console.firing import firing_lines
from console.fragments import Fragment, Fragments
from console.heat import MEASURES, Measure
from console.measures import amount
from console.readings import Readings
from console.trends import trends
from console.windows import Window
from console.words import share


@dataclass(frozen=True, slots=True)
class Asked:
    """What the address asks for, and whether who asks may see small numbers. Pages that ask alike share a stream."""

    window: Window = Window.TODAY
    heat: Measure = "offered"
    every_count: bool = False

    def query(self, **other: str) -> str:
        """As an address asks for it, with ``other`` in place of some."""
        asked = {"window": str(self.window), "heat": self.heat, **other}
        return "?" + "&".join(f"{name}={value}" for name, value in asked.items())


def read_board(readings: Readings, window: Window) -> Board:
    """The tiles and the table of providers as they stand now."""
    live = readings.live
    figures = live.figures()
    minutes = live.minutes(MINUTES) if figures else ()
    if window is Window.TODAY:
        return board(figures, minutes)
    providers = live.window(window.minutes, "provider")
    return board(figures, minutes, window, readings.window(window, TOTAL), providers)


def city_fragments(readings: Readings, asked: Asked) -> Fragments:
    """What the page holds beside the board."""
    return {
        "firing": Fragment("_firing.html", partial(read_firing, readings), every_s=5),
        "services": Fragment("_services.html", partial(_scopes, readings, asked.window, "service"), every_s=5),
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
    day = readings.window(Window.TODAY, scope)
    found = trends(targets(), day, await readings.hours_today(scope), await readings.hours_a_week_ago(scope))
    return {"charts": found.charts, "rows": found.rows, "is_old": readings.is_today_old(scope)}


async def read_heat(readings: Readings, asked: Asked, scope: Scope = TOTAL) -> Mapping[str, Any]:
    """The hours of the week."""
    links = [(MEASURES[each], asked.query(heat=each), each == asked.heat) for each in MEASURES]
    return {"grid": await readings.heat(scope, asked.heat), "links": links, "measure": MEASURES[asked.heat]}


async def _map(readings: Readings, asked: Asked) -> Mapping[str, Any]:
    areas = readings.live.window("today", "area") if readings.is_known() else None
    return {"city": city_map(areas, every_count=asked.every_count)}


async def _scopes(readings: Readings, window: Window, kind: ScopeKind) -> Mapping[str, Any]:
    rows = [scope_row(each) for each in readings.live.window(window.minutes, kind)] if readings.is_known() else None
    return {"rows": rows, "during": window.during}


def scope_row(kpis: Kpis) -> tuple[str, tuple[str, ...]]:
    """A name, and: offered, answered, in 60 s, abandoned, 95th centile of all."""
    counts = counts_of(kpis)
    return kpis.name, (
        amount(counts.offered, "calls"),
        amount(counts.answered, "calls"),
        share(counts.answered_within_60, counts.answered) or "–",
        share(counts.abandoned, counts.offered) or "–",
        amount(kpis.values["B07_ALL"], "seconds") if kpis.values["B07_ALL"] is not None else "–",
    )
