"""Trend lines: each target's figure by hour of this day, beside the same weekday a week ago, as lines to be drawn.

The page draws them as SVG, without a script, so that they can be printed; the same numbers stand in a table.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from alerts.figures.items import OF_CALL_BACKS, Kpis
from alerts.figures.targets import Target
from console.measures import Judged, amount, judged
from console.words import LONDON

WIDTH, HEIGHT = 320.0, 120.0
HOURS = 24
LOWEST_SHARE = 0.8
"""A share that should be high is drawn from here up, or the line and its target could not be told apart."""


@dataclass(frozen=True, slots=True)
class Line:
    """One day: the path of its line, and a dot for each hour that has a figure (x, y)."""

    path: str
    dots: tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class Trend:
    """One small chart. ``target_y``: where the target is drawn; ``top`` and ``bottom``: the ends of its scale."""

    id: str
    so_far: Judged
    today: Line
    last_week: Line
    target_y: float
    top: str
    bottom: str


@dataclass(frozen=True, slots=True)
class Trends:
    """The charts of one scope and the table of them all: for each hour, today and last week of each target."""

    charts: tuple[Trend, ...]
    rows: tuple[tuple[str, tuple[str, ...]], ...]


def trends(targets: Sequence[Target], day: Kpis | None, today: Sequence[Kpis], last_week: Sequence[Kpis]) -> Trends:
    """Charts of ``today`` and ``last_week`` (figures of single hours, of one scope); ``day``: today until now."""
    drawn = [each for each in targets if each.part not in OF_CALL_BACKS]
    found = {each.id: (by_hour(each, today), by_hour(each, last_week)) for each in drawn}
    return Trends(
        charts=tuple(_chart(each, judged(each, day), *found[each.id]) for each in drawn),
        rows=tuple(
            (f"{hour:02}:00", tuple(_text(each, line[hour]) for each in drawn for line in found[each.id]))
            for hour in range(HOURS)
        ),
    )


def by_hour(target: Target, hours: Sequence[Kpis]) -> list[float | None]:
    """The target's figure of each hour of the day in London; of the hour that comes twice in autumn, the second's."""
    found: list[float | None] = [None] * HOURS
    for each in sorted(hours, key=lambda one: one.start):
        found[each.start.astimezone(LONDON).hour] = target.figure(each.values)
    return found


def of_day(hours: Sequence[Kpis], day: date) -> list[Kpis]:
    """Those that lie in this day in London."""
    return [each for each in hours if each.start.astimezone(LONDON).date() == day]


def _text(target: Target, value: float | None) -> str:
    return "–" if value is None else amount(value, target.unit)


def _chart(target: Target, so_far: Judged, today: list[float | None], last_week: list[float | None]) -> Trend:
    known = [each for each in (*today, *last_week) if each is not None]
    low, high = _scale(target, known)

    def y(value: float) -> float:
        return round(HEIGHT * (1 - (value - low) / (high - low)), 1)

    return Trend(
        id=target.id,
        so_far=so_far,
        today=_line([None if each is None else y(each) for each in today]),
        last_week=_line([None if each is None else y(each) for each in last_week]),
        target_y=y(target.bound),
        top=amount(high, target.unit),
        bottom=amount(low, target.unit),
    )


def _scale(target: Target, known: list[float]) -> tuple[float, float]:
    if not target.is_ceiling and target.unit == "share":
        return min([LOWEST_SHARE, *known]), 1.0
    return 0.0, max([target.bound * 1.5, *(each * 1.1 for each in known)])


def _line(heights: list[float | None]) -> Line:
    dots = [(round((hour + 0.5) * WIDTH / HOURS, 1), y) for hour, y in enumerate(heights) if y is not None]
    steps = []
    for hour, y in enumerate(heights):
        if y is not None:
            joined = hour > 0 and heights[hour - 1] is not None
            steps.append(f"{'L' if joined else 'M'}{round((hour + 0.5) * WIDTH / HOURS, 1)} {y}")
    return Line(" ".join(steps), tuple(dots))
