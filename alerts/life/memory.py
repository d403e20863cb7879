"""Alerts and notices in the process: for what the process alone sees, and for while the database is away."""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Collection
from dataclasses import replace
from datetime import datetime

from alerts.life.store import Change, Delivery, outcome_steps
from alerts.model import AlertState, Notice, Outcome, StepTaken

STEPS_KEPT = 1000
"""Lines of record that wait for the database: an outage of hours, since an alert has about ten."""

SENT_KEPT = 200
"""Notices of which a receipt may still come; later than that many others, nobody waits for it."""


class MemoryStore:
    """What an outage needs of :class:`alerts.ports.Store`, for one process. Its deliveries have ids below zero."""

    def __init__(self) -> None:
        self._states: dict[str, AlertState] = {}
        self._open: dict[int, Delivery] = {}
        self._sent: deque[Delivery] = deque(maxlen=SENT_KEPT)
        self._steps: deque[StepTaken] = deque(maxlen=STEPS_KEPT)
        self._ids = itertools.count(-1, -1)

    async def states(self) -> dict[str, AlertState]:
        return dict(self._states)

    async def move(self, change: Change) -> bool:
        for state in change.states:
            self._states[state.rule] = replace(state, version=state.version + 1)
        self._steps.extend(change.steps)
        for each in change.notices:
            self._queue(each)
        return True

    def forget(self, alerts: Collection[str]) -> None:
        """Another store looks after these alerts again; their notices stay here until they are closed."""
        for alert in alerts:
            del self._states[alert]

    def steps(self) -> tuple[StepTaken, ...]:
        """What waits here to be put on record, oldest first."""
        return tuple(self._steps)

    def recorded(self, steps: Collection[StepTaken]) -> None:
        """These are on record elsewhere now."""
        self._steps = deque((each for each in self._steps if each not in steps), STEPS_KEPT)

    async def open_deliveries(self, channel: str) -> list[Delivery]:
        return [each for each in self._open.values() if each.notice.recipient.channel == channel]

    async def claim(self, delivery: Delivery, next_try_at: datetime) -> bool:
        self._open[delivery.id] = replace(delivery, tries=delivery.tries + 1, next_try_at=next_try_at)
        return True

    async def put_off(self, delivery: Delivery, next_try_at: datetime) -> None:
        if (still := self._open.get(delivery.id)) is not None:
            self._open[delivery.id] = replace(still, next_try_at=next_try_at)

    async def sent(self, notice_id: str, channel: str, address: str) -> Delivery | None:
        """As :meth:`alerts.life.store.AlertStore.sent`."""
        tried = (each for each in self._open.values() if each.tries > 0)
        for each in (*tried, *self._sent):
            to = each.notice.recipient
            if (each.notice.id, to.channel, to.address) == (notice_id, channel, address):
                return each
        return None

    async def unheard(self, channel: str, since: datetime, until: datetime) -> list[Delivery]:
        """As :meth:`alerts.life.store.AlertStore.unheard`."""
        mine = (each for each in self._sent if each.notice.recipient.channel == channel)
        return [each for each in mine if each.sent_at is not None and since <= each.sent_at <= until]

    async def close(self, delivery: Delivery, outcome: Outcome, at: datetime, then: Notice | None = None) -> None:
        was_open = self._open.pop(delivery.id, None)  # who was told is in the log for good: notice_sent, notice_failed
        self._sent = deque((each for each in self._sent if each.id != delivery.id), SENT_KEPT)
        if outcome == "sent" and was_open is not None:  # else its receipt was quicker
            self._sent.append(replace(was_open, sent_at=at))
        self._steps.extend(outcome_steps(delivery.notice, outcome, at))
        if then is not None:
            self._queue(then)

    def _queue(self, notice: Notice) -> None:
        delivery = Delivery(next(self._ids), notice, 0, notice.at)
        self._open[delivery.id] = delivery
