"""One day of London as a report in words: targets, ends, items, providers and services. No personal data."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

from alerts.figures.history_rows import midnight
from alerts.figures.items import CLASSES, ITEMS, OF_CALL_BACKS, PROBES, Kpis
from alerts.figures.small_numbers import held_back
from alerts.figures.targets import targets
from console import words
from console.age import age
from console.board import END_CLASSES, counts_of
from console.item_table import ItemRow, item_rows
from console.measures import Judged, amount, judged, share_told, told
from console.rows_kept import OF_RECONTACT, RowsKept
from console.scopes import ScopeTable, scope_table


@dataclass(frozen=True, slots=True)
class TargetLine:
    """A target under both clocks."""

    offered: Judged
    message_end: Judged


@dataclass(frozen=True, slots=True)
class DailyReport:
    """The report. ``so_far``: until when it is told, empty of a day that is counted to its end."""

    day: str
    so_far: str
    is_over: bool
    hours: str
    summary: str
    target_lines: tuple[TargetLine, ...]
    ends: tuple[tuple[str, str, str], ...]
    ends_sum: str
    items: tuple[ItemRow, ...]
    providers: tuple[tuple[str, tuple[str, ...]], ...]
    services: ScopeTable
    holds_back: bool
    recontact: tuple[tuple[str, str], ...]
    afterwards: tuple[tuple[str, tuple[str, ...]], ...]
    """Of each provider its call-backs, and its callers who rang again (:data:`AFTERWARDS`)."""


AFTERWARDS = ("D13", "D14", "RECONTACT_BASE", "RECONTACT_1H", "RECONTACT_24H", "RECONTACT_72H")

KEPT = RowsKept()


@dataclass(frozen=True, slots=True)
class DayFigures:
    """What a report is made of: the figures of one day, of the whole service (both clocks) and of its parts.

    ``until``: until when calls are counted; None where that is not known.
    """

    offered: Kpis
    message_end: Kpis | None
    providers: Sequence[Kpis]
    services: Sequence[Kpis]
    until: datetime | None = None


def daily_report(
    day: date,
    now: datetime,
    figures: DayFigures,
    *,
    every_count: bool = False,
    tells_small_counts: bool = False,
    kept: RowsKept = KEPT,
) -> DailyReport:
    """The report of ``day`` as it can be told at ``now`` (UTC).

    ``every_count``: small numbers, too; ``tells_small_counts``: those of the whole service and of providers.
    """
    unknown = kept.unknown(day, now)
    holds = not every_count and not tells_small_counts

    def known(found: Sequence[Kpis]) -> Sequence[Kpis]:
        told = [_without(unknown, each) for each in found]
        return held_back(told) if holds else told

    total = known([figures.offered])[0]
    later = known([figures.message_end])[0] if figures.message_end else None
    providers = [each for each in known(figures.providers) if each.scope != PROBES]
    has_call_backs = figures.offered.values.get("D13") is not None and "D13" not in unknown
    collected = [each for each in targets() if each.part not in OF_CALL_BACKS or has_call_backs]
    lines = tuple(TargetLine(judged(each, total), judged(each, later)) for each in collected)
    is_over = now.astimezone(words.LONDON).date() > day
    return DailyReport(
        day=f"{day:%A} {words.day(day)}",
        so_far=_so_far(day, now, figures.until),
        is_over=is_over,
        hours=_hours(day),
        summary=_summary(total, lines),
        target_lines=lines,
        ends=tuple((words.capital(END_CLASSES[name]), *_end(total, name)) for name in CLASSES),
        ends_sum=told(total, "A01"),
        holds_back=holds,
        items=item_rows(total, later),
        providers=tuple(_line(each) for each in providers),
        services=scope_table(figures.services, every_count=every_count),
        recontact=tuple(
            (item.title, _number(total, code, unknown)) for code, item in ITEMS.items() if code in OF_RECONTACT
        ),
        afterwards=tuple((each.name, tuple(_number(each, code, unknown) for code in AFTERWARDS)) for each in providers),
    )


def _end(total: Kpis, name: str) -> tuple[str, str]:
    """The calls of one end class, and their share."""
    held = (total.held or {}).get(name)
    count, everybody = total.ends.get(name, 0), total.values["A01"]
    whole = None if everybody is None else int(everybody)
    return held or f"{count:,}", share_told(count, whole, held) or "–"


def _so_far(day: date, now: datetime, until: datetime | None) -> str:
    counted = age(until, midnight(day + timedelta(days=1)), now)
    return counted.until if counted.is_known else "a time that is not known"


def _summary(total: Kpis, lines: Sequence[TargetLine]) -> str:
    met = [line.offered.title for line in lines if line.offered.verdict == "Met"]
    missed = [line.offered.title for line in lines if line.offered.verdict == "Missed"]
    calls = f"{told(total, 'A01', default=0)} calls were offered."
    if not met and not missed:
        return f"{calls} No target can be judged."
    said = [f"Met: {_list(met)}." if met else "No target was met.", f"Missed: {_list(missed)}." if missed else ""]
    return " ".join([calls, *said]).strip()


def _list(titles: Sequence[str]) -> str:
    return ", ".join(title[:1].lower() + title[1:] if not title[:1].isdigit() else title for title in titles)


def _line(kpis: Kpis) -> tuple[str, tuple[str, ...]]:
    counts = counts_of(kpis)
    average = next(each for each in targets() if each.id == "average_answer").figure(kpis.values)
    return kpis.name, (
        told(kpis, "A01"),
        told(kpis, "A03"),
        share_told(counts.answered_within_60, counts.answered, counts.held.get("B01")) or "–",
        share_told(counts.abandoned, counts.offered, counts.held.get("B02")) or "–",
        "–" if average is None else amount(average, "seconds"),
        _seconds(kpis, "B07"),
        _seconds(kpis, "B07_ALL"),
    )


def _number(kpis: Kpis, code: str, unknown: Collection[str]) -> str:
    """Nought where nobody was promised a call back, or sent elsewhere: as long as it is known that none was."""
    return words.UNKNOWN if code in unknown else told(kpis, code, default=0)


def _without(unknown: Collection[str], kpis: Kpis) -> Kpis:
    """What some rows that are left come to is no figure."""
    return replace(kpis, values={**kpis.values, **dict.fromkeys(unknown)})


def _seconds(kpis: Kpis, code: str) -> str:
    return "–" if (value := kpis.values.get(code)) is None else amount(value, "seconds")


def _hours(day: date) -> str:
    """Of the two days on which the clocks change, that the day is shorter or longer than others."""
    start = datetime(day.year, day.month, day.day, tzinfo=words.LONDON)
    end = datetime.combine(day + timedelta(days=1), start.timetz())
    hours = round((end.timestamp() - start.timestamp()) / 3600)
    return "" if hours == 24 else f"The clocks changed: this day had {hours} hours."
