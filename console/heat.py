"""The hours of a week as a table whose cells are shaded: calls, or waits, of the last weeks."""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import reduce
from math import ceil
from operator import add
from typing import Literal

from alerts.figures.items import Kpis, Seconds
from alerts.figures.small_numbers import SMALL, SMALLEST
from console.words import LONDON

WEEKS = 8
LEVELS = 5
DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
NOTHING = "–"

Measure = Literal["offered", "wait"]
"""Calls offered, the median of the weeks; or the 95th centile of the time to answer, of all their calls together."""

MEASURES: Mapping[Measure, str] = {
    "offered": "Calls offered in the hour",
    "wait": "95th centile of the time to answer, min:s",
}


@dataclass(frozen=True, slots=True)
class Cell:
    """One hour of the week; ``level`` 1 to 5 is its shade, 0 where nothing is known."""

    text: str
    level: int


@dataclass(frozen=True, slots=True)
class Heat:
    """Seven rows of 24 cells, Monday first, of so many ``days``; ``legend``: of each shade, from the lightest."""

    measure: Measure
    rows: tuple[tuple[str, tuple[Cell, ...]], ...]
    days: int
    legend: tuple[str, ...]


def heat(hours: Sequence[Kpis], measure: Measure, *, holds_back: bool = False) -> Heat:
    """From the figures of single hours of one scope.

    An hour without a row, of a day that has others, had no call. A centile is of the calls of all weeks together:
    centiles are never averaged. ``holds_back``: calls under 5 are not told, nor the wait of so few.
    """
    slots: dict[tuple[int, int], list[Kpis]] = defaultdict(list)
    for each in hours:
        local = each.start.astimezone(LONDON)
        slots[(local.weekday(), local.hour)].append(each)
    days = {each.start.astimezone(LONDON).date() for each in hours}
    least = SMALLEST if holds_back else 0
    values = _calls(slots, days) if measure == "offered" else _waits(slots, least)
    step = max(1, least, ceil(max(values.values(), default=0) / LEVELS))
    rows = tuple(
        (name, tuple(_cell(values.get((day, hour)), step, measure, least) for hour in range(24)))
        for day, name in enumerate(DAYS)
    )
    legend = tuple(
        f"{_text(level * step + (level > 0), measure)} to {_text((level + 1) * step, measure)}"
        for level in range(LEVELS)
    )
    return Heat(measure, rows, len(days), legend if values else ())


def _calls(slots: Mapping[tuple[int, int], Sequence[Kpis]], days: set[date]) -> dict[tuple[int, int], float]:
    found: dict[tuple[int, int], float] = {}
    for day, hour in ((day, hour) for day in range(7) for hour in range(24)):
        counts = [each.values["A01"] or 0.0 for each in slots.get((day, hour), ())]
        quiet = sum(_exists(each, hour) for each in days if each.weekday() == day) - len(counts)
        if counts or quiet > 0:
            found[(day, hour)] = statistics.median([*counts, *[0.0] * quiet])
    return found


def _waits(slots: Mapping[tuple[int, int], Sequence[Kpis]], least: int) -> dict[tuple[int, int], float]:
    together = {slot: reduce(add, (each.waits for each in weeks), Seconds()) for slot, weeks in slots.items()}
    found = {slot: each.centile(0.95) for slot, each in together.items() if each.total >= least}
    return {slot: float(each) for slot, each in found.items() if each is not None}


def _exists(day: date, hour: int) -> bool:
    """Whether London's clocks show that hour on that day: one is skipped in spring."""
    local = datetime(day.year, day.month, day.day, hour, tzinfo=LONDON)
    return local.astimezone(UTC).astimezone(LONDON).hour == hour


def _cell(value: float | None, step: int, measure: Measure, least: int) -> Cell:
    if value is None:
        return Cell(NOTHING, 0)
    if measure == "offered" and value < least:
        return Cell(SMALL, 1)
    return Cell(_text(value, measure), min(LEVELS, max(1, ceil(value / step))))


def _text(value: float, measure: Measure) -> str:
    if measure == "offered":
        return f"{value:,.0f}" if value >= 10 else f"{value:.1f}".removesuffix(".0")
    return f"{int(value) // 60}:{int(value) % 60:02}"
