"""How long records are kept: a table that people confirm, and the job that follows it."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Select, delete, select

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
    """The kinds of records that are kept for a time."""

    WITHDRAWN = "withdrawn_plan"
    ERASED = "erased_plan"
    QUARANTINED = "quarantined_record"


_FROM = {Record.WITHDRAWN: "ended_at", Record.ERASED: "ended_at", Record.QUARANTINED: "last_at"}


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


def over(connection: Connection, table: Sequence[Kept], now: datetime) -> dict[Record, list[str]]:
    """The ids of at most :data:`MOST_AT_ONCE` records of each kind that are over their time and under no hold."""
    return {
        row.record: list(connection.execute(_older(row.record, now - row.keep_for).limit(MOST_AT_ONCE)).scalars())
        for row in table
        if row.verified
    }


def _older(record: Record, before: datetime) -> Select[Any]:
    if record is Record.QUARANTINED:
        last_at = plan_quarantine.c.last_at
        return select(plan_quarantine.c.id).where(last_at < before).order_by(last_at)
    why = {Record.WITHDRAWN: WITHDRAWN, Record.ERASED: ERASED}[record]
    c = ended_plans.c
    query = select(c.id).where(c.why == why, c.ended_at < before, c.id.not_in(select(plan_holds.c.plan)))
    return query.order_by(c.ended_at)


def end_records(connection: Connection, table: Sequence[Kept], by: str, now: datetime) -> dict[Record, list[str]]:
    """Erase what is :func:`over`, forget tombstones and quarantined records that are; what was done, by kind."""
    lock_for_writing(connection, plans)
    ids = over(connection, table, now)
    if withdrawn := ids.get(Record.WITHDRAWN):
        erase_plans(connection, withdrawn, WhyErased.RETENTION_OVER, by, now)
    if erased := ids.get(Record.ERASED):
        connection.execute(delete(ended_plans).where(ended_plans.c.id.in_(erased)))
    if quarantined := ids.get(Record.QUARANTINED):
        connection.execute(delete(plan_quarantine).where(plan_quarantine.c.id.in_(quarantined)))
    return ids


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
