"""What is usual of each series, kept between one look and the next. Needs numpy."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
from sqlalchemy import Connection, delete, insert, select

from alerts.surges.history import History
from alerts.surges.menus import read_asked
from alerts.surges.model import ALL, EVERYWHERE, Series
from alerts.surges.tables import dispersions, surge_usual
from alerts.surveillance.budget import Thresholds
from alerts.surveillance.hourly import HourModel
from alerts.surveillance.live import Learnt

CALLS = Series(ALL, EVERYWHERE)
"""The row of all calls, by which shares are judged."""


@dataclass(frozen=True, slots=True)
class Usual:
    """``learnt`` of ``series``, in their order, under these ``versions`` of what callers were asked, by signal."""

    series: tuple[Series, ...]
    versions: dict[str, str]
    learnt: Learnt
    at: datetime

    def of(self, rows: Sequence[int]) -> Learnt:
        """The part of some rows."""
        return Learnt(self.learnt.signals.of(rows), self.learnt.calls, self.learnt.thresholds)


def read_usual(connection: Connection) -> Usual | None:
    """What was learnt last; None before anything was."""
    rows = {Series(row.signal, row.area): row for row in connection.execute(select(surge_usual)).all()}
    calls = rows.pop(CALLS, None)
    if calls is None or not rows:
        return None
    series = tuple(sorted(rows, key=lambda each: (each.signal, each.area)))
    learnt = Learnt(
        _model([rows[each] for each in series]), _model([calls]), Thresholds(calls.windows, calls.cusum)
    )  # fmt: skip
    asked = read_asked(connection)
    versions = {each.signal: asked(each.signal, rows[each].version) for each in series}
    return Usual(series, versions, learnt, calls.learnt_at)


def write_usual(connection: Connection, history: History, learnt: Learnt, at: datetime) -> int:
    """Keep what was learnt in the place of what stood there; returns of how many series. The rest has too little."""
    connection.execute(delete(surge_usual))
    rows = list(_rows(history, learnt, at))
    connection.execute(insert(surge_usual), rows)
    return len(rows) - 1


def _rows(history: History, learnt: Learnt, at: datetime) -> Iterator[dict[str, Any]]:
    for row, each in enumerate(history.series):
        if not np.isnan(learnt.signals.hourly[row, 0]):
            yield _row(each, learnt.signals, row, learnt.thresholds, at, history.versions.get(each.signal, ""))
    yield _row(CALLS, learnt.calls, 0, learnt.thresholds, at, "")


def _row(
    series: Series, model: HourModel, row: int, thresholds: Thresholds, at: datetime, version: str
) -> dict[str, Any]:
    return {
        "signal": series.signal,
        "area": series.area,
        "learnt_at": at,
        "version": version,
        "hourly": json.dumps([round(float(each), 5) for each in model.hourly[row]]),
        "dispersion": json.dumps([round(float(each), 5) for each in np.r_[model.dispersion[row], model.rising[row]]]),
        "windows": thresholds.windows,
        "cusum": thresholds.cusum,
    }


def _model(rows: Sequence[Any]) -> HourModel:
    hourly = np.array([json.loads(row.hourly) for row in rows])
    dispersion, rising = np.array([dispersions(row.dispersion) for row in rows]).transpose(1, 0, 2)
    return HourModel(hourly, dispersion, rising)
