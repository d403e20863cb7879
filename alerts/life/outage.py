"""Alerts that do not die with the database: kept in the process until it is back.

While the database is away, alerts go on from where they were last seen, in memory, and their notices go out from
there: at once, and at least once (two workers that both lose it tell twice). When it is back, each alert that
moved meanwhile is written to it, unless another worker moved it there; then that worker looks after it.
What this process alone sees (:data:`alerts.model.OWN_METRICS`) stays in memory always: a worker that has lost a
part must not be contradicted by one that has not, and its knowledge ends with it. The record of both goes to the
database as soon as it answers, once.
"""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import TypeVar

import structlog

from alerts.life.memory import MemoryStore
from alerts.life.store import Change, Delivery
from alerts.model import AlertState, Notice, Outcome, Silence, StepTaken, rule_of
from alerts.ports import Store
from infra.breaker import Breaker
from infra.clock import Clock
from infra.turns import within

ANSWER_S = 2.0
"""A database that takes longer for a few rows is as good as away."""

log = structlog.get_logger(__name__)
T = TypeVar("T")


class _Away(Exception):
    """The database does not answer; memory stands in."""


class OutageStore:
    """:class:`alerts.ports.Store` over SQL and memory. ``own``: names of the rules whose alerts stay in memory."""

    def __init__(self, sql: Store, clock: Clock, own: Collection[str] = ()) -> None:
        self._sql = sql
        self._memory = MemoryStore()
        self._own = frozenset(own)
        self._last_seen: dict[str, AlertState] = {}
        self._silences: list[Silence] = []
        self._moved: set[str] = set()  # alerts of everybody's that moved in memory
        self._breaker = Breaker(clock.monotonic, trips=1, on_change=_log_change)
        # of its own: a step that the database refuses must not make it count as away
        self._recording = Breaker(clock.monotonic, trips=1, on_change=_log_recording)

    async def states(self, told_since: datetime | None = None) -> dict[str, AlertState]:
        """As last seen in the database, with what moved in memory on top; what was told once only from the database."""
        told: dict[str, AlertState] = {}
        with contextlib.suppress(_Away):
            self._last_seen = await self._ask(self._return)
            if told_since is not None:
                told = await self._ask(partial(self._sql.states, told_since))
            await self._record()
        return told | self._last_seen | await self._memory.states()

    async def move(self, change: Change) -> bool:
        """In the database, or else in memory. A commit whose answer was lost tells its notices twice.

        A change is of alerts of this process' own, or of everybody's, never of both.
        """
        if not any(self._is_own(each.rule) for each in change.states):
            try:
                return await self._ask(partial(self._sql.move, change))
            except _Away:
                self._moved |= {each.rule for each in change.states}
        return await self._memory.move(change)

    async def steps(self, alert: str, most: int = 200) -> list[StepTaken]:
        """What waits in memory, newest first, before what the database has, if it answers."""
        own = [each for each in reversed(self._memory.steps()) if each.alert == alert]
        try:
            return own + await self._ask(partial(self._sql.steps, alert, most))
        except _Away:
            return own

    async def record(self, steps: Sequence[StepTaken]) -> None:
        """In the database only: raises what it raises."""
        await self._sql.record(steps)

    async def history(self, most: int = 50) -> list[StepTaken]:
        """Empty while the database is away."""
        try:
            return await self._ask(partial(self._sql.history, most))
        except _Away:
            return []

    async def silences(self, at: datetime) -> list[Silence]:
        """As last seen while the database is away: what was silenced stays so, as long as was said."""
        with contextlib.suppress(_Away):
            self._silences = await self._ask(partial(self._sql.silences, at))
        return [each for each in self._silences if each.since <= at < each.until]

    async def silence(self, silence: Silence, step: StepTaken) -> None:
        """In the database only: raises what it raises."""
        await self._sql.silence(silence, step)

    async def lift(self, silence_id: str, step: StepTaken) -> bool:
        """In the database only: raises what it raises."""
        return await self._sql.lift(silence_id, step)

    async def take_on(self, alert: str, by: str, at: datetime) -> bool:
        """False while the database is away: then this process alone knows."""
        try:
            return await self._ask(partial(self._sql.take_on, alert, by, at))
        except _Away:
            return False

    async def taken_on(self, since: datetime) -> list[tuple[str, str, datetime]]:
        """Empty while the database is away."""
        try:
            return await self._ask(partial(self._sql.taken_on, since))
        except _Away:
            return []

    async def bounced(self) -> dict[str, datetime]:
        """Empty while the database is away: then mail goes to everybody as if it arrived."""
        try:
            return await self._ask(self._sql.bounced)
        except _Away:
            return {}

    async def open_deliveries(self, channel: str) -> list[Delivery]:
        """Those of memory first: they cannot wait for another worker."""
        own = await self._memory.open_deliveries(channel)
        try:
            return own + await self._ask(partial(self._sql.open_deliveries, channel))
        except _Away:
            return own

    async def claim(self, delivery: Delivery, next_try_at: datetime) -> bool:
        """False, too, while the database that holds the notice is away."""
        try:
            if delivery.id < 0:
                return await self._memory.claim(delivery, next_try_at)
            return await self._ask(partial(self._sql.claim, delivery, next_try_at))
        except _Away:
            return False

    async def put_off(self, delivery: Delivery, next_try_at: datetime) -> None:
        """Left undone while the database is away: the claim's end is then the next try."""
        try:
            if delivery.id < 0:
                await self._memory.put_off(delivery, next_try_at)
            else:
                await self._ask(partial(self._sql.put_off, delivery, next_try_at))
        except _Away:
            log.warning("notice_not_put_off", notice=delivery.notice.id)

    async def sent(self, notice_id: str, channel: str, address: str) -> Delivery | None:
        """Of what was sent from memory, too; None for the database's own while it is away."""
        if (own := await self._memory.sent(notice_id, channel, address)) is not None:
            return own
        try:
            return await self._ask(partial(self._sql.sent, notice_id, channel, address))
        except _Away:
            return None

    async def unheard(self, channel: str, since: datetime, until: datetime) -> list[Delivery]:
        """Of what was sent from memory, too."""
        own = await self._memory.unheard(channel, since, until)
        try:
            return own + await self._ask(partial(self._sql.unheard, channel, since, until))
        except _Away:
            return own

    async def close(self, delivery: Delivery, outcome: Outcome, at: datetime, then: Notice | None = None) -> None:
        """Left undone while the database is away: the notice is then sent again, with the same id."""
        try:
            if delivery.id < 0:
                await self._memory.close(delivery, outcome, at, then)
            else:
                await self._ask(partial(self._sql.close, delivery, outcome, at, then))
        except _Away:
            log.warning("notice_not_closed", notice=delivery.notice.id)

    def _is_own(self, alert: str) -> bool:
        return rule_of(alert) in self._own

    async def _return(self) -> dict[str, AlertState]:
        """The database's states, after what moved in memory was given back to it."""
        found = await self._sql.states()
        if not self._moved:
            return found
        for alert in sorted(self._moved):
            now = found.get(alert)
            if now == self._last_seen.get(alert):
                kept = replace((await self._memory.states())[alert], version=now.version if now else 0)
                await self._sql.move(Change((kept,)))
            self._memory.forget({alert})
            self._moved.discard(alert)
        return await self._sql.states()

    async def _record(self) -> None:
        """Put on record what happened in memory, whoever looks after the alert now: no step of a life is lost."""
        if steps := self._memory.steps():
            await self._ask(partial(self._sql.record, steps), self._recording)
            self._memory.recorded(frozenset(steps))

    async def _ask(self, work: Callable[[], Awaitable[T]], breaker: Breaker | None = None) -> T:
        breaker = breaker or self._breaker
        if not breaker.allows():
            raise _Away
        try:
            async with within(ANSWER_S):
                answer = await work()
        except Exception as error:
            breaker.failed()
            raise _Away from error
        breaker.succeeded()
        return answer


def _log_change(away: bool) -> None:
    if away:
        log.error("alert_store_away")
    else:
        log.info("alert_store_back")


def _log_recording(refused: bool) -> None:
    if refused:
        log.error("alert_steps_not_recorded")  # they wait in memory, and are tried again
    else:
        log.info("alert_steps_recorded")
