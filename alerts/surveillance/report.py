"""The findings of an evaluation as a table (CSV and Markdown) and as a plot (SVG)."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Sequence
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
_STYLES = (("#005eb8", ""), ("#d5281b", "6 3"), ("#006747", "2 3"), ("#7c2855", "8 3 2 3"))  # never colour alone


def as_svg(rows: Sequence[Row]) -> str:
    """The probability of detection against the size: weekly detectors, means of the scenarios; hourly scenarios with
    their intervals."""
    weekly: dict[str, list[_Point]] = {}
    for group in _groups([row for row in rows if row.design == "weekly"]):
        weekly.setdefault(group[0].detector, []).append(
            (group[0].size, mean_of([row.probability for row in group]).value, math.nan, math.nan)
        )
    hourly: dict[str, list[_Point]] = {}
    for row in rows:
        if row.design == "hourly":
            hourly.setdefault(row.scenario, []).append((row.size, *_parts(row.probability)))
    panels = [("Weekly: outbreak of so many standard deviations", weekly), ("Hourly: surge of a day", hourly)]
    drawn = [_panel(title, lines, place * (_WIDTH + 20)) for place, (title, lines) in enumerate(panels) if lines]
    width = len(drawn) * (_WIDTH + 20)
    return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {_HEIGHT + 110}" role="img" '
            f'font-family="Arial, sans-serif" font-size="12"><title>Probability of detection</title>'
            f'<rect width="100%" height="100%" fill="white"/>{"".join(drawn)}</svg>\n')  # fmt: skip


_Point = tuple[str, float, float, float]  # size, probability, its interval or NaN


def _panel(title: str, lines: dict[str, list[_Point]], left: int) -> str:
    sizes = [point[0] for point in next(iter(lines.values()))]
    step = (_WIDTH - _LEFT - _RIGHT) / max(len(sizes) - 1, 1)
    across = {size: left + _LEFT + place * step for place, size in enumerate(sizes)}
    parts = [f'<text x="{left + _LEFT}" y="20" font-size="14">{escape(title)}</text>']
    for tenth in (0, 2, 4, 6, 8, 10):
        y = _down(tenth / 10)
        parts.append(f'<line x1="{left + _LEFT}" y1="{y}" x2="{left + _WIDTH - _RIGHT}" y2="{y}" stroke="#d8dde0"/>'
                     f'<text x="{left + _LEFT - 8}" y="{y + 4}" text-anchor="end">{tenth * 10} %</text>')  # fmt: skip
    for size, x in across.items():
        parts.append(f'<text x="{x:.1f}" y="{_TOP + _HEIGHT - 42}" text-anchor="middle">{escape(size)}</text>')
    for place, (name, points) in enumerate(lines.items()):
        parts.append(_line(name, points, across, place, left))
    return "".join(parts)


def _line(name: str, points: list[_Point], across: dict[str, float], place: int, left: int) -> str:
    colour, dashes = _STYLES[place % len(_STYLES)]
    stroke = f'stroke="{colour}" stroke-width="2" stroke-dasharray="{dashes}" fill="none"'
    path = " ".join(f"{across[size]:.1f},{_down(value)}" for size, value, _, _ in points)
    bars = [
        f'<path d="M{across[size]:.1f} {_down(low)}V{_down(high)}" stroke="{colour}"/>'
        for size, _, low, high in points
        if not math.isnan(low)
    ]
    y = _TOP + _HEIGHT + 18 * place - 14
    return (f'<polyline points="{path}" {stroke}/>{"".join(bars)}'
            f'<line x1="{left + _LEFT}" y1="{y}" x2="{left + _LEFT + 36}" y2="{y}" {stroke}/>'
            f'<text x="{left + _LEFT + 44}" y="{y + 4}">{escape(name)}</text>')  # fmt: skip


def _down(probability: float) -> float:
    return round(_TOP + (_HEIGHT - 60) * (1 - probability), 1)
