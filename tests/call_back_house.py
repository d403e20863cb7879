"""A database, a journal and a stream, and everything that follows calls with a promise to be rung back."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from alerts.life.store import AlertStore
from alerts.rules.loading import DEFAULT_RULES, load_rules
from callrouter import events as ev
from callrouter.call_backs.opening import KeptCallBacks, open_call_backs
from callrouter.call_backs.promising import Promising
from callrouter.handover import Role, SignedIn
from callrouter.journal import Journal, JournalWriter, seal
from callrouter.model import CallRecord
from callrouter.ports import PlanFound
from callrouter.repeat.contacts import RepeatCalls
from callrouter.welfare.notices import WelfareNotices
from callrouter.welfare.service import Welfare
from callrouter.welfare.unanswered import Unanswered
from infra.bus import MemoryStream
from infra.crypto import DataKey, KeyRing
from infra.numbers import Number, read_number
from infra.sql import Database
from ivr.model import GoneWait, Session
from tests.hand_clock import HandClock

NOW = datetime(2026, 6, 3, 12, tzinfo=UTC)
NUMBER = "+447700900123"
CARE_HOME = "+442079460055"
HANDLER, NURSE = SignedIn("Hana", Role.HANDLER), SignedIn("Nina", Role.CLINICIAN)
ANSWERED = ev.LegAnswered(provider="north", evidence="agent")
PROMISED = ev.CallBackPromised(node="ring", service="111")
MINUTE = timedelta(minutes=1)


def ended(end_class: str = "call_back") -> ev.Ended:
    return ev.Ended(end_class=end_class, reason="hung_up", by="caller")


@dataclass
class NoPlans:
    """Plans by number, as a test has them."""

    found: PlanFound = field(default_factory=lambda: PlanFound("none", "by_number"))

    async def find(self, number: Number) -> PlanFound:
        return self.found

    async def check_birth_date(self, number: Number, born: object, call_ref: str, *, keyed: bool) -> PlanFound:
        raise NotImplementedError


@dataclass
class House:
    """A database with journal, stream, and everything that follows calls."""

    database: Database
    keys: KeyRing = field(default_factory=lambda: KeyRing(os.urandom(32), os.urandom(32)))
    clock: HandClock = field(default_factory=lambda: HandClock(NOW))
    stream: MemoryStream = field(default_factory=MemoryStream)
    plans: NoPlans = field(default_factory=NoPlans)
    call_keys: dict[str, DataKey] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.journal = Journal(self.database, self.keys)
        self.writer = JournalWriter(self.stream, self.journal)
        self.repeats = RepeatCalls(self.database, self.keys, lambda number: number == CARE_HOME)
        rules = load_rules(DEFAULT_RULES, ["north"], ["sql"])
        self.welfare = Welfare(self.database, self.keys, self.clock, WelfareNotices(AlertStore(self.database), rules))
        self.kept = self.process()
        self.list = self.kept.all
        self.reader = Unanswered(self.stream, self.journal, self.repeats, self.welfare, self.list, self.plans)

    def process(self) -> KeptCallBacks:
        """As a process has it that has just been started."""
        return open_call_backs(
            self.database, self.keys, self.clock, self.stream, self.journal,
            repeats=self.repeats, welfare=self.welfare,
        )  # fmt: skip

    def promising(self, *, is_on: bool = True) -> Promising:
        return Promising(self.list, self.plans, self.repeats, {CARE_HOME}, is_on=is_on)

    def record(self, call_ref: str, number: str = NUMBER, resumes: str | None = None) -> CallRecord:
        """A call as the door has it when it asks."""
        session = Session("f", "1", "ring", {}, {}, {}, GoneWait("ring"), ())
        return CallRecord(
            call_ref=call_ref, context=f"{call_ref:0>32}", network="sip", number=read_number(number), dialled="111",
            offered_at=self.clock.now(), arrived_at=self.clock.now(), session=session, epoch=1, step=1, seq=1,
            wait_id="1.1", replies={}, resumes=resumes,
        )  # fmt: skip

    async def begins(self, call_ref: str, number: str = NUMBER, resumes: str | None = None) -> None:
        self.call_keys[call_ref] = self.keys.new_data_key()
        offered = ev.Offered(
            network="sip", dialled="111", cli_class="present", flow="f", flow_version="1", context=f"{call_ref:0>32}",
            number=number, resumes=resumes,
        )  # fmt: skip
        await self._write(call_ref, [offered], 1)

    async def ends(self, call_ref: str, *events: ev.Event) -> None:
        await self._write(call_ref, events, 2)
        while await self.reader.step(0):
            pass

    async def _write(self, call_ref: str, events: Sequence[ev.Event], first: int) -> None:
        key = self.call_keys[call_ref]
        await self.stream.append(
            [seal(each, call_ref, seq, self.clock.now(), key) for seq, each in enumerate(events, first)]
        )
        await self.writer.drain()

    async def promised(self, call_ref: str = "one", number: str = NUMBER) -> str:
        """A caller who was promised a call and has hung up; the id of the call-back."""
        await self.begins(call_ref, number)
        found = await self.promising().promise(self.record(call_ref, number), "111")
        assert found.outcome == "promised"
        await self.ends(call_ref, PROMISED, ended())
        return next(each.id for each in await self.list.listed(NURSE) if each.call_ref == call_ref)

    async def tells(self) -> list[ev.Event]:
        """What the journal says of call-backs once everything was told."""
        while await self.kept.step(0):
            pass
        await self.writer.drain()
        return [
            each.event
            for call_ref in self.call_keys
            for each in await self.journal.read(call_ref)
            if each.event.kind.startswith("call_back")
        ]

    async def in_vain(self, call_back: str, outcome: str = "no_answer") -> None:
        await self.list.take(call_back, HANDLER)
        await self.list.tried(call_back, outcome, HANDLER)
