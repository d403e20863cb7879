"""The alert auditor: places probe calls, waits for their notices, and tells people when none comes.

::

    probe call ─▶ webhook ─▶ door ─▶ stream ─▶ figures ─▶ rule ─▶ webhook channel ─▶ this process
                                                     no notice: dead-man's switch ─▶ channels of its own

Why it is made so: docs/adr/0024-an-auditor-outside.md.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

import structlog

from alerts.auditor import PROBE_RULE
from alerts.dead_man import DeadMansSwitch, Word
from alerts.model import Notice, NoticeKind, Recipient
from alerts.ports import NoticeFailed, Notifier
from infra.clock import Clock

STEP_S = 0.5

LONGEST_PROBE_S = 20.0
"""A probe that has waited so long without a notice hangs up: a provider may ring as long (docs/safety/rules.md, 2)."""

CLEARS_S = 3.0
"""After a probe no other one begins for so long: the alert of the last must have cleared before it can fire anew."""

TELL_S = 10.0
"""Longest that one try to tell somebody may take: the switch is looked at again only then."""

TELL_AGAIN_S = 10.0
"""Between two tries to tell a person whom a channel did not reach."""

HANGS_S = 30.0
"""A loop that has not come round for so long hangs; a probe's webhooks may take some ten seconds."""

log = structlog.get_logger(__name__)


class Probe(Protocol):
    """A call of the auditor's; see :class:`adapters.phone.probe.ProbeCall`."""

    async def enter(self) -> str:
        """Call, and wait; why the call was not taken, in a few words, or nothing."""

    async def hang_up(self) -> None:
        """End the call."""


@dataclass(frozen=True, slots=True)
class Way:
    """A person to be told when the switch fires, and the auditor's own channel to them."""

    recipient: Recipient
    notifier: Notifier


@dataclass(slots=True)
class _Telling:
    """Somebody who has still to be told."""

    way: Way
    notice: Notice
    next_try: float = 0.0


