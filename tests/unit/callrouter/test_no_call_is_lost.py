"""Laws of the door: whatever the networks tell, in whatever order and however often, no call and no line is lost."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from call_world import House, everybody
from flows.player import RED_FLAGS
from hypothesis import given
from hypothesis import strategies as st

from callrouter.errors import StaleEpoch, UnknownCall
from callrouter.model import Input, InputKind, Reply
from callrouter.ports import PlanFound
from infra.bus import Entry
from infra.numbers import Number
from ivr.model import Answer, End, GoneWait, HandBack, TalkWait

CALLS = ("one", "two", "three")
VALUES = ("", *"0123459", "tooth", "cough", "fnord", *RED_FLAGS, "busy", "agent", "caller hung_up", "handlers 111")


@dataclass(frozen=True)
class Told:
    """Something that a network tells: ``wait`` is how old the named wait is, ``again`` means with an old key."""

    call_ref: str
    kind: InputKind
    value: str
    wait: int
    epoch: int
    again: bool


told = st.builds(
    Told,
    st.sampled_from(CALLS),
    st.sampled_from(InputKind),
    st.sampled_from(VALUES),
    st.sampled_from((0, 0, 0, 0, 1, -1)),
    st.sampled_from((0, 0, 0, 0, 1, -1)),
    st.sampled_from((False, False, False, True)),
)


@dataclass
class Networks:
    """Three calls in a house with one line for each service, and what was told and replied."""

    house: House
    waits: dict[str, list[str]] = field(default_factory=lambda: {each: [] for each in CALLS})
    epochs: dict[str, int] = field(default_factory=lambda: dict.fromkeys(CALLS, 1))
    keys: dict[str, list[tuple[str, Reply]]] = field(default_factory=lambda: {each: [] for each in CALLS})
    entries: list[Entry] = field(default_factory=list)

    async def start(self) -> None:
        for call_ref in CALLS:
            self.keep(call_ref, "start", await self.house.start(call_ref))

    async def tell(self, told: Told) -> None:
        old = self.keys[told.call_ref]
        waits = self.waits[told.call_ref]
        key = old[0][0] if told.again else f"told{len(waits)}"
        wait_id = "" if told.wait < 0 else waits[-1 - min(told.wait, len(waits) - 1)]
        epoch = max(1, self.epochs[told.call_ref] + told.epoch)
        given = Input(key, told.kind, self.house.clock.now(), wait_id, told.value, epoch)
        try:
            reply = await self.house.door.handle(told.call_ref, given)
        except StaleEpoch:
            return
        if told.again:
            assert reply == old[0][1], "a known key got another reply"
        else:
            self.keep(told.call_ref, key, reply)

    def keep(self, call_ref: str, key: str, reply: Reply) -> None:
        self.waits[call_ref].append(reply.wait_id)
        self.epochs[call_ref] = reply.epoch
        self.keys[call_ref] = [*self.keys[call_ref], (key, reply)][-8:]

    async def look(self) -> None:
        """See that what must always be true is true."""
        batch = await self.house.stream.read("test", limit=9999, wait_s=0)
        self.entries = [entry for _, entry in batch]
        for call_ref in CALLS:
            reply = await self.house.door.present(call_ref)
            kinds = [each.kind for each in self.entries if each.call_ref == call_ref]
            answered, over = "leg_answered" in kinds, "ended" in kinds or "handed_back" in kinds
            match reply.wait:
                case TalkWait():
                    assert answered, "a talk with nobody"
                case GoneWait():
                    assert answered or over, "the call is over, and nobody has it"
                case wait:
                    assert wait.deadline_s, "a wait without an end"
            assert answered or not any(isinstance(each, End) for each in reply.instructions)
            assert kinds.count("ended") <= 1
            seqs = [each.seq for each in self.entries if each.call_ref == call_ref]
            assert seqs == list(range(1, len(seqs) + 1)), "a gap in the journal"


def in_a_house(play: Callable[[Networks], Coroutine[Any, Any, None]]) -> None:
    """Play with three calls in a new house."""

    async def run() -> None:
        with tempfile.TemporaryDirectory() as folder:
            house = House(Path(folder), providers=everybody(lines=1))
            networks = Networks(house)
            try:
                await house.listen()
                await networks.start()
                await play(networks)
            finally:
                await house.close()

    asyncio.run(run())


async def crisis_plan(number: Number) -> PlanFound:
    return PlanFound("candidates", "one", raises=True)


@given(st.lists(told, max_size=20))
def test_every_call_is_on_the_way_to_a_person_and_counted_once(everything: list[Told]) -> None:
    async def play(networks: Networks) -> None:
        for each in everything:
            await networks.tell(each)
            await asyncio.sleep(0)  # offers of dispatch
            await networks.look()
        for call_ref in CALLS:
            await networks.house.tell(InputKind.HUNG_UP, "caller hung_up", call_ref=call_ref)
            await asyncio.sleep(0)
        await networks.look()
        kinds = [each.kind for each in networks.entries]
        assert kinds.count("ended") == len(CALLS)

    in_a_house(play)


@given(st.lists(told, max_size=20))
def test_every_line_comes_back(everything: list[Told]) -> None:
    async def play(networks: Networks) -> None:
        for each in everything:
            await networks.tell(each)
            await asyncio.sleep(0)
        for call_ref in CALLS:
            await networks.house.tell(InputKind.HUNG_UP, "caller hung_up", call_ref=call_ref)
        for _ in range(5):
            await asyncio.sleep(0)
        networks.house.clock.move(60)
        for service in ("111", "clinician", "mental_health", "dental", "pharmacy"):
            assert await networks.house.has_a_line(service), service

    in_a_house(play)


@given(st.lists(told, max_size=20))
def test_caller_with_a_crisis_plan_hears_no_message_and_is_not_diverted(everything: list[Told]) -> None:
    async def play(networks: Networks) -> None:
        networks.house.facts.plan = crisis_plan
        for each in everything:
            await networks.tell(each)
            await asyncio.sleep(0)
        await networks.look()
        kinds = {each.kind for each in networks.entries}
        providers = {each.facts.get("provider") for each in networks.entries if each.kind == "leg_started"}
        assert "message_heard" not in kinds
        assert not providers & {"dental", "pharmacy"}

    in_a_house(play)


@given(st.lists(told, max_size=20))
def test_calls_are_taken_off_the_hook_once_and_handed_back_once(everything: list[Told]) -> None:
    async def play(networks: Networks) -> None:
        for each in everything:
            if each.kind not in (InputKind.TAKEN_OVER, InputKind.STARTED) and not each.again:
                await networks.tell(each)
        for call_ref in CALLS:
            performed = [each for _, reply in networks.keys[call_ref][1:] for each in reply.instructions]
            assert not any(isinstance(each, Answer) for each in performed)
            assert sum(isinstance(each, HandBack) for each in performed) <= 1

    in_a_house(play)


def test_call_that_never_started_is_not_made_up() -> None:
    async def play(networks: Networks) -> None:
        for kind in InputKind:
            if kind is not InputKind.STARTED:
                try:
                    await networks.house.tell(kind, "1", call_ref="nobody")
                except UnknownCall:
                    continue
                raise AssertionError(kind)

    in_a_house(play)
