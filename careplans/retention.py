"""How long records are kept: a table that people confirm, and the job that follows it."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Any

from sqlalchemy import Column, ColumnElement, Connection, Table, bindparam, delete, func, select, true, update

from careplans.access.tables import plan_emergencies, plan_references
from careplans.crew_tables import crew_notices
from careplans.erasing import WhyErased, erase_plans
from careplans.errors import RetentionError
from careplans.sources.tables import plan_quarantine
from careplans.tables import ended_plans, lock_for_writing, plan_holds, plans
from careplans.withdrawing import ERASED, WITHDRAWN
from infra.yamlfile import YamlFile, YamlFileError, read_yaml

OURS = Path(__file__).with_name("retention.yaml")
MOST_AT_ONCE = 200
"""Records in one transaction, so that an import beside it waits for no lock in vain."""
_FIELDS = ("class", "keep_for", "from", "source", "verified")
_LENGTH = re.compile("([1-9][0-9]{0,4}) (day|year)s?")


class Record(StrEnum):
    """The kinds of records that are kept for a time. Tables of those after ``crew_notice`` are others'."""

    WITHDRAWN = "withdrawn_plan"
    ERASED = "erased_plan"
    QUARANTINED = "quarantined_record"
    EMERGENCY = "emergency_access"
    REFERENCE = "plan_reference"
    CREW_NOTICE = "crew_notice"
    WELFARE_TASK = "welfare_task"
    CALL_BACK = "call_back"
    CALL_BACK_STEP = "call_back_step"
    CALL_RECORDING = "call_recording"
    TEXT = "text"
    ALERT_NOTICE = "alert_notice"
    ALERT_TOLD = "alert_told"
    ALERT_SILENCE = "alert_silence"
    ALERT_TAKEN_ON = "alert_taken_on"
    KPI_CALL = "kpi_call"
    KPI_CALL_BACK = "kpi_call_back"
    KPI_RECONTACT = "kpi_recontact"


_FROM = {
    Record.WITHDRAWN: "ended_at",
    Record.ERASED: "ended_at",
    Record.QUARANTINED: "last_at",
    Record.EMERGENCY: "reviewed_at",
    Record.REFERENCE: "expires_at",
    Record.CREW_NOTICE: "sent_at",
    Record.WELFARE_TASK: "acknowledged_at",
    Record.CALL_BACK: "ended_at",
    Record.CALL_BACK_STEP: "at",
    Record.CALL_RECORDING: "at",
    Record.TEXT: "changed_at",
    Record.ALERT_NOTICE: "next_try_at",
    Record.ALERT_TOLD: "since",
    Record.ALERT_SILENCE: "until",
    Record.ALERT_TAKEN_ON: "at",
    Record.KPI_CALL: "last_hour",
    Record.KPI_CALL_BACK: "ended_at",
    Record.KPI_RECONTACT: "offered_at",
}
"""What a time is counted from. Where it is empty the record is not done with, and stays: an emergency access that
nobody has reviewed, a welfare task that nobody took on."""


@dataclass(frozen=True, slots=True)
class Rows:
    """Where records of one kind stand: what tells a row, from when it is old, its key, and which are done with."""

    table: Table
    row: Column[Any]
    since: Column[Any]
    key: Column[Any] | None = None
    done: ColumnElement[bool] = field(default_factory=true)


_ended, _unheld = ended_plans.c, ended_plans.c.id.not_in(select(plan_holds.c.plan))
_ROWS: Mapping[Record, Rows] = {
    Record.WITHDRAWN: Rows(ended_plans, _ended.id, _ended.ended_at, done=(_ended.why == WITHDRAWN) & _unheld),
    Record.ERASED: Rows(ended_plans, _ended.id, _ended.ended_at, done=(_ended.why == ERASED) & _unheld),
    Record.QUARANTINED: Rows(
        plan_quarantine, plan_quarantine.c.id, plan_quarantine.c.last_at, plan_quarantine.c.wrapped_key
    ),
    Record.EMERGENCY: Rows(
        plan_emergencies, plan_emergencies.c.id, plan_emergencies.c.reviewed_at, plan_emergencies.c.wrapped_key
    ),
    Record.REFERENCE: Rows(plan_references, plan_references.c.ref, plan_references.c.expires_at),
    Record.CREW_NOTICE: Rows(crew_notices, crew_notices.c.incident, crew_notices.c.sent_at),
}