class Auditor:
    """:meth:`run` goes on until cancelled. ``place`` gives a new probe; ``link`` is where people look first."""

    def __init__(
        self,
        *,
        place: Callable[[], Probe],
        switch: DeadMansSwitch,
        ways: Sequence[Way],
        clock: Clock,
        every_s: float,
        silent_s: float,
        link: str,
    ) -> None:
        self._place = place
        self._switch = switch
        self._ways = tuple(ways)
        self._clock = clock
        self._every_s = every_s
        self._silent_s = silent_s
        self._link = link
        self._probe: Probe | None = None
        self._placed_at = float("-inf")  # monotonic
        self._ended_at = float("-inf")
        self._refused = ""
        self._answered = False
        self._notices = 0
        self._since = clock.now()
        self._telling: list[_Telling] = []
        self._stepped = {"probe": clock.monotonic(), "watch": clock.monotonic()}

    async def run(self) -> None:
        """Probe and watch; neither waits for the other."""
        async with asyncio.TaskGroup() as loops:
            loops.create_task(_again(self.probe))
            loops.create_task(_again(self.watch))

    async def probe(self) -> None:
        """Place a probe if one is due; hang up one that was answered by its notice, or has waited long enough."""
        now = self._clock.monotonic()
        self._stepped["probe"] = now
        waited_s = now - self._placed_at
        if self._probe is not None:
            if self._answered or waited_s >= LONGEST_PROBE_S:
                await self.hang_up()
        elif waited_s >= self._every_s and now - self._ended_at >= CLEARS_S:
            self._placed_at, self._answered = now, False
            self._probe = self._place()
            await self._enter(self._probe)

    async def hang_up(self) -> None:
        """End the probe that is in the line, if there is one."""
        probe, self._probe = self._probe, None
        if probe is not None:
            await probe.hang_up()
            self._ended_at = self._clock.monotonic()

    async def watch(self) -> None:
        """Look at the switch, and tell whoever is to be told."""
        self._stepped["watch"] = self._clock.monotonic()
        if (word := self._switch.word()) is not None:
            self._say(word)
        due = [each for each in self._telling if each.next_try <= self._clock.monotonic()]
        await asyncio.gather(*(self._tell(each) for each in due))

    def received(self, notice: Mapping[str, Any]) -> None:
        """A notice came whose signature is ours. Only that of a probe is a sign of life, as old as the probe's wait."""
        if notice.get("rule") != PROBE_RULE or notice.get("kind") != "fired":
            return
        try:
            since = datetime.fromisoformat(str(notice.get("since"))).astimezone(UTC)
        except ValueError:
            log.warning("probe_notice_unreadable")
            return
        ago_s = (self._clock.now() - since).total_seconds()
        self._notices += 1
        self._switch.heard(ago_s)
        self._answered = self._answered or ago_s <= self._clock.monotonic() - self._placed_at

    def report(self) -> dict[str, Any]:
        """What ``/live`` says: whether both loops go round, and how long no notice has come."""
        now = self._clock.monotonic()
        return {
            "live": all(now - each < HANGS_S for each in self._stepped.values()),
            "silent_s": round(self._switch.silent_s, 1),
            "fired": self._switch.has_fired,
            "notices": self._notices,
            "refused": self._refused,
        }

    async def _enter(self, probe: Probe) -> None:
        self._refused = await probe.enter()
        if self._refused:
            log.warning("probe_refused", why=self._refused)
            await self.hang_up()  # the call may have begun all the same

    def _say(self, word: Word) -> None:
        if word == "fired":
            self._since = self._clock.now() - timedelta(seconds=self._switch.silent_s)
            log.error("dead_mans_switch_fired", silent_s=round(self._switch.silent_s), refused=self._refused)
        elif word == "back":
            log.info("dead_mans_switch_back")
        kind: NoticeKind = "cleared" if word == "back" else "fired"
        self._telling = [_Telling(way, self._notice(kind, way.recipient)) for way in self._ways]

    async def _tell(self, telling: _Telling) -> None:
        telling.next_try = self._clock.monotonic() + TELL_AGAIN_S
        notice = telling.notice
        try:
            async with asyncio.timeout(TELL_S):
                await telling.way.notifier.send(notice)
        except (NoticeFailed, TimeoutError) as error:
            why = error.error_id if isinstance(error, NoticeFailed) else "timed_out"
            log.error("auditor_notice_failed", channel=notice.recipient.channel, error_id=why)
        else:
            log.info("auditor_notice_sent", channel=notice.recipient.channel, notice=notice.id)
            self._telling = [each for each in self._telling if each is not telling]

    def _notice(self, kind: NoticeKind, recipient: Recipient) -> Notice:
        now, silent_s = self._clock.now(), self._switch.silent_s
        chain = "probe calls are not taken" if self._refused else "probe calls are taken, their notices do not arrive"
        return Notice(
            id=f"auditor.{now:%Y%m%dT%H%M%S.%fZ}.{kind}",
            alert="auditor",
            kind=kind,
            rule="auditor",
            severity="critical",
            what="Alerts of the service do not arrive",
            where="Notices arrive again" if kind == "cleared" else f"Alert auditor: {chain}",
            metric="auditor_silent",
            since=self._since,
            at=now,
            value=silent_s,
            worst=silent_s,
            threshold=self._silent_s,
            clear=self._silent_s,
            usually_helps="Watch the wallboard by eye: silence means nothing now. Run `callrouter doctor`.",
            link=self._link,
            recipient=recipient,
        )


async def _again(step: Callable[[], Awaitable[None]]) -> None:
    while True:
        try:
            await step()
        except Exception as error:  # noqa: BLE001 - the auditor outlives whatever one step does to it
            log.error("auditor_step_failed", error=type(error).__name__)
        await asyncio.sleep(STEP_S)
