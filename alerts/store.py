"""Where alerts are in their life, and the notices still to be carried: SQLite or PostgreSQL.

A change of state and the notices it calls for are one commit, so that a worker that dies in between loses
neither and sends neither twice. Both the change and each try at a notice are compare-and-set: of two workers,
one wins.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from alerts.model import AlertState, Notice, Recipient
from infra.sql import Database, UtcDateTime, insert_once

metadata = sa.MetaData()

alert_states = sa.Table(
    "alert_states",
    metadata,
    sa.Column("rule", sa.String(60), primary_key=True),
    sa.Column("phase", sa.String(10), nullable=False),
    sa.Column("since", UtcDateTime),
    sa.Column("worst", sa.Float, nullable=False),
    sa.Column("version", sa.Integer, nullable=False),
)

alert_notices = sa.Table(
    "alert_notices",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("notice_id", sa.String(120), nullable=False),
    sa.Column("rule", sa.String(60), nullable=False),
    sa.Column("channel", sa.String(20), nullable=False),
    sa.Column("address", sa.String(2000), nullable=False),
    sa.Column("notice", sa.Text, nullable=False),
    sa.Column("tries", sa.Integer, nullable=False, default=0),
    sa.Column("next_try_at", UtcDateTime, nullable=False),
    sa.Column("sent_at", UtcDateTime),
    sa.Column("failed_at", UtcDateTime),
    sa.UniqueConstraint("notice_id", "channel", "address", name="alert_notices_once"),
    sa.Index("alert_notices_open", "channel", "sent_at", "failed_at"),
)


@dataclass(frozen=True, slots=True)
class Delivery:
    """A notice on its way to its recipient: how often it was tried, and when it is next."""

    id: int
    notice: Notice
    tries: int
    next_try_at: datetime


class AlertStore:
    """The tables of this package. Any method may raise SQLAlchemyError; then nothing was changed."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def states(self) -> dict[str, AlertState]:
        """Every stored state, by rule."""
        rows = await self._database.read(lambda connection: connection.execute(sa.select(alert_states)).all())
        return {row.rule: AlertState(**row._mapping) for row in rows}

    async def move(self, state: AlertState, notices: Sequence[Notice]) -> bool:
        """Store ``state``, whose ``version`` is still that of the state it follows, and queue ``notices``.

        False, and nothing changed, if another worker was first.
        """

        def write(connection: sa.Connection) -> bool:
            if not _put(connection, state):
                return False
            if notices:
                connection.execute(sa.insert(alert_notices), [_row(each) for each in notices])
            return True

        try:
            return await self._database.write(write)
        except IntegrityError:
            return False

    async def open_deliveries(self, channel: str) -> list[Delivery]:
        """The notices of a channel that are neither sent nor given up, oldest first."""
        found = sa.select(alert_notices).where(
            alert_notices.c.channel == channel,
            alert_notices.c.sent_at.is_(None),
            alert_notices.c.failed_at.is_(None),
        )
        oldest_first = found.order_by(alert_notices.c.id)
        rows = await self._database.read(lambda connection: connection.execute(oldest_first).all())
        return [Delivery(row.id, _read(row.notice), row.tries, row.next_try_at) for row in rows]

    async def recent(self, channels: Sequence[str], since: datetime) -> list[Notice]:
        """Every notice of the channels that was queued, or due for a try, since then: the newest first."""
        found = sa.select(alert_notices.c.notice).where(
            alert_notices.c.channel.in_(channels), alert_notices.c.next_try_at >= since
        )
        newest_first = found.order_by(alert_notices.c.id.desc())
        rows = await self._database.read(lambda connection: connection.execute(newest_first).all())
        return [_read(row.notice) for row in rows]

    async def claim(self, delivery: Delivery, next_try_at: datetime) -> bool:
        """Begin a try, before it is made: until ``next_try_at`` no other worker tries. False if one does."""
        return await self._set(delivery.id, delivery.tries, {"tries": delivery.tries + 1, "next_try_at": next_try_at})

    async def put_off(self, delivery: Delivery, next_try_at: datetime) -> None:
        """The claimed try failed; the next is due at ``next_try_at``."""
        await self._set(delivery.id, delivery.tries + 1, {"next_try_at": next_try_at})

    async def close(
        self, delivery: Delivery, *, sent_at: datetime | None, failed_at: datetime | None, then: Notice | None = None
    ) -> None:
        """The notice was taken, or is given up: it is not tried again; ``then`` is queued in its place."""

        def write(connection: sa.Connection) -> None:
            values = {"sent_at": sent_at, "failed_at": failed_at}
            connection.execute(sa.update(alert_notices).where(alert_notices.c.id == delivery.id).values(values))
            if then is not None:
                connection.execute(insert_once(alert_notices, self._database.dialect).values(_row(then)))

        await self._database.write(write)

    async def _set(self, delivery_id: int, tries: int, values: dict[str, Any]) -> bool:
        same = (alert_notices.c.id == delivery_id) & (alert_notices.c.tries == tries)
        change = sa.update(alert_notices).where(same).values(values)
        return await self._database.write(lambda connection: connection.execute(change).rowcount == 1)


def _put(connection: sa.Connection, state: AlertState) -> bool:
    values = {**asdict(state), "version": state.version + 1}
    if state.version == 0:
        connection.execute(sa.insert(alert_states).values(values))
        return True
    same = (alert_states.c.rule == state.rule) & (alert_states.c.version == state.version)
    return connection.execute(sa.update(alert_states).where(same).values(values)).rowcount == 1


def _row(notice: Notice) -> dict[str, Any]:
    return {
        "notice_id": notice.id,
        "rule": notice.rule,
        "channel": notice.recipient.channel,
        "address": notice.recipient.address,
        "notice": json.dumps(asdict(notice), default=datetime.isoformat),
        "next_try_at": notice.at,
    }


def _read(text: str) -> Notice:
    data = json.loads(text)
    data.setdefault("alert", data["rule"])  # a notice that was queued before it had one
    to = data["recipient"]
    then = tuple(Recipient(**each) for each in to.pop("then", ()))
    data["recipient"] = Recipient(**to, then=then)
    for name in ("since", "at"):
        data[name] = datetime.fromisoformat(data[name])
    return Notice(**data)