@dataclass(frozen=True, slots=True)
class Kept:
    """How long one kind is kept, from its end or last coming. ``verified``: who confirmed it; empty keeps for ever."""

    record: Record
    keep_for: timedelta
    source: str
    verified: str


def read_retention(path: Path = OURS) -> tuple[Kept, ...]:
    """The table; raises :class:`RetentionError`, naming file, line and cause. Every kind stands in it once."""
    try:
        file = read_yaml(path)
    except YamlFileError as error:
        raise RetentionError(str(error)) from error
    if not isinstance(file.data, list):
        raise RetentionError(f"{path}: is no list")
    rows = [_row(file, str(at), each) for at, each in enumerate(file.data)]
    kinds = [row.record for row in rows]
    for record in Record:
        if kinds.count(record) != 1:
            raise RetentionError(f"{path}: {record} must stand there once")
    return tuple(rows)


class Retention:
    """What is over its time, and its end, within the transaction of whoever calls."""

    def __init__(self, table: Sequence[Kept] = (), others: Mapping[Record, Rows] | None = None) -> None:
        """``table``: how long each kind is kept. ``others``: where the kinds stand that are not of this package."""
        self._rows = {**_ROWS, **(others or {})}
        self._verified = {row.record: row.keep_for for row in table if row.verified and row.record in self._rows}

    def over(self, connection: Connection, now: datetime) -> dict[Record, list[str]]:
        """The ids of at most :data:`MOST_AT_ONCE` records of each kind that are over their time and under no hold."""
        return {
            record: _older(connection, self._rows[record], now - keep_for)
            for record, keep_for in self._verified.items()
        }

    def end(self, connection: Connection, by: str, now: datetime) -> dict[Record, list[str]]:
        """Erase the plans that are :meth:`over`, destroy what else is; what was done, by kind."""
        lock_for_writing(connection, plans)
        done = self.over(connection, now)
        for record, ids in done.items():
            if ids and record is Record.WITHDRAWN:
                erase_plans(connection, ids, WhyErased.RETENTION_OVER, by, now)
            elif ids:
                _destroy(connection, self._rows[record], ids)
        return done


def _older(connection: Connection, rows: Rows, before: datetime) -> list[str]:
    query = select(rows.row).where(rows.since < before, rows.done).order_by(rows.since).limit(MOST_AT_ONCE)
    return list(connection.execute(query).scalars())


def _destroy(connection: Connection, rows: Rows, ids: Sequence[str]) -> None:
    """Zeros over the keys where they lie, before the rows go: SQLite leaves what a deleted row held."""
    where = rows.row.in_(ids)
    if rows.key is not None:
        lengths = connection.execute(select(rows.row, func.length(rows.key)).where(where, rows.key.is_not(None))).all()
        if lengths:
            query = update(rows.table).where(rows.row == bindparam("which")).values({rows.key: bindparam("zeros")})
            connection.execute(query, [{"which": row, "zeros": bytes(length)} for row, length in lengths])
    connection.execute(delete(rows.table).where(where))


def _row(file: YamlFile, at: str, values: Any) -> Kept:
    if not isinstance(values, Mapping) or set(values) != set(_FIELDS):
        raise RetentionError(f"{file.locate([at])}: a row needs {', '.join(_FIELDS)}, and nothing else")
    words = {name: str(values[name] or "").strip() for name in _FIELDS}
    length = _LENGTH.fullmatch(words["keep_for"])
    if length is None:
        raise RetentionError(f"{file.locate([at, 'keep_for'])}: keep_for: expected “N days” or “N years”")
    if words["class"] not in list(Record):
        raise RetentionError(f"{file.locate([at, 'class'])}: class: expected one of {', '.join(Record)}")
    expected = _FROM[Record(words["class"])]
    if words["from"] != expected:
        raise RetentionError(f"{file.locate([at, 'from'])}: from: expected {expected}")
    if not words["source"]:
        raise RetentionError(f"{file.locate([at, 'source'])}: source: where it comes from is missing")
    days = int(length[1]) if length[2] == "day" else math.ceil(int(length[1]) * 365.25)
    return Kept(Record(words["class"]), timedelta(days=days), words["source"], words["verified"])
