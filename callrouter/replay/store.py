"""Replays in SQL: plain functions of a connection. Of two processes that claim one, one gets it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TypeAlias

from pydantic import TypeAdapter, ValidationError
from sqlalchemy import ColumnElement, Connection, and_, delete, select, update

from callrouter.replay.report import Report
from callrouter.replay.service import Progress
from callrouter.replay.tables import replays
from infra.sql import insert_once

Key: TypeAlias = tuple[str, datetime, datetime]
"""The version, and from when until before when the calls were offered."""

KEPT = timedelta(days=7)
LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)
_REPORT: TypeAdapter[Report] = TypeAdapter(Report)


@dataclass(frozen=True, slots=True)
class Kept:
    """A replay as the store knows it. ``told_at``: the last word of the worker that is, or was, at it."""

    worker: str
    begun_at: datetime
    told_at: datetime
    progress: Progress
    report: Report | None


def find(connection: Connection, key: Key) -> Kept | None:
    """The replay, if anybody ever asked for it."""
    row = connection.execute(select(replays).where(_is(key))).one_or_none()
    if row is None:
        return None
    report = _read(row.report) if row.report is not None else None
    return Kept(row.worker, row.begun_at, row.told_at, Progress(row.done, row.calls, row.again), report)


def _read(report: str) -> Report | None:
    """None for one of another release, with other fields: it is made again."""
    try:
        return _REPORT.validate_json(report)
    except ValidationError:
        return None


def times_again(known: Kept | None) -> int:
    """How often it was begun again by whoever begins it now: a report that is too old is none of these times."""
    return known.progress.again + 1 if known is not None and known.report is None else 0


def claim(connection: Connection, key: Key, known: Kept | None, worker: str, now: datetime) -> bool:
    """Take it on, as nobody's or as somebody's of whom nothing was heard; whether it is this worker's now."""
    connection.execute(delete(replays).where(replays.c.told_at < now - KEPT, ~_is(key)))
    fresh = {"worker": worker, "begun_at": now, "told_at": now, "done": 0, "calls": 0, "report": None}
    fresh["again"] = times_again(known)
    if known is None:
        version, start, end = key
        row = {"version": version, "calls_from": start, "calls_until": end, **fresh}
        return connection.execute(insert_once(replays, connection.dialect.name).values(**row)).rowcount == 1
    same = and_(_is(key), replays.c.worker == known.worker, replays.c.told_at == known.told_at)
    return connection.execute(update(replays).where(same).values(**fresh)).rowcount == 1


def tell(connection: Connection, key: Key, worker: str, progress: Progress, now: datetime) -> None:
    """How far this worker is, if it is still the one."""
    values = {"told_at": now, "done": progress.done, "calls": progress.calls}
    connection.execute(update(replays).where(_is(key), replays.c.worker == worker).values(**values))


def finish(connection: Connection, key: Key, worker: str, report: Report, now: datetime) -> None:
    """The report, if this worker is still the one."""
    values = {"told_at": now, "report": _REPORT.dump_json(report).decode()}
    connection.execute(update(replays).where(_is(key), replays.c.worker == worker).values(**values))


def forget(connection: Connection, key: Key, worker: str) -> None:
    """It failed: who asks next begins anew."""
    connection.execute(delete(replays).where(_is(key), replays.c.worker == worker))


def leave(connection: Connection, worker: str) -> None:
    """This worker ends: whoever is asked next takes on what it was at."""
    mine = and_(replays.c.worker == worker, replays.c.report.is_(None))
    connection.execute(update(replays).where(mine).values(told_at=LONG_AGO))


def _is(key: Key) -> ColumnElement[bool]:
    version, start, end = key
    return and_(replays.c.version == version, replays.c.calls_from == start, replays.c.calls_until == end)
