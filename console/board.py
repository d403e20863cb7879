"""The wallboard's figures as the words that stand in its cells.

The page and its live events take their text from here, so that both say the same and the browser formats
nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from alerts.figures.items import CLASSES, TOTAL, Kpis, Scope
from alerts.figures.small_numbers import HELD_BACK, SMALL, shown, withheld
from console import words
from console.measures import share_told
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
    offered: float | None
    answered: float | None
    longest_s: int | None
    cells: tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class Counts:
    """The counts of one row: since midnight, or of the window that was asked for.

    ``held``: what stands in place of those that are not told, by item code or end class.
    """

    offered: int | None = None
    answered: int | None = None
    answered_within_60: int | None = None
    abandoned: int | None = None
    held: Mapping[str, str] = field(default_factory=dict)


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
    *,
    holds_back: bool = False,
) -> Board:
    """The figures in words; all "not known" for None.

    Callers who wait are those of now. What is counted is of the day, or of ``total`` and ``providers`` where another
    window was asked for. ``holds_back``: small counts of the day and of minutes are not told (of ``total`` and
    ``providers`` those are held back already that should be).
    """
    if figures is None:
        return _unknown()
    if window is Window.TODAY:
        held = _held(figures) if holds_back else {}
        rows = [(each, _counts(each, held.get(Scope("provider", each.scope), {}))) for each in figures.providers]
        all_calls = _counts(figures.total, held.get(TOTAL, {}))
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
        minutes=_few_withheld([*minutes]) if holds_back else tuple(_minute(each) for each in minutes),
        summary=_summary(figures.total),
    )


def _unknown() -> Board:
    cells = {name: "" if name in _SHARES else words.UNKNOWN for name in (*_COLUMNS, *END_CLASSES)}
    total = Row("total", "All calls", late=False, cells=cells)
    return Board(words.UNKNOWN, total, rows=(), minutes=(), summary="The figures are not known")


def counts_of(kpis: Kpis) -> Counts:
    """Items A01, A03, B01 and B02."""
    held = kpis.held or {}
    return _made({code: None if (value := kpis.values[code]) is None else int(value) for code in _CODES}, held)


_CODES = ("A01", "A03", "B01", "B02")


def _counts(each: ScopeFigures, held: Mapping[str, str]) -> Counts:
    return _made(dict(zip(_CODES, _of_day(each), strict=True)), held)


def _made(counts: Mapping[str, int | None], held: Mapping[str, str]) -> Counts:
    offered, answered, in_time, abandoned = (None if code in held else counts[code] for code in _CODES)
    return Counts(offered, answered, in_time, abandoned, held)


def _of_day(each: ScopeFigures) -> tuple[int | None, ...]:
    return each.offered, each.answered, each.answered_within_60, each.abandoned


def _held(figures: Figures) -> Mapping[Scope, Mapping[str, str]]:
    """What is held back of the day's counts: the same as of the items of the day."""
    scopes = {TOTAL: figures.total} | {Scope("provider", each.scope): each for each in figures.providers}
    return withheld(
        {
            scope: (
                dict(zip(_CODES, _of_day(each), strict=True)),
                {name: getattr(each, name) or 0 for name in (CLASSES if scope == TOTAL else ("in_progress",))},
            )
            for scope, each in scopes.items()
        }
    )


def row(each: ScopeFigures, counts: Counts) -> Row:
    """Who waits now, and what was counted."""
    late = each.waiting != 0 and each.longest_wait_s is not None and each.longest_wait_s > LATE_S
    return Row(each.scope, each.name, late, _cells(each, counts))


def _cells(each: ScopeFigures, counts: Counts) -> dict[str, str]:
    return {
        "offered": _told(counts, "A01", counts.offered),
        "waiting": words.count(each.waiting),
        "longest": _longest(each),
        "answered": _told(counts, "A03", counts.answered),
        "within_60": _within_60(counts),
        "within_60_share": share_told(counts.answered_within_60, counts.answered, counts.held.get("B01")),
        "abandoned": _told(counts, "B02", counts.abandoned),
        "abandoned_share": share_told(counts.abandoned, counts.offered, counts.held.get("B02")),
    }


def _told(counts: Counts, code: str, value: int | None) -> str:
    return counts.held.get(code) or words.count(value)


def _total(total: TotalFigures, counts: Counts, ends: Mapping[str, int | None]) -> Row:
    found = row(total, counts)
    codes = {"answered": "A03", "abandoned": "B02"}
    more = {name: counts.held.get(codes.get(name, name)) or words.count(ends.get(name)) for name in END_CLASSES}
    return Row(found.scope, found.name, found.late, {**found.cells, **more})


def _longest(each: ScopeFigures) -> str:
    # Nobody waiting and not knowing who waits are different things; only the first may calm a duty manager.
    return NOBODY if each.waiting == 0 else words.duration(each.longest_wait_s)


def _within_60(counts: Counts) -> str:
    in_time, answered = (
        _told(counts, code, value) for code, value in (("B01", counts.answered_within_60), ("A03", counts.answered))
    )
    if in_time == words.UNKNOWN or answered == words.UNKNOWN or (in_time == answered and "A03" in counts.held):
        return in_time
    return f"{in_time} of {answered}"


SMALL_IN_CHART = 2.5
"""Where the chart draws a count under 5, whichever it is, so that its line goes on."""

_MINUTES_TOGETHER = (15, 10, 5)
"""Of minutes, oldest first: what one window tells more than the next shorter one."""


def _few_withheld(points: Sequence[MinutePoint]) -> tuple[Minute, ...]:
    """The minutes without small counts, nor what would follow beside the sums of the last 5, 15 and 30."""
    found: list[Minute] = []
    begin = len(points) - sum(_MINUTES_TOGETHER)
    for length in _MINUTES_TOGETHER:
        some, begin = points[max(0, begin) : max(0, begin + length)], begin + length
        counts = ([each.offered for each in some], [each.answered for each in some])
        offered, answered = (
            shown({str(n): count for n, count in enumerate(column) if count is not None}, exact=True)
            for column in counts
        )
        found += [_minute(each, offered.get(str(n)), answered.get(str(n))) for n, each in enumerate(some)]
    return tuple(found)


def _minute(point: MinutePoint, offered: str | None = None, answered: str | None = None) -> Minute:
    longest = point.waiting_longest_s
    cells = (
        offered or words.count(point.offered),
        answered or words.count(point.answered),
        "–" if longest is None else words.duration(longest),
    )
    return Minute(
        t=int(point.at.timestamp()),
        time=words.clock_time(point.at)[:5],
        offered=_drawn(point.offered, cells[0]),
        answered=_drawn(point.answered, cells[1]),
        longest_s=None if longest is None else int(longest),
        cells=cells,
    )


def _drawn(count: int | None, text: str) -> float | None:
    return SMALL_IN_CHART if text == SMALL else None if text == HELD_BACK else count


def _summary(total: ScopeFigures) -> str:
    return f"{words.count(total.waiting)} waiting, longest wait {_longest(total)}"
