"""Carrying notices: tries, pauses, the next channel when one fails, and word of who cannot be reached."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import structlog

from alerts.life.store import Delivery
from alerts.model import Notice
from alerts.ports import NoticeFailed, Notifier, Store
from infra.clock import Clock

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Retry:
    """How a notice that was not taken is tried again: ``tries`` in all, waiting ``first_s``, then twice that, …

    With these numbers the last try is about two minutes after the first: later, a person has noticed, or the
    alert is history. Where the person has another channel, ``before_next`` tries are enough: whom this one may reach
    in two minutes hears by the next after twelve seconds. ``try_s`` bounds one try, whatever the channel does.
    """

    tries: int = 6
    before_next: int = 3
    first_s: float = 4.0
    try_s: float = 20.0

    def most(self, notice: Notice) -> int:
        """How often this notice is tried by its channel."""
        return self.before_next if notice.recipient.then else self.tries

    def wait(self, tries: int) -> timedelta:
        """How long to wait after that many failed tries."""
        return timedelta(seconds=self.first_s * 2 ** (tries - 1))


PATIENCE = Retry()

HEARD_WITHIN: Mapping[str, timedelta] = {"voice": timedelta(minutes=5)}
"""Channels that say soon what became of each notice: without a word for so long it was not delivered. A text may arrive
hours later, when a telephone is switched on."""

GIVEN_UP_UNTIL = timedelta(hours=1)
"""What was taken longer ago is given up no more: its alert is history."""


class Carrier:
    """Gives notices to their channels. ``notifiers``: the channels by name.

    A recipient whom no channel of theirs reaches is in ``unreached``, by the alerts that they should have heard of,
    until :meth:`take_unreached`: the next step of these alerts need not wait.
    """

    def __init__(self, notifiers: Mapping[str, Notifier], store: Store, clock: Clock, retry: Retry) -> None:
        self._notifiers = notifiers
        self._store = store
        self._clock = clock
        self._retry = retry
        self._under_way: set[asyncio.Task[None]] = set()
        self._unreached: set[str] = set()

    async def deliver(self, channel: str) -> None:
        """As :meth:`start`, and wait for the end of what was begun."""
        await asyncio.gather(*await self.start(channel))

    async def start(self, channel: str) -> list[asyncio.Task[None]]:
        """Begin a try of each notice of the channel that is due; of one alert, a recipient hears in order.

        A receiver that hangs holds up its own notices and no other's. Raises SQLAlchemyError if the store fails.
        """
        now = self._clock.now()
        await self._give_up_unheard(channel, now)
        await self._give_up_bounced(channel, now)
        waits: set[tuple[str, str]] = set()
        due = []
        for each in await self._store.open_deliveries(channel):
            mine = {(alert, each.notice.recipient.address) for alert in each.notice.alerts}
            if not mine & waits and each.next_try_at <= now:
                due.append(each)
            waits |= mine
        tries = [asyncio.create_task(self._try_guarded(channel, each)) for each in due]
        for each_try in tries:  # the loop itself keeps no task alive
            self._under_way.add(each_try)
            each_try.add_done_callback(self._under_way.discard)
        return tries

    async def stop(self) -> None:
        """Break off what is under way: another worker tries again when the lease is over."""
        under_way = list(self._under_way)
        for each in under_way:
            each.cancel()
        await asyncio.gather(*under_way, return_exceptions=True)

    async def receipt(self, notice: str, channel: str, address: str, *, delivered: bool) -> None:
        """Word of a notice that its channel had taken: it arrived, or will not (then the next channel has it)."""
        log.info("notice_delivered" if delivered else "notice_undelivered", notice=notice, channel=channel)
        delivery = await self._store.sent(notice, channel, address)
        if delivery is None:
            return
        if delivered:
            await self._store.close(delivery, "delivered", self._clock.now())
        else:
            await self._give_up(delivery, "not_delivered", delivery.tries)

    def take_unreached(self) -> frozenset[str]:
        """Alerts of which somebody could not be told by any channel, since this was asked last."""
        found, self._unreached = frozenset(self._unreached), set()
        return found

    async def _give_up_unheard(self, channel: str, now: datetime) -> None:
        """The word on a call may have come to another process, which knew nothing of the notice, or not at all."""
        if (within := HEARD_WITHIN.get(channel)) is None:
            return
        for each in await self._store.unheard(channel, now - GIVEN_UP_UNTIL, now - within):
            if await self._store.claim(each, now):  # of two workers one gives it up
                await self._give_up(each, "no_receipt", each.tries)

    async def _give_up_bounced(self, channel: str, now: datetime) -> None:
        """What was mailed to an address that mail comes back from goes on by the person's next channel.

        It is mailed all the same: nothing is lost by it if the address works again.
        """
        if channel != "email" or not (bounced := await self._store.bounced()):
            return
        for each in await self._store.unheard(channel, now - GIVEN_UP_UNTIL, now):
            if each.notice.recipient.address.lower() in bounced and await self._store.claim(each, now):
                await self._give_up(each, "bounced", each.tries)

    async def _try_guarded(self, channel: str, delivery: Delivery) -> None:
        try:
            await self._try(channel, delivery)
        except Exception as error:  # noqa: BLE001 - the next notice is another one's
            log.error("alert_delivery_failed", notice=delivery.notice.id, error=type(error).__name__)

    async def _try(self, channel: str, delivery: Delivery) -> None:
        tries = delivery.tries + 1
        if tries > self._retry.most(delivery.notice):  # a worker died in the last one
            return await self._give_up(delivery, "outcome_unknown", delivery.tries)
        lease = timedelta(seconds=self._retry.try_s) + self._retry.wait(tries)
        if not await self._store.claim(delivery, self._clock.now() + lease):
            return None
        failure = await self._send(channel, delivery.notice)
        if failure is None:
            await self._store.close(delivery, "sent", self._clock.now())
            log.info("notice_sent", notice=delivery.notice.id, channel=channel, tries=tries)
        elif failure.final or tries >= self._retry.most(delivery.notice):
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
        await self._store.close(delivery, "failed", now, then)
        if then is None and notice.kind != "cleared":
            self._unreached |= set(notice.alerts)
        log.error(
            "notice_failed",
            notice=notice.id,
            channel=notice.recipient.channel,
            error_id=error_id,
            tries=tries,
            next_channel=then.recipient.channel if then else None,
        )


def _by_next_channel(notice: Notice, at: datetime) -> Notice | None:
    """The same notice to the same person by their next channel, due ``at``; None if there is no other."""
    if not notice.recipient.then:
        return None
    first, *rest = notice.recipient.then
    return replace(notice, at=at, recipient=replace(first, then=tuple(rest)))
