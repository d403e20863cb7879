"""Comparing what was counted with what is counted again: every scope, class, second and microsecond."""

from __future__ import annotations

from collections.abc import Mapping

from alerts.figures.items import Scope, Values
from alerts.figures.recount import Counts
from alerts.figures.tally import Tally


def differences(counted: Mapping[Scope, Tally], again: Counts) -> dict[str, int]:
    """By scope, in how many places the two differ; empty if nowhere."""
    ours = {str(scope): _counts(tally) for scope, tally in counted.items() if not tally.is_empty}
    found = {scope: _different(ours.get(scope, {}), again.get(scope, {})) for scope in {*ours, *again}}
    return {scope: places for scope, places in sorted(found.items()) if places}


def items_differ(counted: Mapping[Scope, Values], again: Mapping[str, Mapping[str, float]]) -> dict[str, int]:
    """By scope, in how many items two counts differ, where they do; nothing is nought."""
    ours = {str(scope): values for scope, values in counted.items()}
    found = {}
    for scope in sorted({*ours, *again}):
        one, other = ours.get(scope, {}), again.get(scope, {})
        found[scope] = sum((one.get(code) or 0) != other.get(code, 0) for code in {*one, *other})
    return {scope: places for scope, places in found.items() if places}


_Told = Mapping[tuple[str, str, int], int]


def _counts(tally: Tally) -> dict[tuple[str, str, int], int]:
    found = {("end", end, 0): calls for end, calls in tally.ends.items()}
    found["routed", "", 0] = tally.routed
    for (clock, group), times in tally.times.items():
        found |= {(clock, group, second): calls for second, calls in times.items()}
        found[f"{clock} us", group, 0] = tally.sums_us[clock, group]
    return {place: count for place, count in found.items() if count}


def _different(ours: _Told, again: Mapping[tuple[str, str, int], tuple[int, int]]) -> int:
    theirs: dict[tuple[str, str, int], int] = {}
    for (what, whose, second), (calls, us) in again.items():
        theirs[what, whose, second] = calls
        if us:
            place = (f"{what} us", whose, 0)
            theirs[place] = theirs.get(place, 0) + us
    return sum(ours.get(place, 0) != theirs.get(place, 0) for place in {*ours, *theirs})
