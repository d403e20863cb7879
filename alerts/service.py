"""Watching the figures and telling people: what the wiring starts and leaves running."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial

import structlog

from alerts.life import advance
from alerts.model import AlertState, Figures, Notice, NoticeKind, Parts, Rule
from alerts.ports import NoticeFailed, Notifier, Store
from alerts.readings import Reading, readings
from alerts.store import Delivery
from infra.clock import Clock

log = structlog.get_logger(__name__)

TICK_S = 1.0
"""How often rules are checked; figures change by the second."""


@dataclass(frozen=True, slots=True)
class Retry:
    """How a notice that was not taken is tried again: ``tries`` in all, waiting ``first_s``, then twice that, …

    With these numbers the last try is about two minutes after the first: later, a person has noticed, or the
    alert is history. ``try_s`` bounds one try, whatever the channel does.
    """

    tries: int = 6
    first_s: float = 4.0
    try_s: float = 20.0

    def wait(self, tries: int) -> timedelta:
        """How long to wait after that many failed tries."""
        return timedelta(seconds=self.first_s * 2 ** (tries - 1))


PATIENCE = Retry()


class AlertService:
    """Checks every rule against the figures and sends what is due.

    Each recipient gets one notice when an alert fires and one when it clears, in that order, over a restart
    too. A worker that dies while a channel takes a notice sends it again, with the same id. ``figures`` may
    answer None while they are not known (the day's journal is not yet read): then no alert of theirs changes.
    ``parts`` says how the things are that the service stands on. ``notifiers`` are the channels by name; a
    notice for one that is missing is logged as ``notice_failed``.
    """

    def __init__(
        self,
        rules: Sequence[Rule],
        figures: Callable[[], Figures | None],
        notifiers: Mapping[str, Notifier],
        store: Store,
        clock: Clock,
        retry: Retry = PATIENCE,
        parts: Callable[[], Parts] = lambda: Parts({}),
    ) -> None:
        self._rules = tuple(rules)
        self._figures = figures
        self._notifiers = notifiers
        self._store = store
        self._clock = clock
        self._retry = retry
        self._parts = parts
        self._worst: dict[str, float] = {}  # of episodes not over; stored when their phase changes
        self._channels = sorted(
            {way.channel for rule in rules for each in rule.who for way in each.ways} | set(notifiers)
        )

    async def tick(self) -> None:
        """Check all rules once, then try what is due on every channel at the same time.

        Never raises for a defect of store, channel or figures: it is logged, and the next tick tries again.
        """
        await self._check_guarded()
        await asyncio.gather(*(self._deliver_guarded(channel) for channel in self._channels))

    async def run(self) -> None:
        """Tick each second until cancelled; a slow channel delays neither the checks nor another channel."""
        async with asyncio.TaskGroup() as loops:
            loops.create_task(self._every_tick(self._check_guarded))
            for channel in self._channels:
                loops.create_task(self._every_tick(partial(self._deliver_guarded, channel)))

    async def acknowledge(self, alert: str, by: str, how: str) -> bool:  # noqa: ARG002 - kept with the steps
        """Somebody takes the alert on: ``by`` their name, ``how`` they said so (``page``, ``voice``, ``text``).

        ``alert`` is the notice's. False if it does not fire (any more).
        """
        state = (await self._store.states()).get(alert)
        if state is None or state.phase != "firing":
            return False
        log.info("alert_acknowledged", alert=alert, how=how)  # names stay out of the log
        return True

    async def receipt(self, notice: str, channel: str, address: str, *, delivered: bool) -> None:  # noqa: ARG002
        """See :class:`alerts.ports.Receipts`. An address is never logged."""
        log.info("notice_delivered" if delivered else "notice_undelivered", notice=notice, channel=channel)

    async def check(self) -> None:
        """Move every alert by what is known now. Raises what the store raises."""
        figures, parts, now = self._figures(), self._parts(), self._clock.now()
        states = await self._store.states()
        for rule in self._rules:
            for reading in readings(rule, figures, parts, now):
                await self._check(rule, states.get(reading.alert, AlertState(rule=reading.alert)), reading)

    async def deliver(self, channel: str) -> None:
        """Try each notice of the channel that is due. Raises SQLAlchemyError if the store fails."""
        now = self._clock.now()
        first: dict[tuple[str, str, str], Delivery] = {}
        for each in await self._store.open_deliveries(channel):
            first.setdefault((each.notice.rule, each.notice.where, each.notice.recipient.address), each)
        due = [each for each in first.values() if each.next_try_at <= now]
        await asyncio.gather(*(self._try(channel, each) for each in due))

    async def _check(self, rule: Rule, stored: AlertState, reading: Reading) -> None:
        before = replace(stored, worst=max(stored.worst, self._worst.get(stored.rule, 0.0)))
        after, kind = advance(rule, before, reading.value, reading.at)
        self._worst[stored.rule] = after.worst if after.phase in ("pending", "firing") else 0.0
        if after.phase == stored.phase:
            return
        notices = _notices(rule, after, kind, reading) if kind else []
        if await self._store.move(after, notices):
            log.info("alert_moved", alert=stored.rule, phase=after.phase, value=reading.value)

    async def _try(self, channel: str, delivery: Delivery) -> None:
        tries = delivery.tries + 1
        if tries > self._retry.tries:  # a worker died in the last one
            return await self._give_up(delivery, "outcome_unknown", delivery.tries)
        lease = timedelta(seconds=self._retry.try_s) + self._retry.wait(tries)
        if not await self._store.claim(delivery, self._clock.now() + lease):
            return None
        failure = await self._send(channel, delivery.notice)
        if failure is None:
            await self._store.close(delivery, sent_at=self._clock.now(), failed_at=None)
            log.info("notice_sent", notice=delivery.notice.id, channel=channel, tries=tries)
        elif failure.final or tries >= self._retry.tries:
            await self._give_up(delivery, failure.error_id, tries)
        else:
            await self._store.put_off(delivery, self._clock.now() + self._retry.wait(tries))
            log.warning("notice_put_off", notice=delivery.notice.id, channel=channel, error_id=failure.error_id)
        return None

    async def _send(self, channel: str, notice: Notice) -> NoticeFailed | None:
        """What went wrong; None if the channel took the notice."""
        notifier = self._notifiers.get(channel)
        if notifier is None:
            return NoticeFailed("channel_missing", final=True)
        try:
            async with asyncio.timeout(self._retry.try_s):
                await notifier.send(notice)
        except NoticeFailed as error:
            return error
        except TimeoutError:
            return NoticeFailed("channel_timed_out")
        except Exception as error:  # noqa: BLE001 - a defect of one channel must not silence the others
            return NoticeFailed(f"channel_defect_{type(error).__name__}")
        return None

    async def _give_up(self, delivery: Delivery, error_id: str, tries: int) -> None:
        notice, now = delivery.notice, self._clock.now()
        then = _by_next_channel(notice, now)
        await self._store.close(delivery, sent_at=None, failed_at=now, then=then)
        log.error(
            "notice_failed",
            notice=notice.id,
            channel=notice.recipient.channel,
            error_id=error_id,
            tries=tries,
            next_channel=then.recipient.channel if then else None,
        )

    async def _check_guarded(self) -> None:
        await _guarded("alert_check_failed", self.check)

    async def _deliver_guarded(self, channel: str) -> None:
        await _guarded("alert_delivery_failed", partial(self.deliver, channel))

    async def _every_tick(self, work: Callable[[], Awaitable[None]]) -> None:
        while True:
            await work()
            await asyncio.sleep(TICK_S)


async def _guarded(event: str, work: Callable[[], Awaitable[None]]) -> None:
    try:
        await work()
    except Exception as error:  # noqa: BLE001 - alerts that stop for one failure are worse than one missed tick
        log.error(event, error=type(error).__name__)


def _by_next_channel(notice: Notice, at: datetime) -> Notice | None:
    """The same notice to the same person by their next channel, due ``at``; None if there is no other."""
    if not notice.recipient.then:
        return None
    first, *rest = notice.recipient.then
    return replace(notice, at=at, recipient=replace(first, then=tuple(rest)))


def _notices(rule: Rule, state: AlertState, kind: NoticeKind, reading: Reading) -> list[Notice]:
    since = (state.since or reading.at).astimezone(UTC)
    return [
        Notice(
            alert=state.rule,
            id=f"{state.rule}.{since:%Y%m%dT%H%M%S.%fZ}.{kind}".replace(":", "."),
            kind=kind,
            rule=rule.name,
            severity=rule.severity,
            what=rule.title,
            where=reading.where,
            metric=rule.metric,
            since=since,
            at=reading.at.astimezone(UTC),
            value=reading.value,
            worst=state.worst,
            threshold=rule.threshold,
            clear_below=rule.clear_below,
            usually_helps=rule.usually_helps,
            link=rule.link,
            recipient=recipient,
        )
        for recipient in rule.who
    ]
