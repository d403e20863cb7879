"""Calls that nobody moves any more: brought on, looked for, or closed."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Literal

import pytest
from call_world import House, NewHouse, everybody

from callrouter import events as ev
from callrouter import sweep as sweeping
from callrouter.deadlines import LEAST_LEFT_S
from callrouter.model import InputKind
from callrouter.sweep import Sweep
from infra.state import CallStates
from ivr.model import DEFAULT_NODE, GatherWait, GoneWait, LegWait, OfferWait, TalkWait

pytestmark = pytest.mark.asyncio
Place = Literal["held", "dialplan", "gone", "unknown"]


@dataclass
class Exchange:
    """A telephone exchange that says where each caller is."""

    where: Place = "held"
    rescued: list[str] = field(default_factory=list)

    def place(self, call_ref: str) -> Place:
        return self.where

    async def rescue(self, call_ref: str) -> None:
        self.rescued.append(call_ref)


@dataclass
class AllOverdue:
    """A store in which every call's time has passed."""

    states: CallStates
    refs: list[str]

    async def overdue(self, *, late_s: float, limit: int) -> list[str]:
        assert late_s == sweeping.LATE_S
        return self.refs[:limit]

    def __getattr__(self, name: str) -> object:
        return getattr(self.states, name)


def a_sweep(house: House, exchange: Exchange | None = None) -> Sweep:
    states = AllOverdue(house.states, ["call"])
    return Sweep(states, house.door, {"east": exchange} if exchange else {}, house.clock)  # type: ignore[arg-type]


async def test_a_call_whose_exchange_has_lost_it_is_closed_as_dropped(new_house: NewHouse) -> None:
    house = await new_house()
    await house.start(edge="east")
    await a_sweep(house, Exchange("gone")).step()
    assert await house.end_class() == "dropped_by_us"


async def test_a_caller_held_by_a_stuck_worker_is_rescued_and_the_call_stays(new_house: NewHouse) -> None:
    house = await new_house()
    await house.start(edge="east")
    exchange = Exchange("held")
    await a_sweep(house, exchange).step()
    assert exchange.rescued == ["call"]
    assert isinstance((await house.door.present("call")).wait, GatherWait)


@pytest.mark.parametrize("where", ["held", "gone"])
async def test_the_first_life_of_a_call_that_began_again_is_closed_and_is_no_call_that_we_dropped(
    new_house: NewHouse, where: Place
) -> None:
    """Its state was out of reach when another worker took the caller; now it can be read, and nobody is on it."""
    house = await new_house()
    await house.start(edge="east")
    await house.start("calle2", key="e2", epoch=2, edge="east")
    exchange = Exchange(where)
    await a_sweep(house, exchange).step()
    assert await house.end_class() == "left_in_message"
    assert exchange.rescued == [], "who is held is on the later one"
    await house.tell(InputKind.HUNG_UP, "caller 16", call_ref="calle2", epoch=2)
    await house.start("later", key="later", edge="east")
    assert [each.resumes for each in await house.events(ev.Offered, "later")] == [None]


@pytest.mark.parametrize("where", ["dialplan", "unknown"])
async def test_a_talk_that_goes_on_is_left_alone(new_house: NewHouse, where: Place) -> None:
    house = await new_house()
    await house.talk(edge="east")
    before = len(await house.recorded())
    await a_sweep(house, Exchange(where)).step()
    assert isinstance((await house.door.present("call")).wait, TalkWait)
    assert len(await house.recorded()) == before, "nothing happened, so nothing is recorded"


async def test_a_call_seen_alive_is_not_overdue_again_at_once(new_house: NewHouse) -> None:
    house = await new_house()
    await house.start(edge="east")
    record = await house.door.record("call")
    assert record is not None
    await house.door.postpone("call")
    after = await house.door.record("call")
    assert after is not None
    assert after.version > record.version
    assert after.wait_id == record.wait_id


async def test_a_wait_whose_worker_died_goes_on_at_its_deadline(new_house: NewHouse) -> None:
    house = await new_house(providers=everybody(lines=1))
    await house.talk("other")
    await house.press("1", await house.start())
    assert isinstance((await house.door.present("call")).wait, OfferWait)
    house.clock.move(1000)
    await a_sweep(house).step()
    assert (await house.next_performed()).wait.node == DEFAULT_NODE, "the longest wait is over: the default service"


