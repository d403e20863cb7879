"""The search for somebody, at the door: its one time, and key 0 out of it."""

from __future__ import annotations

from call_world import House, NewHouse, everybody, provider

from callrouter import events as ev
from callrouter.dispatch.providers import Providers
from callrouter.model import InputKind, Reply
from ivr.model import LEFT_FOR_111, Connect, OfferWait

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


async def test_key_0_on_hold_for_111_changes_nothing(new_house: NewHouse) -> None:
    house: House = await new_house(providers=everybody(lines=1))
    await house.talk("first")
    held = await house.press("1", await house.start(number="+447700900124"))
    assert isinstance(held.wait, OfferWait)
    after = await house.press("0", held)

    assert (after.wait_id, after.instructions) == (held.wait_id, ())
