"""The wallboard's figures as the words that stand in its cells.

The page and its live events take their text from here, so that both say the same and the browser formats
nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from alerts.figures.items import Kpis
from console import words
from console.ports import Figures, MinutePoint, ScopeFigures, TotalFigures
from console.windows import Stretch, Window

LATE_S = 60.0
"""A wait over this is marked: B01 counts calls answered within 60 s (IUC aggregate data collection)."""

MINUTES = 30
NOBODY = "none"

END_CLASSES = {
    "answered": "answered",
    "answer_unknown": "answer unknown",
    "abandoned": "abandoned",
    "left_in_message": "left in a message",
    "deflected": "deflected",
    "self_served": "self-served",
    "served_elsewhere": "served elsewhere",
    "call_back": "promised a call back",
    "dropped_by_us": "dropped by us",
    "in_progress": "in progress",
}
"""Each call is in one of these; their sum is what was offered, item A01 (docs/safety/rules.md, 8)."""

_SHARES = ("within_60_share", "abandoned_share")
_COLUMNS = ("offered", "waiting", "longest", "within_60", *_SHARES)


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table. ``late`` marks a longest wait over 60 s."""

    scope: str
    name: str
    late: bool
    cells: dict[str, str]


@dataclass(frozen=True, slots=True)
class Minute:
    """One minute of the chart and of its table; ``t`` is Unix time, None is unknown or nobody."""

    t: int
    time: str
    offered: int | None
    answered: int | None
    longest_s: int | None
    cells: tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class Counts:
    """The counts of one row: since midnight, or of the window that was asked for."""

    offered: int | None = None
    answered: int | None = None
    answered_within_60: int | None = None
    abandoned: int | None = None


@dataclass(frozen=True, slots=True)
class Board:
    """Everything that the wallboard shows at one time. ``at`` of it are the figures."""

    at: str
    total: Row
    rows: tuple[Row, ...]
    minutes: tuple[Minute, ...]
    summary: str

    def event(self) -> dict[str, Any]:
        """As the live stream sends it."""
        return asdict(self)


def board(
    figures: Figures | None,
    minutes: Iterable[MinutePoint],
    window: Stretch = Window.TODAY,
    total: Kpis | None = None,
    providers: Iterable[Kpis] | None = (),
) -> Board:
    """The figures in words; all "not known" for None.

    Callers who wait are those of now. What is counted is of the day, or of ``total`` and ``providers`` where another
    window was asked for.
    """
    if figures is None:
        return _unknown()
    if window is Window.TODAY:
        rows = [(each, _counts(each)) for each in figures.providers]
        all_calls = _counts(figures.total)
        ends: Mapping[str, int | None] = {name: getattr(figures.total, name) for name in END_CLASSES}
    else:
        counted = {each.scope.id: counts_of(each) for each in providers or ()}
        rows = [(each, counted.get(each.scope, Counts())) for each in figures.providers]
        all_calls = counts_of(total) if total else Counts()
        ends = total.ends if total else {}
    return Board(
        at=words.clock_time(figures.at),
        total=_total(figures.total, all_calls, ends),
        rows=tuple(row(each, counts) for each, counts in rows),
        minutes=tuple(_minute(each) for each in minutes),
        summary=_summary(figures.total),
    )


def _unknown() -> Board:
    cells = {name: "" if name in _SHARES else words.UNKNOWN for name in (*_COLUMNS, *END_CLASSES)}
    total = Row("total", "All calls", late=False, cells=cells)
    return Board(words.UNKNOWN, total, rows=(), minutes=(), summary="The figures are not known")


def counts_of(kpis: Kpis) -> Counts:
    """Items A01, A03, B01 and B02."""
    codes = ("A01", "A03", "B01", "B02")
    return Counts(*(None if (value := kpis.values[code]) is None else int(value) for code in codes))


def _counts(each: ScopeFigures) -> Counts:
    return Counts(each.offered, each.answered, each.answered_within_60, each.abandoned)


def row(each: ScopeFigures, counts: Counts) -> Row:
    """Who waits now, and what was counted."""
    late = each.waiting != 0 and each.longest_wait_s is not None and each.longest_wait_s > LATE_S
    return Row(each.scope, each.name, late, _cells(each, counts))


def _cells(each: ScopeFigures, counts: Counts) -> dict[str, str]:
    return {
        "offered": words.count(counts.offered),
        "waiting": words.count(each.waiting),
        "longest": _longest(each),
        "answered": words.count(counts.answered),
        "within_60": _within_60(counts),
        "within_60_share": words.share(counts.answered_within_60, counts.answered),
        "abandoned": words.count(counts.abandoned),
        "abandoned_share": words.share(counts.abandoned, counts.offered),
    }


def _total(total: TotalFigures, counts: Counts, ends: Mapping[str, int | None]) -> Row:
    found = row(total, counts)
    more = {name: words.count(ends.get(name)) for name in END_CLASSES}
    return Row(found.scope, found.name, found.late, {**found.cells, **more})


def _longest(each: ScopeFigures) -> str:
    # Nobody waiting and not knowing who waits are different things; only the first may calm a duty manager.
    return NOBODY if each.waiting == 0 else words.duration(each.longest_wait_s)


def _within_60(counts: Counts) -> str:
    if counts.answered_within_60 is None or counts.answered is None:
        return words.UNKNOWN
    return f"{counts.answered_within_60:,} of {counts.answered:,}"


def _minute(point: MinutePoint) -> Minute:
    longest = point.waiting_longest_s
    cells = (
        words.count(point.offered),
        words.count(point.answered),
        "–" if longest is None else words.duration(longest),
    )
    return Minute(
        t=int(point.at.timestamp()),
        time=words.clock_time(point.at)[:5],
        offered=point.offered,
        answered=point.answered,
        longest_s=None if longest is None else int(longest),
        cells=cells,
    )


def _summary(total: ScopeFigures) -> str:
    return f"{words.count(total.waiting)} waiting, longest wait {_longest(total)}"
