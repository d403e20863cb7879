"""Who goes past the look-ups (key 0, a red flag, a need) is looked up before somebody is sought (rules.md, 2 to 4)."""

from __future__ import annotations

import asyncio
from datetime import datetime

import pytest
from call_world import SOON_S, Hanging, House, NewHouse, everybody

from callrouter import events as ev
from callrouter.model import InputKind, Reply
from callrouter.ports import PlanFound, RepeatFound
from callrouter.view import fold
from infra.numbers import Number
from ivr.flow import Flow
from ivr.model import Band, LegWait, OfferWait, Play


async def crisis_plan(number: Number) -> PlanFound:
    return PlanFound("candidates", "by_number", raises=True, candidates=("plan-1", "plan-2"), people=2)


async def ordinary_plan(number: Number) -> PlanFound:
    return PlanFound("candidates", "by_number", candidates=("plan-1",), people=1)


async def third_call(number: Number, started: datetime) -> RepeatFound:
    return RepeatFound("PRC", "by_number")


async def looked_up(house: House) -> list[tuple[str, str]]:
    return [(each.what, each.outcome) for each in await house.events(ev.LookedUp)]


def said(reply: Reply) -> list[str]:
    return [prompt for each in reply.instructions if isinstance(each, Play) for prompt in each.prompts]


async def test_the_third_call_is_known_as_a_possible_repeat_to_who_presses_0_at_once(house: House) -> None:
    house.facts.plan, house.facts.repeat = ordinary_plan, third_call
    reply = await house.press("0", await house.start())

    assert isinstance(reply.wait, LegWait)
    assert await looked_up(house) == [("plan", "candidates"), ("repeat", "PRC")]
    (queued,) = await house.events(ev.Queued)
    assert (queued.services, queued.band) == (("clinician", "111"), Band.RAISED)
    view = fold(await house.recorded())
    assert view is not None
    found = view.finding("plan")
    assert (view.plan_level, found.people if found else 0) == ("candidates", 1)


async def test_a_crisis_plan_raises_who_presses_0_and_the_page_counts_it(house: House) -> None:
    house.facts.plan = crisis_plan
    await house.press("0", await house.start())
    (queued,) = await house.events(ev.Queued)
    assert (queued.services, queued.band) == (("111",), Band.RAISED)


async def test_who_is_not_known_waits_as_before_and_hears_the_same(new_house: NewHouse) -> None:
    nobody, somebody = await new_house(), await new_house()
    somebody.facts.plan, somebody.facts.repeat = crisis_plan, third_call
    heard = [said(await each.press("0", await each.start())) for each in (nobody, somebody)]
    assert heard[0] == heard[1]
    (queued,) = await nobody.events(ev.Queued)
    assert (queued.services, queued.band) == (("111",), Band.NORMAL)


async def test_words_that_are_a_red_flag_keep_the_highest_band_and_the_plan_stands_on_the_page(house: House) -> None:
    house.facts.plan = crisis_plan
    await house.tell(InputKind.SPEECH_FINAL, "i can't breathe", to=await house.start())
    assert [each.band for each in await house.events(ev.Queued)] == [Band.EMERGENCY]
    assert ("plan", "candidates") in await looked_up(house)


async def test_text_relay_is_looked_up_from_its_first_sprint(house: House) -> None:
    house.facts.repeat = third_call
    await house.start(dialled="18001111")
    assert ("repeat", "PRC") in await looked_up(house)


async def test_each_is_asked_once_in_a_call(new_house: NewHouse) -> None:
    """Also of who waits, is offered somebody, and is sought somebody else for."""
    house = await new_house()
    await house.press("0", await house.start())
    await house.tell(InputKind.LEG_FAILED, "busy")
    assert await looked_up(house) == [("plan", "none"), ("repeat", "NRC")]


async def test_who_was_asked_by_the_flow_is_not_asked_again(house: House) -> None:
    await house.press("1", await house.start())
    assert [each for each in await looked_up(house) if each[0] != "messages"] == [("plan", "none"), ("repeat", "NRC")]


async def test_a_repeat_caller_who_waits_keeps_both_places_after_a_line_failed(new_house: NewHouse) -> None:
    house = await new_house()
    house.facts.repeat = third_call
    await house.press("0", await house.start())
    await house.tell(InputKind.LEG_FAILED, "busy")
    assert [each.services for each in await house.events(ev.Queued)] == [("clinician", "111")] * 2


async def test_both_hang_at_once_and_the_caller_goes_on_raised(house: House) -> None:
    """The budget of one look-up, not of two; plans that nobody can tell of raise, as in the flow."""

    async def hangs(number: Number, started: datetime) -> RepeatFound:
        await asyncio.Event().wait()
        raise AssertionError("never comes here")

    house.facts.plan, house.facts.repeat = Hanging(), hangs
    house.door = house.new_door(budget_s=0.01)
    reply = await house.press("0", await house.start())
    assert isinstance(reply.wait, LegWait)
    assert await looked_up(house) == [("plan", "unavailable"), ("repeat", "ER")]
    assert [each.band for each in await house.events(ev.Queued)] == [Band.RAISED]


async def test_a_hang_up_overtakes_them(house: House) -> None:
    hanging = Hanging()
    house.facts.plan = hanging
    pressed = asyncio.ensure_future(house.press("0", await house.start()))
    await asyncio.wait_for(hanging.begun.wait(), SOON_S)
    await asyncio.wait_for(house.tell(InputKind.HUNG_UP, "caller hung_up"), SOON_S)
    await asyncio.wait_for(pressed, SOON_S)
    assert await house.end_class() == "abandoned", "somebody was being sought for them"


async def test_who_is_raised_by_them_is_not_sent_to_a_service_that_diverts(new_house: NewHouse) -> None:
    """A flow that leads away before it asks: docs/safety/rules.md, 2."""
    flow = Flow.model_validate({
        "flow": "early", "title": "Early", "start": "dental",
        "facts": {"plan": {"values": ["none", "candidates", "asserted", "confirmed", "unavailable"]}},
        "nodes": {
            "dental": {"action": "connect", "services": ["dental"], "diverts": True, "exits": {"raised": "find"}},
            "find": {"action": "lookup", "what": "plan", "into": "plan"},
        },
    })  # fmt: skip
    ordinary, raised = await new_house(flow=flow), await new_house(flow=flow)
    raised.facts.plan = crisis_plan
    targets = [getattr((await each.start()).wait, "target", "") for each in (ordinary, raised)]
    assert targets == ["dental", "handlers"]


@pytest.mark.parametrize("number", ["anonymous", "08979 123456"])
async def test_a_number_that_says_nothing_of_who_rings_is_not_looked_up(house: House, number: str) -> None:
    async def must_not_be_asked(_number: Number) -> PlanFound:
        raise AssertionError("asked")

    house.facts.plan = must_not_be_asked
    await house.press("0", await house.start(number=number))
    assert await looked_up(house) == [("plan", "none"), ("repeat", "IIQ")]


async def test_who_waits_for_a_line_waits_in_the_band_that_they_say(new_house: NewHouse) -> None:
    house = await new_house(providers=everybody(lines=1))
    await house.talk("other")
    house.facts.plan = crisis_plan
    reply = await house.press("0", await house.start())
    assert isinstance(reply.wait, OfferWait)
    assert reply.wait.band is Band.RAISED
