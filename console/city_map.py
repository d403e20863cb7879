"""London's boroughs as a map of squares: how many calls were offered from each. No personal data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from math import ceil
from pathlib import Path

from alerts.figures.items import Kpis
from alerts.figures.small_numbers import HELD_BACK, SMALL, SMALLEST, rounded, shown
from console.words import UNKNOWN
from infra.areas import london
from infra.yamlfile import read_yaml

FILE = Path(__file__).with_name("boroughs.yaml")
LEVELS = 5


@dataclass(frozen=True, slots=True)
class Square:
    """Where a borough stands on the map."""

    id: str
    name: str
    short: str
    row: int
    column: int


@dataclass(frozen=True, slots=True)
class Tile:
    """A square with its count. ``level``: 1 to 5, as many bars as it bears; 0 where the count is not shown."""

    square: Square
    text: str
    level: int


@dataclass(frozen=True, slots=True)
class CityMap:
    """The map in words. ``legend``: the counts of each level, lowest first; ``elsewhere``: of no known borough.

    ``holds_back``: counts are rounded, and small ones not told."""

    tiles: tuple[Tile, ...]
    legend: tuple[str, ...]
    elsewhere: str
    holds_back: bool

    def by_name(self) -> list[Tile]:
        """As the table beside the map lists them."""
        return sorted(self.tiles, key=lambda tile: tile.square.name)


_ELSEWHERE = ""
"""Of no known borough: no borough has this name."""


@cache
def squares() -> tuple[Square, ...]:
    """The 33 of the shipped file; raises KeyError for one that is no borough of infra/areas.yaml."""
    return tuple(
        Square(each["id"], london()[each["id"]].name, each["short"], each["row"], each["column"])
        for each in read_yaml(FILE).data["squares"]
    )


def city_map(areas: Sequence[Kpis] | None, *, every_count: bool) -> CityMap:
    """Calls offered (item A01) by borough; ``every_count`` shows each to the call. None: not known."""
    if areas is None:
        return CityMap(tuple(Tile(each, "", 0) for each in squares()), (), UNKNOWN, holds_back=False)
    offered = {each.scope.id: int(each.values["A01"] or 0) for each in areas}
    counts = {each.id: offered.get(each.id, 0) for each in squares()}
    everybody = counts | {_ELSEWHERE: sum(count for name, count in offered.items() if name not in counts)}
    texts = {name: f"{count:,}" for name, count in everybody.items()} if every_count else shown(everybody)
    if not every_count:
        counts = {name: rounded(count) for name, count in counts.items()}
    step = max(1, ceil(max(counts.values()) / LEVELS))
    tiles = tuple(Tile(each, texts[each.id], _level(counts[each.id], texts[each.id], step)) for each in squares())
    legend = _legend(step, SMALLEST if not every_count else 0) if any(tile.level for tile in tiles) else ()
    return CityMap(tiles, legend, texts[_ELSEWHERE], holds_back=not every_count)


def _level(count: int, text: str, step: int) -> int:
    if text in (SMALL, HELD_BACK):
        return 0
    return max(1, ceil(count / step))


def _legend(step: int, least: int) -> tuple[str, ...]:
    ends = [(level * step + 1 if level else min(least, step), (level + 1) * step) for level in range(LEVELS)]
    return tuple(f"{low:,}" if low == high else f"{low:,} to {high:,}" for low, high in ends)
