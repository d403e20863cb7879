"""What a worker may order, and that only the present owner is heard: the dialplan's fence, on a real Asterisk."""

from __future__ import annotations

import asyncio

import pytest

from adapters.asterisk.facts import failure
from tests.integration.conftest_asterisk import (  # noqa: F401  two of them are fixtures
    Line,
    dial_says,
    fresh_context,
    global_set,
    line_of_a_test,
    named,
    session_line,
    until,
)

pytestmark = pytest.mark.alone


@pytest.mark.parametrize(
    "order",
    ["e1-end", "e1-fallback", "e1-claim", "e1-to-" + "a" * 32 + "-north"],
)
async def test_a_stale_owner_moves_nobody(line: Line, order: str) -> None:
    async with line.worker() as stale, line.worker(claims=False) as owner:
        line.call()
        channel = await stale.own()
        owner.claims = True
        stale.hang()
        await owner.own(epoch=2)
        # ARI refuses nobody; the dialplan does.
        await stale.say(channel, order)
        again = await owner.own(epoch=3)
        assert again.id == channel.id


@pytest.mark.parametrize(
    "order",
    [
        "e1-sing",
        "e1-claim-north",
        'e1"-end',
        "e1-to-short-north",
        "e1-to-" + "A" * 32 + "-north",
        "e1-to-" + "a" * 32 + "-No",
        "e1-to20m-" + "a" * 32 + "-north",
        "e1-tok20-" + "a" * 32 + "-north",
        "e1-to20rk-" + "a" * 32 + "-north",
        "nonsense",
        "e1",
    ],
)
async def test_nonsense_from_the_owner_is_broadcast_again(line: Line, order: str) -> None:
    async with line.worker() as worker:
        line.call()
        channel = await worker.own()
        await worker.say(channel, order)
        assert (await worker.own(epoch=2)).id == channel.id


async def test_key_0_alone_ends_the_ringing_of_a_target_that_may_be_left(line: Line) -> None:
    with global_set(line.asterisk, "RING", "20", usually="2"):
        async with line.worker() as worker:
            caller, ear = line.call()
            channel = await worker.own()
            await worker.ari.answer(channel.id)
            await asyncio.to_thread(caller.wait_answered)
            await worker.say(channel, f"e1-to20k-{fresh_context()}-silent")
            await worker.wait(dial_says("RINGING"))
            ear.press("1#0")
            facts = (await worker.own(epoch=2)).variables
            assert (facts["STAGE"], facts["DIALSTATUS"], failure(facts)) == ("returned", "CANCEL", "left_for_111")
            # The owner goes on with the call; what rings now may not be left, and rings for its second.
            await worker.say(channel, f"e2-to1-{fresh_context()}-silent")
            await worker.wait(
                lambda e: dial_says("RINGING")(e) and e.channel is not None and e.channel.told["DIALNO"] == "2"
            )
            ear.press("0")
            facts = (await worker.own(epoch=3)).variables
            assert (facts["STAGE"], facts["DIALSTATUS"], failure(facts)) == ("returned", "NOANSWER", "no_answer")


async def test_too_many_owners_without_a_result_ring_the_default_service(line: Line) -> None:
    with global_set(line.asterisk, "ROUNDS", "2", usually="20"):
        async with line.worker() as worker:
            line.call()
            channel = await worker.own()
            await worker.say(channel, "e1-sing")
            await worker.own(epoch=2)
            await worker.say(channel, "e2-sing")
            invite = await asyncio.to_thread(line.invite, "default", channel.variables["CALL_REF"])
    assert invite.start.startswith("INVITE sip:111@")


async def test_an_owner_may_end_the_call(line: Line) -> None:
    async with line.worker() as worker:
        caller, _ = line.call()
        channel = await worker.own()
        await worker.ari.answer(channel.id)
        await asyncio.to_thread(caller.wait_answered)
        await worker.say(channel, "e1-end")
        ended = await worker.wait(named("call_ended"))
        assert await asyncio.to_thread(caller.wait_ended) == 0
    assert ended.body["userevent"]["by"] == "us"


