"""Look-ups: within their budget or gone on without; a hang-up does not wait for them."""

from __future__ import annotations

import asyncio
from datetime import datetime

import pytest
from call_world import NUMBER, SOON_S, FindPlan, Hanging, House

from callrouter import events as ev
from callrouter.model import InputKind
from callrouter.ports import PlanFound, RepeatFound
from infra.numbers import Number
from ivr.model import Band, GatherWait, LegWait


async def store_is_broken(number: Number) -> PlanFound:
    raise OSError(f"no route to the store of {number.e164}")


async def crisis_plan(number: Number) -> PlanFound:
    return PlanFound("candidates", "one", raises=True, candidates=("plan-1",))


async def was_cancelled(number: Number) -> PlanFound:
    raise asyncio.CancelledError


async def looked_up(house: House, what: str) -> ev.LookedUp:
    found = [each for each in await house.events(ev.LookedUp) if each.what == what]
    assert len(found) == 1
    return found[0]


async def test_plan_that_raises_is_told_to_the_person_and_not_to_the_caller(house: House) -> None:
    house.facts.plan = crisis_plan
    reply = await house.press("3", await house.start())

    assert isinstance(reply.wait, LegWait)
    assert reply.wait.target == "handlers", "a caller with a crisis plan is not diverted"
    found = await looked_up(house, "plan")
    assert found.outcome == "candidates"
    assert found.detail is not None
    assert found.detail["candidates"] == ["plan-1"]


async def test_hang_up_overtakes_a_look_up(house: House) -> None:
    hanging = Hanging()
    house.facts.plan = hanging
    pressed = asyncio.ensure_future(house.press("1", await house.start()))
    await asyncio.wait_for(hanging.begun.wait(), SOON_S)

    await asyncio.wait_for(house.tell(InputKind.HUNG_UP, "caller hung_up"), SOON_S)
    assert (await pressed).instructions == ()
    assert await house.end_class() == "left_in_message"
    assert await house.events(ev.LookedUp) == []


async def test_look_up_over_its_budget_is_unavailable_and_the_call_goes_on(house: House) -> None:
    house.facts.plan = Hanging()
    house.door = house.new_door(budget_s=0.01)
    reply = await house.press("1", await house.start())

    assert isinstance(reply.wait, LegWait)
    found = await looked_up(house, "plan")
    assert (found.outcome, found.reason) == ("unavailable", "timed_out")


async def test_earlier_calls_over_budget_are_an_error_and_not_a_no(house: House) -> None:
    async def hangs(number: Number, started: datetime) -> RepeatFound:
        await asyncio.Event().wait()
        raise AssertionError("never comes here")

    house.facts.repeat = hangs
    house.door = house.new_door(budget_s=0.01)
    await house.press("1", await house.start())

    found = await looked_up(house, "repeat")
    assert (found.outcome, found.reason) == ("ER", "timed_out")


@pytest.mark.parametrize("broken", [store_is_broken, was_cancelled])
async def test_look_up_that_fails_is_unavailable_and_the_call_goes_on(house: House, broken: FindPlan) -> None:
    house.facts.plan = broken
    reply = await house.press("1", await house.start())

    assert isinstance(reply.wait, LegWait)
    found = await looked_up(house, "plan")
    assert (found.outcome, found.reason) == ("unavailable", "failed")


@pytest.mark.parametrize("number", ["", "anonymous", "08979 123456"])
async def test_number_that_may_not_be_looked_up_is_not(house: House, number: str) -> None:
    house.facts.plan = store_is_broken
    await house.press("1", await house.start(number=number))

    found = await looked_up(house, "plan")
    assert found.outcome == "none"
    assert found.reason.startswith("number_")


@pytest.mark.parametrize(("outcome", "band"), [("RC", Band.RAISED), ("NRC", Band.NORMAL), ("ER", Band.NORMAL)])
async def test_repeat_caller_is_raised(house: House, outcome: str, band: Band) -> None:
    async def finds(number: Number, started: datetime) -> RepeatFound:
        assert number.e164 == NUMBER
        return RepeatFound(outcome, "test")

    house.facts.repeat = finds
    await house.press("1", await house.start())

    started = await house.events(ev.LegStarted)
    assert [each.band for each in started] == [band]


async def test_words_that_are_a_red_flag_lead_to_the_first_clinician(house: House) -> None:
    menu = await house.start()
    reply = await house.tell(InputKind.SPEECH_FINAL, "i can't breathe", to=menu)

    assert isinstance(reply.wait, LegWait)
    assert reply.wait.target == "clinicians"
    flag = (await house.events(ev.RedFlagHeard))[0]
    assert (flag.words, flag.category) == ("i can't breathe", "breathing")
    started = (await house.events(ev.LegStarted))[0]
    assert started.band == Band.EMERGENCY


async def test_words_that_nobody_understands_ask_again(house: House) -> None:
    menu = await house.start()
    reply = await house.tell(InputKind.SPEECH_FINAL, "fnord", to=menu)

    assert isinstance(reply.wait, GatherWait)
    assert reply.wait_id != menu.wait_id
