"""What of a surge is withheld outside the clinical roles: counts under 5, and what they could be worked out from."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from alerts.figures.small_numbers import SMALLEST
from alerts.surges.chart import Hour
from alerts.surges.model import EVERYWHERE, OF_AGE, Series
from infra.areas import Areas


def is_inside(inner: Series, outer: Series, areas: Areas) -> bool:
    """Whether every caller of the one is one of the other, which has more."""
    if inner.signal != outer.signal or inner.area == outer.area:
        return False
    return outer.area == EVERYWHERE or outer.area in areas.around(inner.area)


def nested(series: Series, shown: Collection[Series], areas: Areas) -> list[tuple[Series, tuple[Series, ...]]]:
    """Each series that has a page and holds this one, with those inside it that are taken from it: what is left tells.

    Once this one alone, once the largest of all that have a page: nobody is in two of them.
    """
    found: list[tuple[Series, tuple[Series, ...]]] = []
    for outer in [each for each in shown if is_inside(series, each, areas)]:
        within = [
            each for each in {*shown, series} if is_inside(each, outer, areas) and _is_age(each) == _is_age(series)
        ]
        largest = [each for each in within if not any(is_inside(each, other, areas) for other in within)]
        found += [(outer, (series,)), (outer, tuple(largest))]
    return found


def _is_age(series: Series) -> bool:
    """Areas and age bands overlap: only those of one sort can be taken away together."""
    return series.area.startswith(OF_AGE)


def without_small(
    series: Series, hours: Mapping[Series, Sequence[Hour]], around: Collection[tuple[Series, tuple[Series, ...]]]
) -> tuple[Hour, ...]:
    """The hours of the series without small counts, nor those that leave a small rest of a wider series.

    A rest of callers kept from the queue that is small, or leaves few who were not, withholds the former alone.
    """
    return tuple(
        _without_rest(hour, [_rest(hours, place, outer, taken) for outer, taken in around])
        for place, hour in enumerate(hours[series])
    )


def _rest(
    hours: Mapping[Series, Sequence[Hour]], place: int, outer: Series, taken: Sequence[Series]
) -> tuple[int, int]:
    """What those taken from the wider series leave of it in one hour: all callers, and those kept from the queue."""
    whole, parts = hours[outer][place], [hours[each][place] for each in taken]
    return (
        (whole.demand or 0) - sum(each.demand or 0 for each in parts),
        (whole.deflected or 0) - sum(each.deflected or 0 for each in parts),
    )


def _without_rest(hour: Hour, rests: Sequence[tuple[int, int]]) -> Hour:
    if any(_is_small(demand) for demand, _ in rests):
        return _withheld(hour)
    told = _without_small(hour)
    if any(_is_small(deflected) or _is_small(demand - deflected) for demand, deflected in rests):
        return replace(told, deflected=None)
    return told


def _is_small(count: int) -> bool:
    return 0 < count < SMALLEST


def _without_small(hour: Hour) -> Hour:
    """The difference of both counts is a count, too."""
    demand, deflected = hour.demand, hour.deflected
    if demand is None or demand < SMALLEST:
        return _withheld(hour)
    if deflected is None or deflected < SMALLEST or _is_small(demand - deflected):
        return replace(hour, deflected=None)
    return hour


def _withheld(hour: Hour) -> Hour:
    return replace(hour, demand=None, deflected=None)
