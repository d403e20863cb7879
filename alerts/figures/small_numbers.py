"""Small counts, and what would give them away: what is told outside the clinical roles in their place.

The one place that decides it (docs/safety/rules.md, 9). Of places (areas) and needs (services) counts are rounded, too
(ADR 33 and 45); figures of the whole service and of a provider are exact from 5 on (ADR 51).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from alerts.figures.items import IN_PROGRESS, ITEMS, PROBES, Kpis, Scope, Values

SMALLEST = 5
SMALL = f"<{SMALLEST}"
HELD_BACK = "–"

_REST = "rest"
"""What a whole has beside its parts: told nowhere, so that it covers a part that is held back at no cost."""

_PARTS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("A01", ("A02",)),
    ("A03", ("B01",)),
    ("B02", ("B03", "B04", "B05")),
    ("D13", ("D14", "D14_60M", "D14_LATER")),
    ("D15", ("D16",)),
    ("D17", ("D18",)),
    ("RECONTACT_BASE", ("RECONTACT_72H",)),
    ("RECONTACT_72H", ("RECONTACT_24H",)),
    ("RECONTACT_24H", ("RECONTACT_1H",)),
)
_OF_CLASS = {"answered": "A03", "abandoned": "B02"}
_SENT_AWAY = ("deflected", "left_in_message", "self_served", "served_elsewhere")
_TIMES = {"B06": "A03", "B07": "A03", "B07_ALL": "A03", "B09": "B02"}
"""Of whose calls these are the seconds: of fewer than five they are not told."""

_COUNTS = tuple(code for code, item in ITEMS.items() if item.unit == "calls")
_ADDED_UP = tuple(code for code in _COUNTS if code not in ("B01", "B03", "B04", "B05"))
"""What providers' counts add up to the whole service's of: not what depends on from when each counts the time."""


def of_few(scope: str) -> bool:
    """Whether a scope (``area:camden``), or a kind of them, is a place or a need."""
    return scope.partition(":")[0] in ("area", "service")


def rounded(count: int) -> int:
    """To the nearest five: of two looks, one call apart, four times out of five both tell the same."""
    return (count + SMALLEST // 2) // SMALLEST * SMALLEST


def shown(counts: Mapping[str, int], also: Collection[str] = (), *, exact: bool = False) -> dict[str, str]:
    """Each count as text, rounded unless ``exact``, those under 5 as ``<5``; those of the names in ``also`` are held
    back in any case.

    Beside the sum of them all, a single one that is held back would be no secret, nor would several be that are all 1
    or all 4, nor, if the sum is exact, several that are few together: the smallest other goes with them, as
    :data:`HELD_BACK`.
    """
    hidden = _hidden(counts, also, exact=exact)
    return {
        name: _in_place(count) if name in hidden else f"{count if exact else rounded(count):,}"
        for name, count in counts.items()
    }


def _hidden(counts: Mapping[str, int], also: Collection[str], *, exact: bool = True) -> set[str]:
    hidden = {name for name, count in counts.items() if count < SMALLEST} | (counts.keys() & set(also))
    others = sorted(counts.keys() - hidden, key=lambda name: (name != _REST, counts[name], name))
    sum_of_them = sum(counts[name] for name in hidden)
    all_alike = sum_of_them in (len(hidden), (SMALLEST - 1) * len(hidden))
    are_few = exact and 0 < sum_of_them < SMALLEST
    if others and hidden and (len(hidden) == 1 or all_alike or are_few):
        hidden.add(others[0])
    return hidden


def _in_place(count: int) -> str:
    return SMALL if count < SMALLEST else HELD_BACK


def held_back(found: Sequence[Kpis]) -> tuple[Kpis, ...]:
    """Figures of the whole service, or of all its providers, as they are told outside the clinical roles.

    What is not told has no value, and its text stands in ``held``. Providers come together: one alone that is held back
    would follow from the whole service's count and the others'.
    """
    texts = withheld({each.scope: (each.values, each.ends) for each in found})
    return tuple(_without(each, texts[each.scope]) for each in found)


def held_back_of_hour(kpis: Kpis) -> Kpis:
    """The figures of an hour of which shares and times are told and no count: nothing stands beside a small one."""
    counts = _Counts(kpis.scope, kpis.values, {})
    counts.families = [each for each in counts.families if each[0] != "A01"]
    counts.hide()
    return _without(kpis, counts.texts())


def _without(kpis: Kpis, held: Mapping[str, str]) -> Kpis:
    tells = kpis.scope.kind == "total"  # of a provider the classes that are no items are told nowhere
    known = {name: calls for name, calls in kpis.ends.items() if tells or name in (*_OF_CLASS, IN_PROGRESS)}
    ends = {name: calls for name, calls in known.items() if _OF_CLASS.get(name, name) not in held}
    classes = {name: held[code] for name, code in _OF_CLASS.items() if code in held}
    values = {code: None if code in held else value for code, value in kpis.values.items()}
    return replace(kpis, values=values, ends=ends, held={**held, **classes})


def withheld(found: Mapping[Scope, tuple[Values, Mapping[str, int]]]) -> dict[Scope, dict[str, str]]:
    """What stands in place of which items and end classes, of each scope by its items and its calls by end class.

    Calls in progress are of this moment, and always told.
    """
    scopes = {scope: _Counts(scope, values, ends) for scope, (values, ends) in found.items()}
    published = {scope.id: each for scope, each in scopes.items() if scope.kind == "provider" and scope != PROBES}
    size, before = sum(len(each.hide()) for each in scopes.values()), -1
    while size != before:
        for code in _ADDED_UP:
            column = {name: each.counts[code] for name, each in published.items() if code in each.counts}
            for name in _hidden(column, [name for name in column if code in published[name].hidden]):
                published[name].hidden.add(code)
        size, before = sum(len(each.hide()) for each in scopes.values()), size
    return {scope: each.texts() for scope, each in scopes.items()}


class _Counts:
    """The counts of one scope by item, and of the whole service by end class, and those that are held back."""

    def __init__(self, scope: Scope, values: Values, ends: Mapping[str, int]) -> None:
        counts = {code: int(value) for code in _COUNTS if (value := values.get(code)) is not None}
        if scope.kind == "total":
            calls = {_OF_CLASS.get(name, name): count for name, count in ends.items() if name != IN_PROGRESS}
        else:
            calls = {code: counts[code] for code in _OF_CLASS.values() if code in counts}
            calls = _parts(counts.get("A01", 0) - ends.get(IN_PROGRESS, 0), calls)
        self.counts = calls | counts
        self.counts.pop(_REST, None)
        self.families = [("A01", calls)]
        for whole, codes in _PARTS:
            if whole in counts and (parts := {code: counts[code] for code in codes if code in counts}):
                self.families.append((whole, _parts(counts[whole], parts)))
        self.hidden = {name for name, count in self.counts.items() if count < SMALLEST}

    def hide(self) -> set[str]:
        """Adds to ``hidden`` what would give it away here, and returns it."""
        hidden = self.hidden
        if "A01" in hidden:  # of few calls nothing else is told
            hidden |= self.counts.keys()
        for whole, parts in self.families:
            hidden |= (parts.keys() if whole in hidden else _hidden(parts, hidden)) - {_REST}
        if "call_back" in hidden and "D13" in self.counts:
            hidden.add("D13")
        told = sum(self.counts[name] for name in _SENT_AWAY if name in self.counts and name not in hidden)
        if 0 < self.counts.get("RECONTACT_BASE", 0) - told < SMALLEST:
            hidden.add("RECONTACT_BASE")
        return hidden

    def texts(self) -> dict[str, str]:
        found = {name: _in_place(self.counts[name]) for name in self.hidden}
        answered, in_time = self.counts.get("A03", 0), self.counts.get("B01", 0)
        if "B01" in found and "A03" not in found and SMALLEST <= in_time < answered < in_time + SMALLEST:
            found["B01"] = f">{answered - SMALLEST}"
        return found | {code: HELD_BACK for code, of in _TIMES.items() if self.counts.get(of, SMALLEST) < SMALLEST}


def _parts(whole: int, parts: dict[str, int]) -> dict[str, int]:
    rest = whole - sum(parts.values())
    return {**parts, _REST: rest} if rest > 0 else parts
