"""The search for somebody, at the door: its one time, and key 0 out of it."""

from __future__ import annotations

import pytest
from call_world import House, NewHouse, everybody, provider
from flows.player import inline

from callrouter import events as ev
from callrouter.dispatch.providers import Providers
from callrouter.model import InputKind, Reply
from callrouter.timeline import rows
from ivr.actions.seek import MOST_TRIES
from ivr.model import LEFT_FOR_111, Connect, HandBack, OfferWait

TWO_DENTISTS = Providers((*everybody(), provider("another", "dental")))


def rung(reply: Reply) -> list[tuple[str, float]]:
    return [(each.target, each.ring_s) for each in reply.instructions if isinstance(each, Connect)]


async def test_all_that_are_rung_share_one_time_whoever_owns_the_call(new_house: NewHouse) -> None:
    house: House = await new_house(providers=TWO_DENTISTS)
    ((first, ring_s),) = rung(await house.press("3", await house.start()))
    assert ring_s == 20.0
    house.clock.move(2.0)
    await house.tell(InputKind.TAKEN_OVER, epoch=2)
    house.clock.move(1.5)
    ((second, ring_s),) = rung(await house.tell(InputKind.LEG_FAILED, "busy", epoch=2))
    assert ring_s == 16.0, "3.5 seconds are gone, and the one that began counts"
    house.clock.move(16.0)

    assert rung(await house.tell(InputKind.LEG_FAILED, "no_answer", epoch=2)) == [("handlers", 20.0)]
    assert {first, second} == {"dental", "another"}


async def test_clock_that_is_set_back_gives_nobody_more_time_and_one_set_on_no_less_than_none(
    new_house: NewHouse,
) -> None:
    house: House = await new_house(providers=TWO_DENTISTS)
    await house.press("3", await house.start())
    house.clock.jump(-3600.0)
    assert rung(await house.tell(InputKind.LEG_FAILED, "busy"))[0][1] == 20.0
    house.clock.jump(7200.0)

    assert rung(await house.tell(InputKind.LEG_FAILED, "busy")) == [("handlers", 20.0)]


async def test_who_leaves_a_ringing_line_by_key_0_is_journalled_and_the_provider_is_not_blamed(house: House) -> None:
    await house.press("3", await house.start())
    reply = await house.tell(InputKind.LEG_FAILED, LEFT_FOR_111)

    assert rung(reply) == [("handlers", 20.0)]
    assert await house.events(ev.LegFailed) == [ev.LegFailed(provider="dental", cause="left_for_111")]
    assert (await house.events(ev.ChoiceMade))[-1] == ev.ChoiceMade(node="dental_line", choice="person", by="key")
    assert await house.has_a_line("dental"), "the line is free again, and nobody passes it over"


@pytest.mark.parametrize("key", ["0", "5"])
async def test_no_key_on_hold_for_111_changes_anything(new_house: NewHouse, key: str) -> None:
    house: House = await new_house(providers=everybody(lines=1))
    await house.talk("first")
    held = await house.press("1", await house.start(number="+447700900124"))
    assert isinstance(held.wait, OfferWait)

    await press_in_vain(house, held, key)


async def test_no_key_but_0_on_hold_for_a_team_changes_anything(new_house: NewHouse) -> None:
    team = {"action": "queue", "services": ["dental"], "hold_s": 60.0, "hold_prompts": ["hold"]}
    house: House = await new_house(providers=everybody(lines=1), flow=inline("team", team=team))
    await house.start("first", number="+447700900124")
    held = await house.start()
    assert isinstance(held.wait, OfferWait)

    await press_in_vain(house, held, "5")


async def press_in_vain(house: House, held: Reply, key: str) -> None:
    """Three times a key that means nothing: it stands in the journal, and dispatch is not asked again."""
    before = await house.events(object)
    for _ in range(3):
        after = await house.press(key, held)
        assert (after.wait_id, after.instructions) == (held.wait_id, ())
    pressed = ev.InputTaken(wait_id=held.wait_id, input=InputKind.DIGIT, value=key)
    assert await house.events(object) == [*before, pressed, pressed, pressed]


async def test_who_takes_over_a_caller_on_hold_asks_dispatch_again(new_house: NewHouse) -> None:
    house: House = await new_house(providers=everybody(lines=1))
    await house.talk("first")
    await house.press("1", await house.start(number="+447700900124"))
    await house.dispatch.leave("call")
    await house.tell(InputKind.TAKEN_OVER, epoch=2)
    await house.tell(InputKind.TALK_ENDED, "caller", call_ref="first")

    assert rung(await house.next_performed()) == [("handlers", 20.0)], "the place that was lost is taken again"


async def test_the_hold_before_a_line_is_dialled_is_no_ringing(new_house: NewHouse) -> None:
    """111 is rung as often as it would be without, at the flow's step and at the engine's own, before the fall-back."""
    seven = Providers(tuple(provider(f"line{n}", "111") for n in range(7)))
    house: House = await new_house(providers=seven)
    reply = await house.press("1", await house.start())
    tried = []
    while step := rung(reply):
        tried += step
        house.clock.move(12.0 + 20.0)
        reply = await house.tell(InputKind.LEG_FAILED, "no_answer")

    assert [ring_s for _, ring_s in tried] == [20.0] * MOST_TRIES * 2
    assert reply.instructions[-1] == HandBack("default_service_unreachable")


async def test_the_page_says_who_left_a_provider_for_111_and_who_did_not_answer(house: House) -> None:
    await house.press("3", await house.start())
    await house.tell(InputKind.LEG_FAILED, LEFT_FOR_111)
    await house.tell(InputKind.LEG_FAILED, "no_answer")
    told = [each.text for each in rows(await house.recorded(), {"dental": "Dentist", "handlers": "111"})]

    assert "The caller pressed 0 while Dentist was rung, and went on to 111" in told
    assert "111 did not take the call (no answer)" in told
    assert not [each for each in told if "left for 111" in each]
