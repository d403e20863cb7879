"""A series by hours as lines to be drawn: callers, what is usual, from where on it is unusual. SVG without script."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from alerts.surges.chart import Hour
from console.words import LONDON

WIDTH, HEIGHT = 640.0, 200.0
_LEAST_TOP = 5.0


@dataclass(frozen=True, slots=True)
class Drawn:
    """Paths of the lines; ``top``: the number at the top of the scale; ``days``: where a day begins, and its name."""

    callers: str
    deflected: str
    usual: str
    bound: str
    dots: tuple[tuple[float, float], ...]
    top: int
    days: tuple[tuple[float, str], ...]


def drawn(hours: Sequence[Hour]) -> Drawn:
    """The lines of at least one hour, oldest first; where a number is unknown or withheld there is a gap."""
    shown = [value for each in hours for value in (each.demand, each.expected, each.bound) if value is not None]
    top = max(_LEAST_TOP, 1.1 * max(shown, default=0.0))

    def x(place: int) -> float:
        return round(place * WIDTH / max(1, len(hours) - 1), 1)

    def y(value: float) -> float:
        return round(HEIGHT * (1 - value / top), 1)

    def line(value: Callable[[Hour], float | None]) -> str:
        return _path((None if (v := value(each)) is None else (x(place), y(v))) for place, each in enumerate(hours))

    dots = tuple((x(place), y(each.demand)) for place, each in enumerate(hours) if each.demand is not None)
    days = tuple(
        (x(place), f"{local:%a} {local.day}")
        for place, each in enumerate(hours)
        if (local := each.at.astimezone(LONDON)).hour == 0
    )
    return Drawn(
        callers=line(lambda each: each.demand),
        deflected=line(lambda each: each.deflected) if any(each.deflected for each in hours) else "",
        usual=line(lambda each: each.expected),
        bound=line(lambda each: each.bound),
        dots=dots,
        top=int(top),
        days=days,
    )


def _path(points: Iterable[tuple[float, float] | None]) -> str:
    parts: list[str] = []
    pen_is_down = False
    for point in points:
        if point is not None:
            parts.append(f"{'L' if pen_is_down else 'M'}{point[0]} {point[1]}")
        pen_is_down = point is not None
    return "".join(parts)
