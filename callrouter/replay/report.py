"""What a replay found: how many calls would have gone elsewhere, from where to where, and how much sooner or later.

Counts and names of steps only: no call, no number, no time of day.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from statistics import median
from typing import Any

from callrouter.replay.player import Course


@dataclass(frozen=True, slots=True)
class Compared:
    """One call: its course as it was and as it would be, or why that cannot be known."""

    then: Course | None
    now: Course | None
    undetermined: str = ""


@dataclass(frozen=True, slots=True)
class Change:
    """Calls that would have come elsewhere. ``seconds``: the median difference until there; more is later."""

    was: str
    becomes: str
    calls: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Report:
    """``seconds``: by how much later calls would have come to a person or service, wherever that is; quartiles of it,
    sooner is below zero. ``sooner`` and ``later`` count them; the others come as soon.
    """

    version: str
    calls: int
    same: int
    changes: tuple[Change, ...]
    undetermined: tuple[tuple[str, int], ...]
    seconds: tuple[float, float, float]
    sooner: int
    later: int
    is_cut: bool = False

    @property
    def elsewhere(self) -> int:
        """How many would have gone elsewhere."""
        return sum(each.calls for each in self.changes)

    @property
    def unknown(self) -> int:
        """How many cannot be told."""
        return sum(calls for _, calls in self.undetermined)

    @property
    def as_soon(self) -> int:
        """How many would have come as soon as they did, to a tenth of a second."""
        return self.calls - self.unknown - self.sooner - self.later

    def plain(self) -> dict[str, Any]:
        """As JSON for a page."""
        return {
            "version": self.version, "calls": self.calls, "same": self.same, "elsewhere": self.elsewhere,
            "undetermined": self.unknown, "cut_at_limit": self.is_cut,
            "seconds_before_a_person": dict(zip(("quarter", "half", "three_quarters"), self.seconds, strict=True)),
            "sooner": self.sooner, "as_soon": self.as_soon, "later": self.later,
            "changes": [
                {"was": each.was, "becomes": each.becomes, "calls": each.calls, "seconds": each.seconds}
                for each in self.changes
            ],
            "undetermined_because": [{"why": why, "calls": calls} for why, calls in self.undetermined],
        }  # fmt: skip


def report(version: str, compared: Iterable[Compared], *, is_cut: bool = False) -> Report:
    """Sum up. The largest groups come first."""
    calls, same = 0, 0
    differences: list[float] = []
    moved: dict[tuple[str, str], list[float]] = {}
    unknown: Counter[str] = Counter()
    for each in compared:
        calls += 1
        if each.then is None or each.now is None:
            unknown[each.undetermined] += 1
            continue
        difference = round(each.now.seconds - each.then.seconds, 1)
        differences.append(difference)
        if each.now.where == each.then.where:
            same += 1
        else:
            moved.setdefault((each.then.where, each.now.where), []).append(difference)
    ordered = sorted(moved.items(), key=lambda group: (-len(group[1]), group[0]))
    changes = tuple(Change(was, becomes, len(s), round(median(s), 1)) for (was, becomes), s in ordered)
    sooner, later = sum(each < 0 for each in differences), sum(each > 0 for each in differences)
    return Report(
        version,
        calls,
        same,
        changes,
        tuple(unknown.most_common()),
        _quartiles(differences),
        sooner,
        later,
        is_cut=is_cut,
    )


def _quartiles(values: list[float]) -> tuple[float, float, float]:
    if not values:
        return 0.0, 0.0, 0.0
    ordered, last = sorted(values), len(values) - 1
    quarter, half, three = (round(ordered[round(last * part)], 1) for part in (0.25, 0.5, 0.75))
    return quarter, half, three
