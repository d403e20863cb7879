"""Alerts and notices in the process: for what the process alone sees, and for while the database is away."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from alerts.model import AlertState, Notice
from alerts.store import Delivery


class MemoryStore:
    """:class:`alerts.ports.Store` for one process and one event loop. Its deliveries have ids below zero."""

    def __init__(self) -> None:
        self._states: dict[str, AlertState] = {}
        self._open: dict[int, Delivery] = {}
        self._ids = itertools.count(-1, -1)

    async def states(self) -> dict[str, AlertState]:
        return dict(self._states)

    async def move(self, state: AlertState, notices: Sequence[Notice]) -> bool:
        self._states[state.rule] = replace(state, version=state.version + 1)
        for each in notices:
            self._queue(each)
        return True

    def forget(self, alert: str) -> None:
        """Another store looks after this alert again; its notices stay here until they are closed."""
        del self._states[alert]

    async def open_deliveries(self, channel: str) -> list[Delivery]:
        return [each for each in self._open.values() if each.notice.recipient.channel == channel]

    async def claim(self, delivery: Delivery, next_try_at: datetime) -> bool:
        self._open[delivery.id] = replace(delivery, tries=delivery.tries + 1, next_try_at=next_try_at)
        return True

    async def put_off(self, delivery: Delivery, next_try_at: datetime) -> None:
        self._open[delivery.id] = replace(self._open[delivery.id], next_try_at=next_try_at)

    async def close(
        self,
        delivery: Delivery,
        *,
        sent_at: datetime | None,  # noqa: ARG002 - the record of who was told is the log's: notice_sent, notice_failed
        failed_at: datetime | None,  # noqa: ARG002
        then: Notice | None = None,
    ) -> None:
        del self._open[delivery.id]
        if then is not None:
            self._queue(then)

    def _queue(self, notice: Notice) -> None:
        delivery = Delivery(next(self._ids), notice, 0, notice.at)
        self._open[delivery.id] = delivery
