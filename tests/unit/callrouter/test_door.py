"""The door: one input at a time, each once, and only for the wait that it answers."""

from __future__ import annotations

import asyncio

import pytest
from call_world import Hanging, House, NewHouse, everybody
from flows.player import inline
from msgspec.structs import replace

from callrouter import events as ev
from callrouter.errors import StaleEpoch, UnknownCall
from callrouter.model import InputKind
from ivr.model import Connect, Gather, GatherWait, Hold, LegWait, OfferWait, Play, TalkWait


async def test_call_begins_with_the_999_words(house: House) -> None:
    reply = await house.start()

    assert reply.instructions[1] == Play(("emergency_999",), barge_in=False)
    assert isinstance(reply.wait, GatherWait)


async def test_call_that_never_started_is_unknown(house: House) -> None:
    with pytest.raises(UnknownCall):
        await house.tell(InputKind.DIGIT, "1", call_ref="nobody")
    with pytest.raises(UnknownCall):
        await house.door.present("nobody")


async def test_known_key_gets_the_reply_that_it_got_before(house: House) -> None:
    first = await house.start()
    assert await house.start() == first

    pressed = await house.tell(InputKind.DIGIT, "1", to=first, key="digit.1")
    await house.tell(InputKind.LEG_ANSWERED)
    assert await house.tell(InputKind.DIGIT, "1", to=first, key="digit.1") == pressed
    assert await house.tell(InputKind.DIGIT, "9", to=first, key="digit.1") == pressed
    assert len(await house.events(ev.InputTaken)) == 1


async def test_key_for_a_wait_that_is_over_is_journalled_and_changes_nothing(house: House) -> None:
    menu = await house.start()
    leg = await house.press("3", menu)
    late = await house.press("4", menu)

    assert late.instructions == ()
    assert (late.wait_id, late.wait) == (leg.wait_id, leg.wait)
    assert await house.events(ev.LateInput) == [ev.LateInput(wait_id=menu.wait_id, input="digit")]
    assert [each.choice for each in await house.events(ev.ChoiceMade)] == ["dental"]


@pytest.mark.parametrize(
    "kind", [InputKind.SILENCE, InputKind.SPEECH_FINAL, InputKind.PLAYBACK_FINISHED, InputKind.DIGIT]
)
async def test_what_answers_a_prompt_must_name_its_wait(house: House, kind: InputKind) -> None:
    menu = await house.start()
    reply = await house.tell(kind, "1")

    assert (reply.wait_id, reply.instructions) == (menu.wait_id, ())
    assert len(await house.events(ev.LateInput)) == 1


async def test_a_deadline_that_another_process_had_armed_is_no_event_of_the_call(house: House) -> None:
    menu = await house.start()
    reply = await house.tell(InputKind.TIMER)

    assert (reply.wait_id, reply.instructions) == (menu.wait_id, ())
    assert await house.events(ev.LateInput) == []


@pytest.mark.parametrize(
    "kind",
    [InputKind.LEG_ANSWERED, InputKind.LEG_FAILED, InputKind.LEG_ENDED, InputKind.TALK_ENDED, InputKind.OFFERED],
)
async def test_what_is_about_a_leg_means_nothing_to_a_menu(house: House, kind: InputKind) -> None:
    menu = await house.start()

    assert (await house.tell(kind, "agent")).wait == menu.wait


async def test_partial_words_keep_the_wait(house: House) -> None:
    menu = await house.start()
    partial = await house.tell(InputKind.SPEECH_PARTIAL, "too", to=menu)

    assert partial.wait_id == menu.wait_id
    assert isinstance((await house.tell(InputKind.SPEECH_FINAL, "tooth", to=menu)).wait, LegWait)


async def test_caller_is_put_through_in_one_reply(house: House) -> None:
    reply = await house.press("1", await house.start())

    assert [each.target for each in reply.instructions if isinstance(each, Connect)] == ["handlers"]
    assert not any(isinstance(each, Hold) for each in reply.instructions)


async def test_leg_that_fails_is_followed_by_the_next_person(house: House) -> None:
    await house.press("3", await house.start())
    reply = await house.tell(InputKind.LEG_FAILED, "busy")

    assert [each.target for each in reply.instructions if isinstance(each, Connect)] == ["handlers"]
    assert await house.events(ev.LegFailed) == [ev.LegFailed(provider="dental", cause="busy")]


async def test_provider_that_only_rings_is_left_and_not_dialled_again(house: House) -> None:
    leg = await house.press("3", await house.start())
    reply = await house.tell(InputKind.TIMER, to=leg)

    assert [each.kind for each in reply.instructions].count("disconnect_leg") == 1
    assert [each.target for each in reply.instructions if isinstance(each, Connect)] == ["handlers"]
    assert await house.events(ev.LegFailed) == [ev.LegFailed(provider="dental", cause="no_answer")]


async def test_leg_that_ends_before_it_was_answered_has_failed(house: House) -> None:
    await house.press("3", await house.start())
    reply = await house.tell(InputKind.LEG_ENDED, "provider normal")

    assert isinstance(reply.wait, LegWait)
    assert reply.wait.target == "handlers"
    assert await house.events(ev.TalkEnded) == []
    await house.tell(InputKind.HUNG_UP)
    assert await house.end_class() == "abandoned"


