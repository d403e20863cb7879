"""A series by hours as lines to be drawn: callers, what is usual, from where on it is unusual. SVG without script."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from alerts.surges.chart import Hour
from console.words import LONDON

WIDTH, HEIGHT = 640.0, 200.0
_LEAST_TOP = 5.0
_LEAST_PER_CENT = 2.0

_Value = Callable[[Hour], float | None]


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
    """Callers of at least one hour, oldest first; where a number is unknown or withheld there is a gap."""
    deflected: _Value = (lambda each: each.deflected) if any(each.deflected for each in hours) else _nothing
    values: tuple[_Value, ...] = (
        lambda each: each.demand,
        deflected,
        lambda each: each.expected,
        lambda each: each.bound,
    )
    return _drawn(hours, values, _LEAST_TOP)


def shares_drawn(hours: Sequence[Hour]) -> Drawn:
    """As :func:`drawn`, their share of all calls in per cent, and the usual one."""

    def per_cent(share: float | None) -> float | None:
        return None if share is None else 100 * share

    share: _Value = lambda each: per_cent(each.share)  # noqa: E731 - as its neighbours
    return _drawn(hours, (share, _nothing, lambda each: per_cent(each.usual_share), _nothing), _LEAST_PER_CENT)


def _nothing(_: Hour) -> None:
    return None


def _drawn(hours: Sequence[Hour], values: tuple[_Value, ...], least_top: float) -> Drawn:
    """``values``: of callers, deflected, usual, bound."""
    shown = [number for value in values for each in hours if (number := value(each)) is not None]
    top = max(least_top, 1.1 * max(shown, default=0.0))

    def x(place: int) -> float:
        return round(place * WIDTH / max(1, len(hours) - 1), 1)

    def y(value: float) -> float:
        return round(HEIGHT * (1 - value / top), 1)

    def line(value: _Value) -> str:
        return _path((None if (v := value(each)) is None else (x(place), y(v))) for place, each in enumerate(hours))

    callers, deflected, usual, bound = map(line, values)
    dots = tuple((x(place), y(v)) for place, each in enumerate(hours) if (v := values[0](each)) is not None)
    days = tuple(
        (x(place), f"{local:%a} {local.day}")
        for place, each in enumerate(hours)
        if (local := each.at.astimezone(LONDON)).hour == 0
    )
    return Drawn(callers, deflected, usual, bound, dots, int(top), days)


def _path(points: Iterable[tuple[float, float] | None]) -> str:
    parts: list[str] = []
    pen_is_down = False
    for point in points:
        if point is not None:
            parts.append(f"{'L' if pen_is_down else 'M'}{point[0]} {point[1]}")
        pen_is_down = point is not None
    return "".join(parts)