async def test_an_owner_may_ask_for_the_default_service(line: Line) -> None:
    async with line.worker() as worker:
        line.call()
        channel = await worker.own()
        await worker.say(channel, "e1-fallback")
        invite = await asyncio.to_thread(line.invite, "default", channel.variables["CALL_REF"])
    assert invite.start.startswith("INVITE sip:111@")


async def test_a_call_that_is_handed_over_goes_to_another_worker_with_its_sound_going_on(line: Line) -> None:
    async with line.worker() as leaving, line.worker(claims=False) as staying:
        caller, ear = line.call()
        channel = await leaving.own()
        await leaving.ari.answer(channel.id)
        await asyncio.to_thread(caller.wait_answered)
        await leaving.ari.start_moh(channel.id)
        assert await asyncio.to_thread(ear.wait_heard, 5)
        leaving.claims, staying.claims = False, True
        await leaving.say(channel, "e1-claim")
        taken = await staying.own(epoch=2)
        assert (taken.id, taken.variables["CALL_REF"]) == (channel.id, channel.variables["CALL_REF"])
        await staying.ari.start_moh(taken.id)
        assert await asyncio.to_thread(ear.wait_heard, 5)


async def test_handing_over_is_held_against_nobody(line: Line) -> None:
    with global_set(line.asterisk, "ROUNDS", "2", usually="20"):
        async with line.worker() as worker:
            line.call()
            channel = await worker.own()
            for epoch in (1, 2, 3):
                await worker.say(channel, f"e{epoch}-claim")
                await worker.own(epoch=epoch + 1)
            # One round is left to it, as if nobody had handed it over.
            await worker.say(channel, "e4-sing")
            await worker.own(epoch=5)
            await worker.say(channel, "e5-sing")
            await asyncio.to_thread(line.invite, "default", channel.variables["CALL_REF"])


async def test_handing_over_for_ever_ends_with_the_default_service(line: Line) -> None:
    with (
        global_set(line.asterisk, "ROUNDS", "2", usually="20"),
        global_set(line.asterisk, "HANDOVERS", "1", usually="100"),
    ):
        async with line.worker() as worker:
            line.call()
            channel = await worker.own()
            for epoch in (1, 2):
                await worker.say(channel, f"e{epoch}-claim")
                await worker.own(epoch=epoch + 1)
            await worker.say(channel, "e3-claim")
            await asyncio.to_thread(line.invite, "default", channel.variables["CALL_REF"])


async def test_a_call_handed_over_to_nobody_goes_to_the_default_service(line: Line) -> None:
    async with line.worker() as worker:
        line.call()
        channel = await worker.own()
        worker.claims = False
        await worker.say(channel, "e1-claim")
        await asyncio.to_thread(line.invite, "default", channel.variables["CALL_REF"])


async def test_a_call_that_the_carrier_sent_twice_is_ended_without_an_answer(line: Line) -> None:
    async with line.worker() as worker:
        caller, _ = line.call(refused_with=482)
        channel = await worker.own()
        await worker.say(channel, "e1-end")
        assert await asyncio.to_thread(caller.wait_ended) == 0
        await worker.wait(lambda e: e.type == "ChannelDestroyed")
        assert not any(named("call_ended")(each) for each in worker.seen)
    assert line.ended(channel.variables["CALL_REF"]) == {}, "the call goes on on its other line: this is no end"


async def test_a_talk_has_a_longest_length(line: Line) -> None:
    with global_set(line.asterisk, "TALK_LIMIT", "1", usually="14400"):
        async with line.worker() as worker:
            caller, _ = line.call()
            channel = await worker.own()
            await worker.say(channel, f"e1-to-{fresh_context()}-north")
            await worker.wait(dial_says("ANSWER"))
            ended = await worker.wait(named("talk_ended"))
            assert await asyncio.to_thread(caller.wait_ended) == 0
    assert ended.body["userevent"]["by"] == "us"
