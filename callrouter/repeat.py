"""Repeat callers: two or more completed encounters in the 96 hours before this call.

The rule is the NHS 111 repeat-caller rule: s is the start of this call, earlier encounters count when
0 < s - start <= 345,600 s. A number is not an identity, so a match by number alone is a *potential* repeat
(PRC) at best. Encounters are kept under a keyed hash of the number.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from sqlalchemy import Column, Connection, Index, MetaData, String, Table, bindparam, select
from sqlalchemy.exc import SQLAlchemyError

from callrouter.ports import RepeatFound
from infra.crypto import KeyRing
from infra.numbers import Number
from infra.sql import Database, UtcDateTime, insert_once

WINDOW = timedelta(hours=96)
KEPT = timedelta(hours=97)  # one more than the rule needs, for a call that is on its way; then nobody needs it
FORGET_EVERY = timedelta(hours=1)
EARLIER_NEEDED = 2

metadata = MetaData()
encounters = Table(
    "encounters",
    metadata,
    Column("call_ref", String(64), primary_key=True),
    Column("number_hash", String(64), nullable=False),
    Column("started_at", UtcDateTime, nullable=False),
    Index("encounters_by_number", "number_hash", "started_at"),
    Index("encounters_by_time", "started_at"),
)
_EARLIER = (
    select(encounters.c.started_at)
    .where(
        encounters.c.number_hash == bindparam("number_hash"),
        encounters.c.started_at < bindparam("before"),
        encounters.c.started_at >= bindparam("since"),
    )
    .order_by(encounters.c.started_at)
)


class RepeatCalls:
    """The index of completed encounters by number."""

    def __init__(self, database: Database, keys: KeyRing) -> None:
        self._database = database
        self._insert = insert_once(encounters, database.dialect)
        self._keys = keys
        self._forget_at = datetime.min.replace(tzinfo=UTC)

    async def find(self, number: Number, started: datetime) -> RepeatFound:
        """PRC from the third encounter on, else NRC; IIQ without a number, ER when the store fails."""
        if number.e164 is None:
            return RepeatFound("IIQ", f"number_{number.kind}")
        started = started.astimezone(UTC)  # 96 hours on a local clock are 95 or 97 over a clock change
        asked = {"number_hash": self._hash(number.e164), "before": started, "since": started - WINDOW}
        try:
            earlier = tuple(await self._database.read(lambda c: c.execute(_EARLIER, asked).scalars().all()))
        except SQLAlchemyError:
            return RepeatFound("ER", "store_failed")
        if len(earlier) < EARLIER_NEEDED:
            return RepeatFound("NRC", "fewer_than_two_earlier", earlier)
        return RepeatFound("PRC", "by_number", earlier)

    async def keep(self, call_ref: str, number: str, started: datetime) -> None:
        """Keep a completed encounter, and forget those of :data:`KEPT` before it. Again changes nothing."""
        row = {"call_ref": call_ref, "number_hash": self._hash(number), "started_at": started}
        forget = started >= self._forget_at

        def write(connection: Connection) -> None:
            connection.execute(self._insert, row)
            if forget:
                connection.execute(encounters.delete().where(encounters.c.started_at < started - KEPT))

        await self._database.write(write)
        if forget:
            self._forget_at = started + FORGET_EVERY

    def _hash(self, e164: str) -> str:
        return self._keys.index("encounter-number", e164)
