"""The findings of an evaluation as a table (CSV and Markdown) and as a plot (SVG)."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape

from alerts.surveillance.evaluate import Row
from alerts.surveillance.scoring import Estimate, mean_of

_ESTIMATES = ("false_a_year", "probability", "delay")
_COLUMNS = (
    *("design", "scenario", "detector", "size", "series", "threshold"),
    *(f"{name}{part}" for name in _ESTIMATES for part in ("", "_low", "_high")),
    "unit",
)


def as_csv(rows: Sequence[Row]) -> str:
    """Every row, intervals of 95 % in columns of their own; nothing in ``delay`` where nothing was found."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_COLUMNS)
    for row in rows:
        numbers = (row.threshold, *_parts(row.false_a_year), *_parts(row.probability), *_parts(row.delay))
        written = ("" if math.isnan(each) else f"{each:.3f}" for each in numbers)
        writer.writerow((row.design, row.scenario, row.detector, row.size, row.series, *written, row.unit))
    return text.getvalue()


def as_table(rows: Sequence[Row]) -> str:
    """Means over the scenarios of a design, with intervals of 95 %: a line for each detector and size, in Markdown."""
    lines = ["| design | detector | size | false episodes a series and year | found | mean delay |",
             "|---|---|---|---|---|---|"]  # fmt: skip
    for group in _groups(rows):
        first = group[0]
        false = mean_of([row.false_a_year for row in group])
        found = mean_of([row.probability for row in group])
        delay = mean_of([row.delay for row in group])
        lines.append(f"| {first.design} | {first.detector} | {first.size} | "
                     f"{false.value:.2f} ({false.low:.2f} to {false.high:.2f}) | "
                     f"{found.value:.0%} ({found.low:.0%} to {found.high:.0%}) | "
                     f"{delay.value:.1f} ({delay.low:.1f} to {delay.high:.1f}) {first.unit} |")  # fmt: skip
    return "\n".join(lines) + "\n"


def _groups(rows: Sequence[Row]) -> list[list[Row]]:
    """Rows that differ only in their scenario, in the order in which they first come."""
    found: dict[tuple[str, str, str], list[Row]] = {}
    for row in rows:
        found.setdefault((row.design, row.detector, row.size), []).append(row)
    return sorted(found.values(), key=lambda group: (group[0].design, group[0].detector))


def _parts(estimate: Estimate) -> tuple[float, float, float]:
    return estimate.value, estimate.low, estimate.high


_WIDTH, _HEIGHT, _LEFT, _TOP, _RIGHT = 420, 300, 60, 40, 20
_PANEL = (_WIDTH + 20, _HEIGHT + 110)
_STYLES = (("#005eb8", ""), ("#d5281b", "6 3"), ("#006747", "2 3"), ("#7c2855", "8 3 2 3"))  # never colour alone

_Point = tuple[str, Estimate]  # size, and what was found of it
_Lines = dict[str, list[_Point]]


@dataclass(frozen=True, slots=True)
class _Panel:
    """Lines over sizes, from 0 to ``top``; ``mark`` writes a number of its scale."""

    title: str
    lines: _Lines
    top: float
    mark: Callable[[float], str]


def as_svg(rows: Sequence[Row]) -> str:
    """Above, the probability of detection against the size; below, how late those found were found; all with intervals
    of 95 %. Left, weekly detectors, means of the scenarios; right, hourly scenarios."""
    drawn = []
    for column, design in enumerate(
        design for design in ("weekly", "hourly") if any(row.design == design for row in rows)
    ):
        for line, panel in enumerate(_panels(design, [row for row in rows if row.design == design])):
            drawn.append(f'<g transform="translate({column * _PANEL[0]} {line * _PANEL[1]})">{_drawn(panel)}</g>')
    width = len(drawn) // 2 * _PANEL[0]
    return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {2 * _PANEL[1]}" role="img" '
            f'font-family="Arial, sans-serif" font-size="12"><title>Probability of detection, and delay</title>'
            f'<rect width="100%" height="100%" fill="white"/>{"".join(drawn)}</svg>\n')  # fmt: skip


def _panels(design: str, rows: Sequence[Row]) -> tuple[_Panel, _Panel]:
    found: _Lines = {}
    delay: _Lines = {}
    if design == "weekly":
        for group in _groups(rows):
            for lines, each in ((found, [row.probability for row in group]), (delay, [row.delay for row in group])):
                lines.setdefault(group[0].detector, []).append((group[0].size, mean_of(each)))
    else:
        for row in rows:
            found.setdefault(row.scenario, []).append((row.size, row.probability))
            delay.setdefault(row.scenario, []).append((row.size, row.delay))
    latest = max(
        (each.high for points in delay.values() for _, each in points if not math.isnan(each.high)), default=1.0
    )
    what = "outbreak of so many standard deviations" if design == "weekly" else "surge of a day"
    return (
        _Panel(f"Found: {what}", found, 1.0, lambda value: f"{value:.0%}"),
        _Panel(f"Delay of those found, in {rows[0].unit}", delay, latest, lambda value: f"{value:.1f}"),
    )


def _drawn(panel: _Panel) -> str:
    sizes = [size for size, _ in next(iter(panel.lines.values()))]
    step = (_WIDTH - _LEFT - _RIGHT) / max(len(sizes) - 1, 1)
    across = {size: _LEFT + place * step for place, size in enumerate(sizes)}
    parts = [f'<text x="{_LEFT}" y="20" font-size="14">{escape(panel.title)}</text>']
    for fifth in range(6):
        y = _down(fifth / 5)
        parts.append(f'<line x1="{_LEFT}" y1="{y}" x2="{_WIDTH - _RIGHT}" y2="{y}" stroke="#d8dde0"/>'
                     f'<text x="{_LEFT - 8}" y="{y + 4}" text-anchor="end">'
                     f"{panel.mark(panel.top * fifth / 5)}</text>")  # fmt: skip
    for size, x in across.items():
        parts.append(f'<text x="{x:.1f}" y="{_TOP + _HEIGHT - 42}" text-anchor="middle">{escape(size)}</text>')
    for place, (name, points) in enumerate(panel.lines.items()):
        known = [(across[size], each) for size, each in points if not math.isnan(each.value)]
        parts.append(_line(name, known, panel.top, place, len(panel.lines)))
    return "".join(parts)


def _line(name: str, points: Sequence[tuple[float, Estimate]], top: float, place: int, lines: int) -> str:
    colour, dashes = _STYLES[place % len(_STYLES)]
    stroke = f'stroke="{colour}" stroke-width="2" stroke-dasharray="{dashes}" fill="none"'
    aside = 3 * (place - (lines - 1) / 2)  # so that the intervals of two lines do not hide each other
    path = " ".join(f"{x + aside:.1f},{_down(each.value / top)}" for x, each in points)
    bars = "".join(
        f'<path d="M{x + aside:.1f} {_down(each.low / top)}V{_down(each.high / top)}" stroke="{colour}"/>'
        for x, each in points
    )
    y = _TOP + _HEIGHT + 18 * place - 14
    return (f'<polyline points="{path}" {stroke}/>{bars}'
            f'<line x1="{_LEFT}" y1="{y}" x2="{_LEFT + 36}" y2="{y}" {stroke}/>'
            f'<text x="{_LEFT + 44}" y="{y + 4}">{escape(name)}</text>')  # fmt: skip


def _down(part: float) -> float:
    return round(_TOP + (_HEIGHT - 60) * (1 - min(max(part, 0.0), 1.0)), 1)
