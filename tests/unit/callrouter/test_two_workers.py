"""Two workers on one store: one commit wins, the other reads again."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest
from call_world import SOON_S, House, NewHouse, everybody
from flows.player import inline

from callrouter import events as ev
from callrouter.dispatch.lines import COOL_DOWN_S
from callrouter.errors import StaleEpoch
from callrouter.model import InputKind
from infra.bus import Entry
from infra.state import CallStates, Stored, Version
from ivr.model import LegWait, TalkWait


@dataclass
class Together:
    """A store whose first reads wait until two workers have read the same version."""

    states: CallStates
    met: asyncio.Barrier = field(default_factory=lambda: asyncio.Barrier(2))
    refused: int = 0
    _reads: int = 0

    async def read(self, call_ref: str) -> Stored | None:
        found = await self.states.read(call_ref)
        self._reads += 1
        if self._reads <= 2:
            await asyncio.wait_for(self.met.wait(), SOON_S)
        return found

    async def commit(
        self,
        call_ref: str,
        expected: Version | None,
        new: Stored,
        entries: Sequence[Entry],
        *,
        keep_s: float,
        due_s: float | None,
    ) -> bool:
        won = await self.states.commit(call_ref, expected, new, entries, keep_s=keep_s, due_s=due_s)
        self.refused += not won
        return won

    async def overdue(self, *, late_s: float, limit: int) -> list[str]:
        return await self.states.overdue(late_s=late_s, limit=limit)

    async def name(self, name: str, call_ref: str, *, keep_s: float) -> str:
        return await self.states.name(name, call_ref, keep_s=keep_s)

    async def named(self, *names: str) -> list[str]:
        return await self.states.named(*names)


@dataclass
class NeverMine:
    """A store in which another worker is always quicker."""

    states: CallStates

    async def read(self, call_ref: str) -> Stored | None:
        return await self.states.read(call_ref)

    async def commit(
        self,
        call_ref: str,
        expected: Version | None,
        new: Stored,
        entries: Sequence[Entry],
        *,
        keep_s: float,
        due_s: float | None,
    ) -> bool:
        return False

    async def overdue(self, *, late_s: float, limit: int) -> list[str]:
        return []

    async def name(self, name: str, call_ref: str, *, keep_s: float) -> str:
        return call_ref

    async def named(self, *names: str) -> list[str]:
        return None


async def test_of_two_keys_at_two_workers_exactly_one_moves_the_call(house: House) -> None:
    menu = await house.start()
    together = Together(house.states)
    one, two = house.new_door(states=together), house.new_door(states=together)
    replies = await asyncio.gather(
        house.tell(InputKind.DIGIT, "1", to=menu, door=one), house.tell(InputKind.DIGIT, "1", to=menu, door=two)
    )

    assert together.refused == 1, "one commit lost, and its worker read again"
    assert [bool(each.instructions) for each in replies].count(True) == 1
    assert len(await house.events(ev.InputTaken)) == 1
    assert len(await house.events(ev.LateInput)) == 1
    assert len(await house.events(ev.LegStarted)) == 1


async def test_the_same_input_at_two_workers_gets_the_same_reply(house: House) -> None:
    menu = await house.start()
    together = Together(house.states)
    doors = [house.new_door(states=together) for _ in range(2)]
    given = house.input(InputKind.DIGIT, "1", to=menu, key="digit.1")
    first, second = await asyncio.gather(*(door.handle("call", given) for door in doors))

    assert first == second
    assert len(await house.events(ev.InputTaken)) == 1


async def test_call_that_starts_at_two_workers_is_one_call(house: House) -> None:
    one, two = house.new_door(), house.new_door()
    house.door = one
    start_one = asyncio.ensure_future(house.start())
    await asyncio.sleep(0)
    house.door = two
    first, second = await asyncio.gather(start_one, house.start())

    assert first == second
    assert len(await house.events(ev.Offered)) == 1


async def test_caller_who_hangs_up_at_another_worker_keeps_no_line(new_house: NewHouse) -> None:
    house = await new_house(providers=everybody(lines=1))
    menu = await house.start()
    together = Together(house.states)
    one, two = house.new_door(states=together), house.new_door(states=together)
    await asyncio.gather(house.tell(InputKind.DIGIT, "3", to=menu, door=one), house.tell(InputKind.HUNG_UP, door=two))

    assert len(await house.events(ev.Ended)) == 1
    assert await house.has_a_line("dental")


async def test_page_that_is_opened_meanwhile_does_not_lose_the_input(house: House) -> None:
    menu = await house.start()
    together = Together(house.states)
    one, two = house.new_door(states=together), house.new_door(states=together)
    reply, noted = await asyncio.gather(
        house.tell(InputKind.DIGIT, "1", to=menu, door=one),
        two.note("call", ev.ContextOpened(role="handler", user="Ada")),
    )

    assert isinstance(reply.wait, LegWait)
    assert noted
    assert len(await house.events(ev.ContextOpened)) == 1


async def test_worker_that_always_loses_gives_the_call_up(house: House) -> None:
    menu = await house.start()
    loser = house.new_door(states=NeverMine(house.states))

    with pytest.raises(StaleEpoch):
        await house.tell(InputKind.DIGIT, "1", to=menu, door=loser)
    assert await house.events(ev.InputTaken) == []


OTHER = inline("hello", hello={"action": "say", "prompts": ["hello"], "exits": {"next": "queue"}},
               queue={"action": "queue", "services": ["111"], "hold_s": 60})  # fmt: skip


async def test_worker_with_another_flow_leaves_a_talk_alone(house: House) -> None:
    await house.talk()
    newer = house.new_door(flow=OTHER)
    reply = await house.tell(InputKind.TAKEN_OVER, epoch=2, door=newer)
    assert (reply.instructions, type(reply.wait)) == ((), TalkWait)

    ended = await house.tell(InputKind.TALK_ENDED, "provider normal", epoch=2, door=newer)
    assert [each.kind for each in ended.instructions] == ["end"]
    await house.tell(InputKind.HUNG_UP, epoch=2, door=newer)
    assert await house.end_class() == "answered"


async def test_worker_with_another_flow_sends_a_caller_in_a_menu_to_111(house: House) -> None:
    menu = await house.start()
    reply = await house.tell(InputKind.DIGIT, "3", to=menu, door=house.new_door(flow=OTHER))

    assert isinstance(reply.wait, LegWait)
    assert reply.wait.target == "handlers"
    assert await house.events(ev.SessionFailed) == [ev.SessionFailed(node="main_menu", error_id="flow_version_unknown")]


async def test_worker_with_another_flow_tries_the_next_when_a_leg_fails(new_house: NewHouse) -> None:
    house = await new_house(providers=everybody(lines=1))
    await house.press("3", await house.start())
    reply = await house.tell(InputKind.LEG_FAILED, "busy", door=house.new_door(flow=OTHER))

    assert isinstance(reply.wait, LegWait)
    assert reply.wait.target == "handlers"
    house.clock.move(COOL_DOWN_S["busy"])
    assert await house.has_a_line("dental")
