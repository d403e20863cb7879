"""Watching the figures and telling people: what the wiring starts and leaves running."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial

import structlog

from alerts.auditor import PROBE_RULE
from alerts.errors import SilenceRefused
from alerts.figures.small_numbers import of_few
from alerts.figures.usual import Hours, Usual, keep_learning, kinds_of
from alerts.life.judging import Look, judge
from alerts.life.own import LOOKED_BACK, TakenOn, elsewhere, followed, own_among
from alerts.life.store import Change
from alerts.life.transitions import acknowledged
from alerts.model import AlertState, Figures, Parts, Recipient, Rule, Silence, StepTaken, page_of, rule_of
from alerts.notices.carrying import PATIENCE, Carrier
from alerts.notices.carrying import Retry as Retry
from alerts.ports import Notifier, Store
from alerts.rules.loading import in_order
from alerts.rules.readings import KeptWindows, Seen, Windows
from infra.clock import Clock
from infra.loops import until_next
from infra.turns import alike

log = structlog.get_logger(__name__)

CHECK_S = 0.5
"""Between two looks at the figures, so that a notice leaves within a second of its cause."""

LOOK_AGAIN_S = 1.0
"""Between two looks for notices that are to be tried again; a new one wakes its channel at once."""

LONGEST_SILENCE = timedelta(hours=24)
LONGEST_CRITICAL_SILENCE = timedelta(hours=4)
"""Of anything critical: a shift must not inherit that nobody hears of it."""


@dataclass(frozen=True, slots=True)
class Shown:
    """What a page shows of an alert: where it is in its life, its rule while there is one, and what it reads now."""

    state: AlertState
    rule: Rule | None
    value: float | None

    @property
    def page(self) -> str:
        """The last part of its page's address."""
        return page_of(self.state.rule)


@dataclass(frozen=True, slots=True)
class Pending:
    """An alert that fires at ``fires_at`` unless its metric gets better."""

    alert: str
    rule: Rule
    since: datetime
    fires_at: datetime