async def test_a_held_caller_of_whom_the_network_is_silent_gives_the_place_back(new_house: NewHouse) -> None:
    house = await new_house(providers=everybody(lines=1))
    await house.talk("other")
    await house.press("1", await house.start())
    await a_sweep(house).step()
    assert await house.end_class() == "abandoned"
    await house.tell(InputKind.TALK_ENDED, "caller 16", call_ref="other")
    assert await house.has_a_line("111"), "nobody waits for it any more"


async def test_a_caller_whom_the_network_took_away_in_a_menu_is_closed_and_keeps_no_line(new_house: NewHouse) -> None:
    house = await new_house(providers=everybody(lines=1))
    await house.start()
    await a_sweep(house).step()
    assert await house.end_class() == "left_in_message"
    assert await house.has_a_line("111")


async def test_an_end_that_was_ordered_and_never_confirmed_is_written_down(new_house: NewHouse) -> None:
    house = await new_house()
    await house.talk()
    await house.tell(InputKind.TALK_ENDED, "provider 16")
    await a_sweep(house).step()
    assert await house.end_class() == "answered"
    assert [each.by for each in await house.events(ev.Ended)] == ["provider"]


async def test_the_end_of_a_call_that_no_network_can_tell_is_written_down(new_house: NewHouse) -> None:
    house = await new_house()
    await house.talk()
    await a_sweep(house).step()
    assert await house.end_class() == "answered"


async def test_an_ended_call_is_left_alone(new_house: NewHouse) -> None:
    house = await new_house()
    await house.start(edge="east")
    await house.tell(InputKind.HUNG_UP, "caller 16")
    await a_sweep(house, Exchange("gone")).step()
    assert await house.end_class() == "left_in_message"


# ---------------------------------------------------------------------- what is left of a deadline


async def test_a_new_owner_leaves_what_is_left_of_a_deadline(new_house: NewHouse) -> None:
    house = await new_house(providers=everybody(lines=1))
    await house.talk("other")
    await house.press("1", await house.start())
    first = await house.door.record("call")
    house.clock.move(100)
    await house.tell(InputKind.TAKEN_OVER, epoch=2)
    taken = await house.door.record("call")
    assert first is not None
    assert taken is not None
    assert taken.due_at == first.due_at


async def test_a_new_owner_leaves_at_least_a_moment(new_house: NewHouse) -> None:
    house = await new_house()
    await house.press("1", await house.start())
    assert isinstance((await house.door.present("call")).wait, LegWait)
    house.clock.move(3600)
    await house.tell(InputKind.TAKEN_OVER, epoch=2)
    taken = await house.door.record("call")
    assert taken is not None
    assert taken.due_at is not None
    assert (taken.due_at - house.clock.now()).total_seconds() == LEAST_LEFT_S


@pytest.mark.parametrize("jump_s", [-3600.0, 3600.0])
async def test_a_jump_of_the_wall_clock_neither_ends_a_wait_nor_makes_it_longer(
    new_house: NewHouse, jump_s: float
) -> None:
    house = await new_house(providers=everybody(lines=1))
    await house.talk("other")
    reply = await house.press("1", await house.start())
    wait = reply.wait
    house.clock.jump(jump_s)
    await house.tell(InputKind.TAKEN_OVER, epoch=2)
    record = await house.door.record("call")
    assert record is not None
    assert record.due_at is not None
    left = (record.due_at - house.clock.now()).total_seconds()
    assert LEAST_LEFT_S <= left <= (wait.deadline_s or 0)
    assert isinstance((await house.door.present("call")).wait, OfferWait)


async def test_an_owners_deadline_rings_by_the_monotonic_clock_however_the_wall_clock_jumps(
    new_house: NewHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    house = await new_house(providers=everybody(lines=1))
    await house.talk("other")
    loop = asyncio.get_running_loop()
    armed: list[float] = []
    real = loop.call_later
    monkeypatch.setattr(loop, "call_later", lambda delay, *rest: (armed.append(delay), real(delay, *rest))[1])
    reply = await house.press("1", await house.start())
    house.clock.jump(86_400)
    assert reply.wait.deadline_s in armed
    assert not isinstance((await house.door.present("call")).wait, GoneWait)
