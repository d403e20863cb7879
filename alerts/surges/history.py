"""Counts out of the database as arrays: a row for each signal and area, a column for each quarter-hour. Needs numpy."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, select

from alerts.surges.calls import counted_in
from alerts.surges.menus import Asked, read_asked
from alerts.surges.model import ALL, Series, start_of
from alerts.surges.tables import surge_counts
from alerts.surveillance.glm import Array
from alerts.surveillance.live import Counts
from infra.areas import Areas
from infra.sql import Database

A_DAY = 96
_AT_ONCE = 7 * A_DAY  # a week in one question, which a database of years answers well within its time
SILENT = 16
"""So many quarter-hours without a single call of any kind were not counted: at night somebody calls within minutes."""


@dataclass(frozen=True, slots=True)
class History:
    """``demand`` (S, Q) of ``series`` and of all calls (Q,), from the quarter-hour ``first`` on; NaN: not counted.

    ``versions``: of each signal, what was in force last; ``changed``: when that came into force, where it changed.
    """

    series: tuple[Series, ...]
    demand: Array
    total: Array
    first: int
    versions: Mapping[str, str]
    changed: Mapping[str, int]

    def counts(self, rows: Iterable[int]) -> Counts:
        """Those of some rows, as the detectors take them."""
        chosen = list(rows)
        names = [str(each) for each in chosen]
        return Counts(names, self.demand[chosen], self.total, start_of(self.first))

    def since_changes(self) -> Array:
        """``demand`` with NaN before each signal's last change: what a new menu counts is another series."""
        kept = self.demand.copy()
        for row, each in enumerate(self.series):
            kept[row, : max(0, self.changed.get(each.signal, self.first) - self.first)] = np.nan
        return kept


async def read_history(database: Database, first: int, end: int, areas: Areas) -> History:
    """What was counted from the quarter-hour ``first`` to before ``end``; a series never counted is not in it."""
    tally = _Tally(first, end, await database.read(read_asked))
    for begin in range(first, end, _AT_ONCE):
        tally.add(await database.read(partial(_rows, first=begin, end=min(end, begin + _AT_ONCE))))
    total = sum((line for (signal, _), line in tally.narrow.items() if signal == ALL), np.zeros(end - first))
    wide: dict[Series, Array] = {}
    for (signal, area), line in tally.narrow.items():
        if signal != ALL:
            for place in counted_in(area, areas):
                each = Series(signal, place)
                wide[each] = wide[each] + line if each in wide else line
    series = tuple(sorted(wide, key=lambda one: (one.signal, one.area)))
    demand = np.stack([wide[each] for each in series]) if series else np.zeros((0, end - first))
    silent = _silent(total)
    total[silent], demand[:, silent] = np.nan, np.nan
    versions, changed = tally.versions()
    return History(series, demand, total, first, versions, changed)


def _rows(connection: Connection, first: int, end: int) -> Sequence[Any]:
    at = surge_counts.c
    query = select(at.quarter, at.signal, at.area, at.version, at.demand)
    return connection.execute(query.where(at.quarter >= first, at.quarter < end)).all()


class _Tally:
    """Rows added up as they come: ``narrow`` has each signal and area as it was counted, without those around."""

    def __init__(self, first: int, end: int, asked: Asked) -> None:
        self._asked = asked
        self.narrow: dict[tuple[str, str], Array] = {}
        self._first = first
        self._end = end
        self._met: dict[str, dict[int, Counter[str]]] = defaultdict(lambda: defaultdict(Counter))
        self._seen: dict[tuple[str, str], set[int]] = defaultdict(set)

    def add(self, rows: Sequence[Any]) -> None:
        """Count these, too."""
        for quarter, signal, area, version, demand in rows:
            line = self.narrow.get((signal, area))
            if line is None:
                line = self.narrow[signal, area] = np.zeros(self._end - self._first)
            line[quarter - self._first] += demand
            if signal != ALL and demand > 0:
                asked = self._asked(signal, version)
                self._met[signal][quarter // A_DAY][asked] += demand
                self._seen[signal, asked].add(quarter)

    def versions(self) -> tuple[dict[str, str], dict[str, int]]:
        """Of each signal, the version that most callers of its last day met, and from which quarter-hour it was so.

        By days: while a release is staged both are in force, and a night's few callers would change it to and fro.
        """
        versions, changed = {}, {}
        for signal, days in self._met.items():
            most = [(day, max(sorted(counts), key=counts.__getitem__)) for day, counts in sorted(days.items())]
            versions[signal] = most[-1][1]
            breaks = [day for (_, before), (day, after) in pairwise(most) if before != after]
            if breaks:
                # it may have come the evening before, when most callers of the day had met the old one
                since = (breaks[-1] - 1) * A_DAY
                changed[signal] = min(each for each in self._seen[signal, versions[signal]] if each >= since)
        return versions, changed


def _silent(total: Array) -> NDArray[np.bool_]:
    """(Q,): the quarter-hours that lie in a stretch of at least :data:`SILENT` without a call."""
    none = np.concatenate([[False], total == 0, [False]])
    edges = np.flatnonzero(np.diff(none.astype(np.int8)))
    silent = np.zeros(len(total), bool)
    for begin, end in zip(edges[::2], edges[1::2], strict=True):
        if end - begin >= SILENT:
            silent[begin:end] = True
    return silent
