"""The wallboard's figures as the words that stand in its cells.

The page and its live events take their text from here, so that both say the same and the browser formats
nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from console import words
from console.ports import Figures, MinutePoint, ScopeFigures, TotalFigures

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
class Board:
    """Everything that the wallboard shows at one time."""

    at: str
    total: Row
    rows: tuple[Row, ...]
    minutes: tuple[Minute, ...]
    summary: str

    def event(self) -> dict[str, Any]:
        """As the live stream sends it."""
        return asdict(self)


def board(figures: Figures | None, minutes: Iterable[MinutePoint]) -> Board:
    """The figures in words; all "not known" for None."""
    if figures is None:
        return _unknown()
    return Board(
        at=words.clock_time(figures.at),
        total=_total(figures.total),
        rows=tuple(_row(each) for each in figures.providers),
        minutes=tuple(_minute(each) for each in minutes),
        summary=_summary(figures.total),
    )


def _unknown() -> Board:
    cells = {name: "" if name in _SHARES else words.UNKNOWN for name in (*_COLUMNS, *END_CLASSES)}
    total = Row("total", "All calls", late=False, cells=cells)
    return Board(words.UNKNOWN, total, rows=(), minutes=(), summary="The figures are not known")


def _row(each: ScopeFigures) -> Row:
    late = each.waiting != 0 and each.longest_wait_s is not None and each.longest_wait_s > LATE_S
    return Row(each.scope, each.name, late, _cells(each))


def _cells(each: ScopeFigures) -> dict[str, str]:
    return {
        "offered": words.count(each.offered),
        "waiting": words.count(each.waiting),
        "longest": _longest(each),
        "answered": words.count(each.answered),
        "within_60": _within_60(each),
        "within_60_share": words.share(each.answered_within_60, each.answered),
        "abandoned": words.count(each.abandoned),
        "abandoned_share": words.share(each.abandoned, each.offered),
    }


def _total(total: TotalFigures) -> Row:
    row = _row(total)
    more = {name: words.count(getattr(total, name)) for name in END_CLASSES}
    return Row(row.scope, row.name, row.late, {**row.cells, **more})


def _longest(each: ScopeFigures) -> str:
    # Nobody waiting and not knowing who waits are different things; only the first may calm a duty manager.
    return NOBODY if each.waiting == 0 else words.duration(each.longest_wait_s)


def _within_60(each: ScopeFigures) -> str:
    if each.answered_within_60 is None or each.answered is None:
        return words.UNKNOWN
    return f"{each.answered_within_60:,} of {each.answered:,}"


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
