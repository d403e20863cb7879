"""At the door: text relay, a date of birth that takes the same time for all, texts, and what the journal keeps."""

from __future__ import annotations

import time

import pytest
from call_world import House, NewHouse
from flows.player import inline

from callrouter import events as ev
from callrouter.model import InputKind
from callrouter.ports import PlanFound
from infra.breaker import TRIPS
from infra.health import Health
from infra.numbers import Number
from ivr.model import Band, GatherWait, Hold, LegWait, Play

BUDGET_S = 0.2
PERSON = {"action": "queue", "services": ["111"], "hold_s": 60}
BORN = inline(
    "ask",
    {
        "plan": {"values": ["none", "candidates", "asserted", "confirmed", "unavailable"]},
        "born": {"type": "date"},
    },
    ask={"action": "ask_date", "prompts": ["when_born"], "into": "born", "exits": {"next": "look"}},
    look={"action": "lookup", "what": "birth_date", "given": "born", "into": "plan", "exits": {"next": "said"}},
    said={"action": "say", "prompts": ["thanks"], "exits": {"next": "ask_again"}},
    ask_again={"action": "menu", "prompts": ["menu"], "keys": {"1": "go"}, "exits": {"go": "person"}},
    person=PERSON,
)
TEXT = inline(
    "offer",
    offer={
        "action": "offer", "kind": "text", "marker": "link", "text": "sore_throat", "prompts": ["advice"],
        "ask": ["want"], "who_should_stay": "stay", "safety_net": "net", "clinical_owner": "Lead",
        "exits": {"accepted": "menu", "declined": "menu"},
    },
    menu={"action": "menu", "prompts": ["menu"], "keys": {"1": "go"}, "exits": {"go": "person"}},
    person=PERSON,
)  # fmt: skip


@pytest.mark.parametrize("dialled", ["18001111", "+18001111"])
async def test_text_relay_goes_straight_to_a_person_after_the_first_words(house: House, dialled: str) -> None:
    reply = await house.start(dialled=dialled)

    assert isinstance(reply.wait, LegWait)
    assert reply.instructions[1] == Play(("emergency_999", "recording_notice"), barge_in=False)
    assert not any(isinstance(each, Hold) for each in reply.instructions)
    record = await house.door.record("call")
    assert record is not None
    assert record.session.band is Band.RAISED
    assert await house.events(ev.NeedStated) == [ev.NeedStated(node="emergency_words", need="text_relay", language="")]


async def test_what_is_no_date_of_birth_asks_no_plans_and_goes_on(new_house: NewHouse) -> None:
    """A flow from before the check refused it."""
    flow = inline(
        "ask",
        {"plan": BORN.facts["plan"].model_dump(), "words": {"type": "text"}},
        ask={"action": "gather", "prompts": ["when_born"], "digits": 4, "into": "words", "exits": {"next": "look"}},
        look={"action": "lookup", "what": "birth_date", "given": "words", "into": "plan", "exits": {"next": "person"}},
        person=PERSON,
    )
    house = await new_house(flow=flow)
    house.door = house.new_door(budget_s=0.01, health=(health := Health(house.clock)))
    for n in range(TRIPS):
        reply = await house.press("1234", await house.start(f"call{n}"))
        assert isinstance(reply.wait, LegWait)
        looked = (await house.events(ev.LookedUp, f"call{n}"))[0]
        assert (looked.what, looked.outcome, looked.reason) == ("birth_date", "unavailable", "not_a_date")
        assert not await house.events(ev.AgeBandKnown, f"call{n}")
        await house.tell(InputKind.HUNG_UP, "caller hung_up", call_ref=f"call{n}")
    assert health.works("plans"), "the store of plans has nothing to do with it"


@pytest.mark.parametrize(
    "found",
    [
        PlanFound("asserted", "birth_date", pathway="frailty"),
        PlanFound("candidates", "by_number"),
        PlanFound("none", "no_plan"),
        None,
    ],
    ids=["right", "wrong", "unknown", "withheld"],
)
async def test_birth_date_takes_the_same_time_and_words_whatever_it_brings(
    new_house: NewHouse, found: PlanFound | None
) -> None:
    house = await new_house(flow=BORN)
    house.door = house.new_door(budget_s=BUDGET_S)

    async def plan(_number: Number) -> PlanFound:
        return found or PlanFound("none", "no_plan")

    house.facts.plan = plan  # type: ignore[method-assign]
    asked = await house.start(number="anonymous" if found is None else "07700 900123")
    read_back = await house.press("04041950", asked)
    began = time.monotonic()
    reply = await house.press("1", read_back)

    assert time.monotonic() - began >= BUDGET_S
    assert [each for each in reply.instructions if isinstance(each, Play)] == [Play(("thanks",)), Play(("menu",))]


async def test_journal_keeps_that_something_was_read_back_and_not_what(new_house: NewHouse) -> None:
    house = await new_house(flow=BORN)
    await house.press("04041950", await house.start())

    played = [each.prompts for each in await house.events(ev.PromptsPlayed)]
    assert played == [("when_born",), ("(read back)",)]


async def test_text_is_asked_for_once_after_the_number_was_confirmed_and_the_call_goes_on(new_house: NewHouse) -> None:
    house = await new_house(flow=TEXT)
    message = await house.start(number="07700 900123")
    asked = await house.tell(InputKind.PLAYBACK_FINISHED, to=message)
    own = await house.press("1", asked)
    assert await house.events(ev.TextRequested) == []
    confirmed = await house.tell(InputKind.DIGIT, "1", to=own, key="confirms")
    again = await house.tell(InputKind.DIGIT, "1", to=own, key="confirms")

    assert confirmed == again
    assert isinstance(confirmed.wait, GatherWait)
    assert await house.events(ev.TextRequested) == [ev.TextRequested(node="offer", text="sore_throat")]
