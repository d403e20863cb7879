"""Services and areas as a table: how many calls each had and what became of them, with small numbers held back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from alerts.figures.items import Kpis, Scope
from alerts.figures.small_numbers import HELD_BACK, SMALL, SMALLEST, rounded, shown
from alerts.figures.waiting import NOBODY, WaitingNow
from console.board import counts_of
from console.measures import amount
from console.words import duration, share

NOTHING = "–"


@dataclass(frozen=True, slots=True)
class ScopeRow:
    """One line: offered, answered, in 60 s, abandoned, 95th centile of all. ``id``: the scope's.

    Where every count is shown, who waits now and the longest wait stand before them.
    """

    id: str
    name: str
    cells: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ScopeTable:
    """The lines, and whether they are rounded and small counts held back."""

    rows: tuple[ScopeRow, ...]
    holds_back: bool


def scope_table(
    found: Sequence[Kpis], *, every_count: bool, waiting: Mapping[Scope, WaitingNow] | None = None
) -> ScopeTable:
    """Of scopes whose calls add up to the whole service's; ``every_count`` shows those under 5 as well.

    ``waiting``: who waits now, told only where every count is.

    What is held back in one column must not follow from another: of few calls nothing else is told, and no share whose
    parts are few.
    """
    if every_count:
        rows = [ScopeRow(each.scope.id, each.name, _full(each, waiting)) for each in found]
        return ScopeTable(tuple(rows), holds_back=False)
    columns = _columns(found)
    rows = [ScopeRow(each.scope.id, each.name, _partly(each, columns)) for each in found]
    return ScopeTable(tuple(rows), holds_back=True)


def _full(kpis: Kpis, waiting: Mapping[Scope, WaitingNow] | None) -> tuple[str, ...]:
    counts = counts_of(kpis)
    return (
        *(() if waiting is None else _now(waiting.get(kpis.scope, NOBODY))),
        amount(counts.offered, "calls"),
        amount(counts.answered, "calls"),
        share(counts.answered_within_60, counts.answered) or NOTHING,
        share(counts.abandoned, counts.offered) or NOTHING,
        _longest(kpis),
    )


def _now(now: WaitingNow) -> tuple[str, str]:
    return amount(now.waiting, "calls"), duration(now.longest_wait_s) if now.waiting else NOTHING


def _columns(found: Sequence[Kpis]) -> Mapping[str, Mapping[str, str]]:
    """The texts of offered, answered and abandoned, by scope."""
    counts = {code: {each.scope.id: int(each.values[code] or 0) for each in found} for code in ("A01", "A03", "B02")}
    offered = shown(counts["A01"])
    of_few = {name for name, text in offered.items() if text in (SMALL, HELD_BACK)}
    few_not = {name for name, calls in counts["A03"].items() if 0 < counts["A01"][name] - calls < SMALLEST}
    answered = shown(counts["A03"], of_few | few_not)
    return {"A01": offered, "A03": answered, "B02": shown(counts["B02"], of_few)}


def _partly(kpis: Kpis, columns: Mapping[str, Mapping[str, str]]) -> tuple[str, ...]:
    counts = counts_of(kpis)
    offered, answered, abandoned = (columns[code][kpis.scope.id] for code in ("A01", "A03", "B02"))
    late = (counts.answered or 0) - (counts.answered_within_60 or 0)
    tells = answered not in (SMALL, HELD_BACK)
    in_time = tells and (counts.answered_within_60 or 0) >= SMALLEST and (late == 0 or late >= SMALLEST)
    return (
        offered,
        answered,
        _about(counts.answered_within_60, counts.answered) if in_time else HELD_BACK,
        _about(counts.abandoned, counts.offered) if abandoned not in (SMALL, HELD_BACK) else HELD_BACK,
        _longest(kpis) if tells else HELD_BACK,
    )


def _about(part: int | None, whole: int | None) -> str:
    """A share that tells no more than the rounded counts do; one of all stays one of all."""
    return share(min(rounded(part or 0), rounded(whole or 0)), rounded(whole or 0))


def _longest(kpis: Kpis) -> str:
    value = kpis.values["B07_ALL"]
    return NOTHING if value is None else amount(value, "seconds")