class AlertService:
    """Checks every rule against the figures and sends what is due.

    Each recipient gets one notice when an alert fires and one when it clears, in that order, over a restart
    too. A worker that dies while a channel takes a notice sends it again, with the same id. ``figures`` may
    answer None while they are not known (the day's journal is not yet read): then no alert of theirs changes.
    ``parts`` says how the things are that the service stands on, ``windows`` what was counted of the last minutes,
    ``usual`` what is usual at this hour of the week, learnt from the hours of the ``past`` while it runs.
    ``notifiers`` are the channels by name; a notice for one that is missing is logged as ``notice_failed``.
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
        windows: Windows = lambda _window, _kind: (),
        usual: Usual | None = None,
        past: Hours | None = None,
    ) -> None:
        self._rules = {each.name: each for each in in_order(rules)}
        self._figures = figures
        self._store = store
        self._clock = clock
        self._parts = parts
        self._windows = KeptWindows(windows, clock.monotonic)
        self._usual = usual or Usual()
        self._past = past
        self._carrier = Carrier(notifiers, store, clock, retry)
        self._live: dict[str, AlertState] = {}  # as stored, but for how bad it was at its worst
        self._values: dict[str, float] = {}
        self._unjudged: dict[str, str] = {}
        self._channels = sorted({each.channel for rule in rules for each in ways_of(rule)} | set(notifiers))
        self._queued = {channel: asyncio.Event() for channel in self._channels}

    async def tick(self) -> None:
        """Check all rules once, then try what is due on every channel at the same time.

        Never raises for a defect of store, channel or figures: it is logged, and the next tick tries again.
        """
        await _guarded("alert_check_failed", self.check)
        await asyncio.gather(*(self._guarded_delivery(self._carrier.deliver, channel) for channel in self._channels))

    async def run(self) -> None:
        """Check and carry until cancelled; a slow channel or receiver delays neither the checks nor another."""
        try:
            async with asyncio.TaskGroup() as loops:
                loops.create_task(alike(self._keep_checking()))
                if self._past is not None:
                    kinds = kinds_of(self._rules.values())
                    loops.create_task(alike(keep_learning(self._usual, self._past, kinds, self._clock)))
                for channel in self._channels:
                    loops.create_task(alike(self._keep_carrying(channel)))
        finally:
            await self._carrier.stop()

    async def check(self) -> None:
        """Move every alert by what is known now. Raises what the store raises."""
        now = self._clock.now()
        seen = Seen(now, self._figures(), self._parts(), self._windows, self._usual)
        providers = frozenset(f"provider:{each.scope}" for each in seen.figures.providers) if seen.figures else None
        known = await self._known()
        for change in await self._learnt(known, now):
            await self._move(change)
            known |= {each.rule: replace(each, version=each.version + 1) for each in change.states}
        look = Look(now, known, await self._store.silences(now), self._carrier.take_unreached(), providers)
        judged = judge(self._rules, look, seen.read)
        self._live, self._values = judged.live, judged.values
        self._unjudged = dict.fromkeys(judged.unread, "nothing is counted of it now") | seen.unjudged
        for change in judged.changes:
            await self._move(change)

    async def acknowledge(self, alert: str, by: str, how: str) -> bool:
        """Somebody takes the alert on: ``by`` their name, ``how`` they said so (``page``, ``voice``, ``text``).

        ``alert`` is the notice's; of a notice of several, each is taken on. False if none of them fires (any more).
        Of two people the first has it, and both are told True.
        """
        found = await self._store.states()
        states = [found[each] for each in alert.split() if each in found and found[each].is_open]
        now = self._clock.now()
        own = [await self._store.take_on(each, by, now) for each in own_among(alert.split(), self._rules)]
        taken = [acknowledged(each, by, now) for each in states if each.phase == "firing"]
        if taken:
            steps = tuple(StepTaken(each.rule, "acknowledged", now, by, how) for each in taken)
            if not await self._move(Change(tuple(taken), steps=steps)):
                return await self.acknowledge(alert, by, how)  # it moved meanwhile: look again
            log.info("alert_acknowledged", alerts=len(taken), how=how)  # names stay out of the log
        return bool(states) or any(own)

    async def receipt(self, notice: str, channel: str, address: str, *, delivered: bool) -> None:
        """See :class:`alerts.ports.Receipts`."""
        await self._carrier.receipt(notice, channel, address, delivered=delivered)

    async def silence(self, alert: str, by: str, reason: str, until: datetime) -> Silence:
        """Tell nobody of ``alert`` (an alert's identity or a rule's name) until then.

        Raises :class:`SilenceRefused` for one that is over at once or too long, has no reason, or is of nothing.
        """
        now = self._clock.now()
        rule = self._rules.get(rule_of(alert))
        if rule is None:
            raise SilenceRefused("there is no rule of this name")
        longest = LONGEST_CRITICAL_SILENCE if rule.severity == "critical" else LONGEST_SILENCE
        if not reason.strip():
            raise SilenceRefused("say why nobody is to be told")
        if not now < until <= now + longest:
            raise SilenceRefused(f"it may last {longest.total_seconds() / 3600:g} hours at most")
        made = Silence(secrets.token_hex(8), alert, by, reason.strip(), now, until)
        await self._store.silence(made, StepTaken(alert, "silenced", now, by, made.reason))
        log.info("alert_silenced", alert=alert)
        return made

    async def lift(self, silence: Silence, by: str) -> bool:
        """End a silence now; False if it is over already."""
        return await self._store.lift(silence.id, StepTaken(silence.alert, "lifted", self._clock.now(), by))

    async def silences(self) -> list[Silence]:
        """Those that hold now."""
        return await self._store.silences(self._clock.now())

    async def shown(self) -> list[Shown]:
        """Every alert that has ever fired, for pages: what fires first, the worst on top; no probe."""
        states = await self._known()
        found = [
            Shown(state, self._rules.get(rule_of(alert)), self._values.get(alert))
            for alert, state in states.items()
            if state.what and rule_of(alert) != PROBE_RULE
        ]
        return sorted(found, key=_worst_first)

    async def elsewhere(self, page: str) -> Shown | None:
        """An alert that another process may see for itself, by its page; None if there can be none."""
        taken = [TakenOn(*each) for each in await self._store.taken_on(self._clock.now() - LOOKED_BACK)]
        state = elsewhere(page, self._rules, self._parts(), taken)
        return Shown(state, self._rules[rule_of(state.rule)], None) if state else None

    async def history(self) -> list[StepTaken]:
        """How episodes of all alerts ended, newest first."""
        return await self._store.history()

    async def bounced(self) -> list[tuple[str, datetime]]:
        """Who is in the rules with an address that mail comes back from, by name, and since when."""
        since = await self._store.bounced()
        ways = {each for rule in self._rules.values() for each in ways_of(rule) if each.channel == "email"}
        return sorted({(each.name, since[each.address.lower()]) for each in ways if each.address.lower() in since})

    @property
    def pending(self) -> Sequence[Pending]:
        """What is over its bound and not yet for long enough, the next to fire first; no probe."""
        found = []
        for state in self._live.values():
            rule = self._rules.get(rule_of(state.rule))
            if rule is not None and state.phase == "pending" and state.since and rule.name != PROBE_RULE:
                found.append(Pending(state.rule, rule, state.since, state.since + timedelta(seconds=rule.for_s)))
        return sorted(found, key=lambda each: each.fires_at)

    @property
    def unjudged(self) -> Mapping[str, str]:
        """Alerts, or rules, that nobody can judge now, with why."""
        return self._unjudged

    async def steps(self, alert: str) -> list[StepTaken]:
        """The record of an alert, newest first."""
        return await self._store.steps(alert)

    async def _known(self) -> dict[str, AlertState]:
        """The stored states, each with the worst value that was seen since it was stored."""
        found = await self._store.states()
        for alert, state in found.items():
            seen = self._live.get(alert)
            if seen is not None and seen.version == state.version and seen.phase == state.phase:
                found[alert] = seen
        return found

    async def _learnt(self, known: Mapping[str, AlertState], now: datetime) -> list[Change]:
        """Alerts of this process' own that somebody took on by way of another."""
        if not any(known[each].phase == "firing" for each in own_among(known, self._rules)):
            return []
        return followed(known, [TakenOn(*each) for each in await self._store.taken_on(now - LOOKED_BACK)], now)

    async def _move(self, change: Change) -> bool:
        if not await self._store.move(change):
            return False
        for notice in change.notices:
            if notice.recipient.channel in self._queued:
                self._queued[notice.recipient.channel].set()
        for each in change.states:
            self._live[each.rule] = replace(each, version=each.version + 1)
            # who reads a log has no role: what an area or a service counts is not for it
            value = None if of_few(each.scope) else self._values.get(each.rule)
            log.info("alert_moved", alert=each.rule, phase=each.phase, value=value)
        return True

    async def _keep_checking(self) -> None:
        while True:
            await _guarded("alert_check_failed", self.check)
            await asyncio.sleep(until_next(CHECK_S))

    async def _keep_carrying(self, channel: str) -> None:
        while True:
            self._queued[channel].clear()
            await self._guarded_delivery(self._carrier.start, channel)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._queued[channel].wait(), until_next(LOOK_AGAIN_S))

    async def _guarded_delivery(self, work: Callable[[str], Awaitable[object]], channel: str) -> None:
        await _guarded("alert_delivery_failed", partial(work, channel))


def _worst_first(shown: Shown) -> tuple[bool, bool, int, float]:
    state = shown.state
    severity = ("critical", "warning", "notice").index(state.severity)
    newest = -(state.since.timestamp() if state.since else 0.0)
    return (not state.is_open, state.phase == "acknowledged", severity, newest)


def ways_of(rule: Rule) -> Iterable[Recipient]:
    for step in rule.steps:
        for each in (*step.who, *(one for rota in step.rotas for one in rota.everybody())):
            yield from each.ways


async def _guarded(event: str, work: Callable[[], Awaitable[object]]) -> None:
    try:
        await work()
    except Exception as error:  # noqa: BLE001 - alerts that stop for one failure are worse than one missed tick
        log.error(event, error=type(error).__name__)
