"""A series of counts in a file, and what a detector found in one.

In: ``t,epoch,observed[,epochAsDate,date]``, t = 1, 2, 3 … without a gap; ``observed`` a number of 0 or more, or empty
or ``NA`` where nothing was counted. With ``epochAsDate`` the epochs are days since 1970-01-01.
Out: ``t,observed,expected,upperbound,alarm,score``, ``NA`` where there is none, numbers to the last bit.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np

from alerts.surveillance.errors import SeriesError
from alerts.surveillance.glm import Array
from alerts.surveillance.model import Judged

_NEEDED = ("t", "epoch", "observed")
_MISSING = ("", "NA", "NaN")
_LONGEST = 1_000_000  # rows; a century of hours is fewer


@dataclass(frozen=True, slots=True)
class Series:
    """``counts`` (T,), NaN where missing; ``days`` since 1970-01-01 of each, where years are to be the calendar's."""

    counts: Array
    days: tuple[int, ...] | None


def read_series(file: Path) -> Series:
    """The series in ``file``. Raises :class:`SeriesError`, which names line and column."""
    try:
        with file.open(newline="", encoding="utf-8-sig") as lines:
            rows = list(_rows(csv.DictReader(lines, strict=True), file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise SeriesError(f"{file}: cannot be read as CSV: {error}") from None
    if not rows:
        raise SeriesError(f"{file}: has no counts")
    dated = {row.dated for row in rows}
    if len(dated) > 1:
        raise SeriesError(f"{file}: epochAsDate: must be the same in every row")
    days = tuple(row.epoch for row in rows) if dated.pop() else None
    if days is not None:
        _check_order(days, file)
    return Series(np.array([row.observed for row in rows]), days)


def write_found(file: Path, weeks: Sequence[int], found: Judged) -> None:
    """One row for each of ``weeks`` of the only series in ``found``. Raises :class:`SeriesError` if it cannot."""
    try:
        with file.open("w", newline="", encoding="utf-8") as lines:
            writer = csv.writer(lines, lineterminator="\n")
            writer.writerow(("t", "observed", "expected", "upperbound", "alarm", "score"))
            for place, week in enumerate(weeks):
                numbers = (each[0, place] for each in (found.observed, found.expected, found.bound, found.score))
                observed, expected, bound, score = map(_written, numbers)
                writer.writerow((week, observed, expected, bound, _truth(found, place), score))
    except OSError as error:
        raise SeriesError(f"{file}: cannot be written: {error.strerror}") from None


@dataclass(frozen=True, slots=True)
class _Row:
    epoch: int
    observed: float
    dated: bool


def _rows(reader: csv.DictReader[str], file: Path) -> Iterator[_Row]:
    missing = [name for name in _NEEDED if name not in (reader.fieldnames or ())]
    if missing:
        raise SeriesError(f"{file}:1: has no column {', '.join(missing)}")
    for number, row in enumerate(reader, start=1):
        where = f"{file}:{reader.line_num}"
        if number > _LONGEST:
            raise SeriesError(f"{where}: more than {_LONGEST} rows")
        if _whole(row, "t", where) != number:
            raise SeriesError(f"{where}: t: must be {number}: 1, 2, 3 … without a gap and without a repetition")
        yield _Row(_whole(row, "epoch", where), _count(row, where), _flag(row, where))


def _check_order(days: tuple[int, ...], file: Path) -> None:
    for place, (earlier, later) in enumerate(pairwise(days), start=3):
        if later <= earlier:
            raise SeriesError(f"{file}:{place}: epoch: must be after the one before")


def check_weekly(days: tuple[int, ...], file: Path) -> None:
    """Raise :class:`SeriesError` unless ``days`` are seven apart: what goes by calendar years has no gap."""
    for place, (earlier, later) in enumerate(pairwise(days), start=3):
        if later - earlier != 7:
            raise SeriesError(f"{file}:{place}: epoch: must be 7 days after the one before; write NA as the count of a "
                              "missing week")  # fmt: skip


def _whole(row: Mapping[str, str | None], name: str, where: str) -> int:
    number = _number(row, name, where)
    if not number.is_integer():
        raise SeriesError(f"{where}: {name}: must be a whole number")
    return int(number)


def _number(row: Mapping[str, str | None], name: str, where: str) -> float:
    try:
        number = float(row[name] or "")
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise SeriesError(f"{where}: {name}: must be a number")
    return number


def _count(row: Mapping[str, str | None], where: str) -> float:
    if (row["observed"] or "").strip() in _MISSING:
        return math.nan
    number = _number(row, "observed", where)
    if number < 0:
        raise SeriesError(f"{where}: observed: must not be negative")
    return number


def _flag(row: Mapping[str, str | None], where: str) -> bool:
    value = (row.get("epochAsDate") or "FALSE").strip().upper()
    if value not in ("TRUE", "FALSE"):
        raise SeriesError(f"{where}: epochAsDate: must be TRUE or FALSE")
    return value == "TRUE"


def _written(number: float) -> str:
    if math.isnan(number):
        return "NA"
    if math.isinf(number):
        return "Inf" if number > 0 else "-Inf"
    return str(int(number)) if number.is_integer() and abs(number) < 2**53 else repr(float(number))


def _truth(found: Judged, place: int) -> str:
    """``NA`` where a detector says neither; too few cases for a bound of Farrington Flexible is no alarm."""
    return "NA" if found.undecided[0, place] else str(bool(found.alarm[0, place])).upper()
