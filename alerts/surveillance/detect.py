"""One series from a file, one detector, its findings to a file: what ``callrouter alerts detect`` does."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Literal, cast

import numpy as np

from alerts.surveillance import ears, farrington
from alerts.surveillance.control import EarsControl, FarringtonControl, Method, read_control
from alerts.surveillance.errors import ControlError, HistoryError
from alerts.surveillance.model import Judged
from alerts.surveillance.series import Series, check_weekly, read_series, write_found


def detect_file(method: Method, config: Path, source: Path, target: Path) -> Judged:
    """Judge the series in ``source`` as ``config`` says, and write ``target``.

    Raises :class:`alerts.surveillance.errors.SurveillanceError`; then ``target`` is as it was.
    """
    control = _control(method, config)
    series = read_series(source)
    weeks = _weeks(method, control, len(series.counts))
    if isinstance(control, FarringtonControl) and series.days is not None:
        check_weekly(series.days, source)
    found = _judge(method, control, series, weeks)
    write_found(target, weeks, found)
    return found


def _control(method: Method, file: Path) -> FarringtonControl | EarsControl:
    given = _json(file)
    try:
        return read_control(method, given)
    except ControlError as error:
        raise ControlError(f"{file}: {error}") from None


def _json(file: Path) -> object:
    try:
        return cast(object, json.loads(file.read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:
        raise ControlError(f"{file}: cannot be read as JSON: {error}") from None


def _weeks(method: Method, control: FarringtonControl | EarsControl, length: int) -> range:
    """The times to judge; without a ``range`` all that have the history."""
    if control.range is None:
        first = ears.first_day(_variant(method), control) if isinstance(control, EarsControl) else _first(control)
        if first > length:
            raise HistoryError(f"the series ends at t={length}; the first t that can be judged is {first}")
        return range(first, length + 1)
    first, last = control.range
    if last > length:
        raise ControlError(f"range: ends at {last}, but the series at t={length}")
    return range(first, last + 1)


def _first(control: FarringtonControl) -> int:
    return max(control.b * control.freq + control.w + 1, control.limit54[1])


def _variant(method: Method) -> Literal["C1", "C2", "C3"]:
    return cast(Literal["C1", "C2", "C3"], method.removeprefix("ears-").upper())


def _judge(method: Method, control: FarringtonControl | EarsControl, series: Series, weeks: range) -> Judged:
    counts = series.counts[np.newaxis]
    if isinstance(control, EarsControl):
        return ears.judge(counts, weeks, _variant(method), control)
    if series.days is not None and control.freq != 52:
        raise ControlError("freq: epochs that are dates are weeks here, 52 a year")
    origin: farrington.Origin = "judged" if series.days is None else "first counted"
    return farrington.judge(counts, weeks, control, series.days, origin=origin)