async def test_input_of_an_older_owner_is_refused(house: House) -> None:
    menu = await house.start()
    taken = await house.tell(InputKind.TAKEN_OVER, epoch=2)
    with pytest.raises(StaleEpoch):
        await house.tell(InputKind.DIGIT, "1", to=menu, epoch=1)
    with pytest.raises(StaleEpoch):
        await house.tell(InputKind.TAKEN_OVER, epoch=1)

    assert (await house.door.present("call")).wait_id == taken.wait_id


async def test_owner_who_takes_over_repeats_the_present_wait_only(house: House) -> None:
    menu = await house.start()
    reply = await house.tell(InputKind.TAKEN_OVER, epoch=2)

    assert (reply.epoch, reply.wait) == (2, menu.wait)
    assert reply.wait_id != menu.wait_id
    prompts = [each.prompts for each in reply.instructions if isinstance(each, Play)]
    assert ("sorry_missed_that",) in prompts
    assert isinstance(reply.instructions[-1], Gather)
    assert await house.events(ev.TakenOver) == [ev.TakenOver(epoch=2)]

    leg = await house.tell(InputKind.DIGIT, "1", to=reply, epoch=2)
    assert isinstance(leg.wait, LegWait)


async def test_talk_that_is_taken_over_goes_on_untouched(house: House) -> None:
    await house.talk()
    reply = await house.tell(InputKind.TAKEN_OVER, epoch=2)

    assert reply.instructions == ()
    assert isinstance(reply.wait, TalkWait)


async def test_same_owner_cannot_take_over_twice(house: House) -> None:
    await house.start()
    first = await house.tell(InputKind.TAKEN_OVER, epoch=2)
    again = await house.tell(InputKind.TAKEN_OVER, epoch=2)

    assert (again.wait_id, again.instructions) == (first.wait_id, ())


async def test_old_owner_may_still_tell_that_the_caller_has_gone(house: House) -> None:
    await house.start()
    await house.tell(InputKind.TAKEN_OVER, epoch=2)
    await house.tell(InputKind.HUNG_UP, epoch=1)

    assert await house.end_class() == "left_in_message"


async def test_nothing_moves_a_call_that_is_over(house: House) -> None:
    menu = await house.start()
    await house.tell(InputKind.HUNG_UP, "caller hung_up")
    for kind in InputKind:
        if kind is not InputKind.HUNG_UP:
            reply = await house.tell(kind, "1", to=menu)
            assert reply.instructions == ()

    assert await house.end_class() == "left_in_message"
    await house.tell(InputKind.HUNG_UP, "caller again")
    assert await house.end_class() == "left_in_message"


async def test_calls_never_wait_for_each_other(house: House) -> None:
    hanging = Hanging()
    house.facts.plan = hanging
    slow = asyncio.ensure_future(house.press("1", await house.start("slow")))
    await hanging.begun.wait()

    other = await house.start("other")
    assert isinstance(other.wait, GatherWait)
    assert not slow.done()
    await house.tell(InputKind.HUNG_UP, call_ref="slow")
    await slow


async def test_two_keys_at_once_are_taken_one_after_the_other(house: House) -> None:
    menu = await house.start()
    first, second = await asyncio.gather(house.press("3", menu), house.press("4", menu))

    assert isinstance(first.wait, LegWait)
    assert second.instructions == ()
    assert len(await house.events(ev.LateInput)) == 1


async def test_present_wait_may_be_asked_for_again_and_again(house: House) -> None:
    menu = await house.start()
    before = len(await house.recorded())
    again = await house.door.present("call")

    assert again == replace(menu, instructions=again.instructions)
    assert isinstance(again.instructions[-1], Gather)
    assert len(await house.recorded()) == before


async def test_flow_that_begins_with_a_queue_seeks_at_once(new_house: NewHouse, tmp_path: object) -> None:

    flow = inline("queue", queue={"action": "queue", "services": ["111"], "hold_s": 60})
    house = await new_house(flow=flow)
    reply = await house.start()

    assert isinstance(reply.wait, LegWait)


async def test_caller_who_finds_nobody_free_holds_until_a_line_is(new_house: NewHouse) -> None:
    house = await new_house(providers=everybody(lines=1))
    await house.talk("first")
    second = await house.press("1", await house.start("second"))
    assert isinstance(second.wait, OfferWait)
    assert isinstance(second.instructions[-1], Hold)

    await house.tell(InputKind.TALK_ENDED, "caller normal", call_ref="first")
    offered = await house.next_performed()
    assert offered.call_ref == "second"
    assert [each.target for each in offered.instructions if isinstance(each, Connect)] == ["handlers"]


async def test_the_journal_knows_the_area_of_a_landline_and_never_the_number_behind_it(house: House) -> None:
    await house.start("bromley", number="01689 960123")
    await house.start("mobile", number="07700 900123")

    assert await house.events(ev.AreaKnown, "bromley") == [ev.AreaKnown(area="bromley", by="number")]
    assert await house.events(ev.AreaKnown, "mobile") == []
