"""Quarter-hours become days: what no event can change any more is added up by London's day, and kept for years."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from functools import partial

from sqlalchemy import Connection, delete, func, insert, literal, select

from alerts.surges.model import quarter_of, start_of
from alerts.surges.tables import surge_counts, surge_days
from alerts.surveillance.days import LONDON
from infra.sql import Database

SETTLED = timedelta(days=9)
"""A day more than a call's line is kept (:data:`alerts.surges.counting.REMEMBERED`): then its counts stand."""

QUARTERS_KEPT = timedelta(days=70)
"""Longer than the eight weeks from which is learnt what is usual."""

EPOCH = date(1970, 1, 1)


async def archive(database: Database, now: datetime) -> int:
    """Add up every day that stands, let old quarter-hours go; returns how many days were new. Again changes nothing.

    Raises SQLAlchemyError; a day is then added up whole or not at all.
    """
    first = await database.read(_first)
    if first is None:
        return 0
    last = (day_of(now - SETTLED) - EPOCH).days - 1
    for day in range(first, last + 1):
        await database.write(partial(_add_up, day=day))
    old = delete(surge_counts).where(surge_counts.c.quarter < quarter_of(now - QUARTERS_KEPT))
    await database.write(lambda connection: connection.execute(old).rowcount)
    return max(0, last + 1 - first)


def day_of(at: datetime) -> date:
    """The day on London's calendar."""
    return at.astimezone(LONDON).date()


def _first(connection: Connection) -> int | None:
    """The first day that is not added up yet; None where nothing was ever counted."""
    last = connection.execute(select(func.max(surge_days.c.day))).scalar()
    if last is not None:
        return int(last) + 1
    quarter = connection.execute(select(func.min(surge_counts.c.quarter))).scalar()
    return None if quarter is None else (day_of(start_of(quarter)) - EPOCH).days


def _add_up(connection: Connection, day: int) -> None:
    if connection.execute(select(surge_days.c.day).where(surge_days.c.day == day).limit(1)).first() is not None:
        return  # another process did
    at = surge_counts.c
    begin, end = (_midnight(EPOCH + timedelta(days=each)) for each in (day, day + 1))
    sums = (
        select(
            literal(day), at.signal, at.area, at.version, func.sum(at.demand), func.sum(at.deflected)
        )
        .where(at.quarter >= begin, at.quarter < end, at.demand > 0)
        .group_by(at.signal, at.area, at.version)
    )  # fmt: skip
    names = ["day", "signal", "area", "version", "demand", "deflected"]
    connection.execute(insert(surge_days).from_select(names, sums))


def _midnight(day: date) -> int:
    return quarter_of(datetime.combine(day, time(), LONDON).astimezone(UTC))
