"""Calls over Twilio's webhooks, told by an independent, strict telephone: the same London flow as over SIP."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from flows.player import inline

from callrouter.ports import PlanFound
from infra.crypto import KeyRing
from infra.keys import new_pair
from infra.numbers import Number
from tests.integration.test_twilio_caller import TwilioCall, check
from tests.service import PROMPTS, PROVIDERS, FakePlans, build_calls
from tests.twilio_world import (
    CLINICIANS,
    DENTAL,
    HANDLERS,
    KEYS,
    MENTAL_HEALTH,
    PHARMACY,
    World,
    a_client,
    a_world,
    an_app,
)


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with a_world(tmp_path) as world:
        yield world


async def test_the_999_words_come_first_and_no_key_stops_them(world: World) -> None:
    call = world.call()
    await call.start()
    before = [(verb.tag, verb.text) for verb in call.root[:2]]
    assert before == [("Say", PROMPTS["emergency_999"]), ("Say", PROMPTS["recording_notice"])]
    assert call.step.tag == "Gather"
    inside = [verb.text for verb in call.step]
    assert inside == [PROMPTS["main_menu"].strip()]


async def test_the_gather_takes_keys_and_words_and_hands_on_silence(world: World) -> None:
    call = world.call()
    await call.start()
    gather = call.step.attrib
    assert gather["input"] == "dtmf speech"
    assert (gather["numDigits"], gather["timeout"], gather["speechTimeout"]) == ("1", "4", "auto")
    assert (gather["language"], gather["actionOnEmptyResult"], gather["finishOnKey"]) == ("en-GB", "true", "")
    assert "toothache" in gather["hints"].split(",")


async def test_3_is_dental(world: World) -> None:
    call = world.call()
    await call.start()
    await call.press("3")
    assert call.dialled == DENTAL
    assert call.step.get("callerId") == call.from_
    assert call.step[0].get("statusCallbackEvent") == "ringing answered completed"
    assert [await call.leg("ringing"), await call.leg("in-progress")] == [204, 204]
    await call.dial_ends("completed", 30)
    assert call.step.tag == "Hangup"
    assert await call.status() == 204
    ended = await world.only(call, "ended")
    assert (ended.end_class, ended.by, ended.reason) == ("answered", "provider", "talk_ended")
    assert (await world.only(call, "talk_ended")).by == "provider"


async def test_2_is_the_mental_health_line(world: World) -> None:
    call = world.call()
    await call.start()
    await call.press("2")
    assert call.dialled == MENTAL_HEALTH


async def test_silence_is_an_input_and_leads_to_111(world: World) -> None:
    call = world.call()
    await call.start()
    await call.stay_silent()
    assert call.dialled in HANDLERS
    assert (await world.only(call, "input_taken")).input == "silence"


async def test_words_choose_like_keys(world: World) -> None:
    call = world.call()
    await call.start()
    await call.say("I have got a toothache")
    assert call.dialled == DENTAL


async def test_what_is_not_understood_is_counted_then_a_person(world: World) -> None:
    call = world.call()
    await call.start()
    await call.say("mumble mumble")
    assert call.heard.startswith(PROMPTS["not_understood"])
    await call.press("9")
    assert call.heard.startswith(PROMPTS["not_understood_again"])
    await call.say("mumble")
    assert call.dialled in HANDLERS
    assert [e.count for e in await world.service.events(world.ref(call), "no_match")] == [1, 2, 3]


async def test_a_red_flag_is_never_dropped_and_goes_first(world: World) -> None:
    call = world.call()
    await call.start()
    await call.say("my husband has chest pain")
    assert PROMPTS["red_flag_connecting"] in call.heard
    assert call.dialled == CLINICIANS
    flagged = await world.only(call, "red_flag_heard")
    assert flagged.lexicon


async def test_pharmacy_message_is_heard_to_its_end_before_the_marker(world: World) -> None:
    call = world.call()
    await call.start()
    await call.press("4")
    assert PROMPTS["pharmacy_safety_net"] in call.heard
    assert "message_heard" not in await world.kinds(call)
    await call.stay_silent()
    assert "message_heard" in await world.kinds(call)
    await call.press("1")
    assert call.dialled == PHARMACY


async def test_key_0_during_a_message_leads_to_a_person(world: World) -> None:
    call = world.call()
    await call.start()
    await call.press("4")
    assert PROMPTS["pharmacy_safety_net"] in call.heard
    await call.press("0")
    assert call.dialled in HANDLERS
    assert "message_heard" not in await world.kinds(call)


@pytest.mark.parametrize("key", ["1", "9", "#", "*"])
async def test_another_key_during_a_message_plays_it_again_and_is_no_answer_to_what_comes(
    world: World, key: str
) -> None:
    call = world.call()
    await call.start()
    await call.press("4")
    message = call.text
    await call.press(key)
    await call.press(key)
    assert [verb.text for verb in call.step] == [verb.text for verb in check(message).iter("Say")]
    assert "message_heard" not in await world.kinds(call)
    await call.stay_silent()
    assert PROMPTS["after_pharmacy_advice"].strip() in call.heard
    assert (await world.kinds(call)).count("message_heard") == 1


async def test_a_document_of_the_release_before_still_tells_that_a_message_was_heard(world: World) -> None:
    call = world.call()
    await call.start()
    await call.press("4")
    await call.ask(call.step.attrib["action"].replace("/message", "/finished"))
    assert "message_heard" in await world.kinds(call)


async def test_a_caller_who_hangs_up_after_the_message_is_deflected(world: World) -> None:
    call = world.call()
    await call.start()
    await call.press("4")
    await call.stay_silent()
    await call.status()
    assert (await world.only(call, "ended")).end_class == "deflected"


async def test_a_hang_up_in_a_menu(world: World) -> None:
    call = world.call()
    await call.start()
    await call.status()
    ended = await world.only(call, "ended")
    assert (ended.end_class, ended.by, ended.reason) == ("left_in_message", "caller", "hung_up")


async def test_a_call_goes_on_under_its_name_while_keys_are_changed(world: World) -> None:
    """A worker that was started again with a new pair first gets the end of a call that began before."""
    before, call = world.service.keys, world.call()
    await call.start()
    world.service.keys = KeyRing.from_base64(f"{new_pair()}\n{KEYS}")
    async with a_client(an_app(world.service)) as restarted:
        call.client = restarted
        await call.status()
    world.service.keys = before
    assert (await world.only(call, "ended")).end_class == "left_in_message"


async def test_a_repeat_caller_who_waits_goes_round_until_somebody_is_free(tmp_path: Path) -> None:
    providers = type(PROVIDERS)((*(p.model_copy(update={"lines": 1}) for p in PROVIDERS if p.id != "second-111"),))
    service = await build_calls(tmp_path, providers=providers)
    async with a_client(an_app(service)) as client:
        world = World(service, client)
        first, second = world.call(), world.call()
        await first.start()
        await first.stay_silent()
        await second.start()
        await second.stay_silent()
        assert PROMPTS["hold_111"] in second.heard
        for _ in range(4):
            await second.go_on()
            assert second.step.tag == "Redirect"
            spoken = [verb for verb in second.root if verb.tag == "Say"]
            pause = next(int(verb.attrib["length"]) for verb in second.root if verb.tag == "Pause")
            assert pause + sum(len((s.text or "").split()) for s in spoken) / 2.7 < 11
        await first.leg("in-progress")
        await first.dial_ends("completed", 5)
        await asyncio.sleep(0.05)
        await second.go_on()
        assert second.dialled in HANDLERS
    await service.close()


async def test_a_busy_provider_is_followed_by_the_next(world: World) -> None:
    call = world.call()
    await call.start()
    await call.stay_silent()
    first = call.dialled
    await call.dial_ends("busy")
    assert {first, call.dialled} == HANDLERS
    assert (await world.only(call, "leg_failed")).cause == "busy"


@pytest.mark.parametrize(
    ("status", "sip", "cause"),
    [
        ("no-answer", "", "no_answer"),
        ("failed", "", "unreachable"),
        ("failed", "503", "unreachable"),
        ("failed", "603", "rejected"),
        ("failed", "486", "busy"),
    ],
)
async def test_why_a_leg_failed(world: World, status: str, sip: str, cause: str) -> None:
    call = world.call()
    await call.start()
    await call.press("3")
    await call.dial_ends(status, DialSipResponseCode=sip)
    assert (await world.only(call, "leg_failed")).cause == cause
    assert call.dialled in HANDLERS


async def test_a_caller_who_leaves_while_it_rings_has_nobody_else_dialled(world: World) -> None:
    call = world.call()
    await call.start()
    await call.stay_silent()
    await call.dial_ends("no-answer", gone=True)
    kinds = await world.kinds(call)
    assert kinds.count("leg_started") == 1
    assert (await world.only(call, "ended")).end_class == "abandoned"


@dataclass
class HangingPlans(FakePlans):
    async def find(self, number: Number) -> PlanFound:
        await asyncio.sleep(30)
        return self.found


async def test_a_look_up_that_hangs_holds_nobody(tmp_path: Path) -> None:
    service = await build_calls(tmp_path, plans=HangingPlans(), budget_s=0.05)
    async with a_client(an_app(service)) as client:
        world = World(service, client)
        call = world.call()
        await call.start()
        began = asyncio.get_running_loop().time()
        await call.press("3")
        assert asyncio.get_running_loop().time() - began < 1
        assert call.dialled in HANDLERS  # nobody can tell whether they have a plan that raises
        plan = next(e for e in await service.events(world.ref(call), "looked_up") if e.what == "plan")
        assert (plan.outcome, plan.reason) == ("unavailable", "timed_out")
    await service.close()


async def test_a_hang_up_while_we_look_up_ends_the_call_at_once(tmp_path: Path) -> None:
    service = await build_calls(tmp_path, plans=HangingPlans(), budget_s=2)
    async with a_client(an_app(service)) as client:
        world = World(service, client)
        call = world.call()
        await call.start()
        looking = asyncio.ensure_future(call.press("3"))
        await asyncio.sleep(0.05)
        began = asyncio.get_running_loop().time()
        assert await world.call(sid=call.sid).status() == 204
        assert asyncio.get_running_loop().time() - began < 1
        await looking
        assert len(await service.events(world.ref(call), "ended")) == 1
    await service.close()


async def test_recorded_prompts_are_played_where_there_are_some(tmp_path: Path) -> None:
    service = await build_calls(tmp_path)
    async with a_client(an_app(service, prompts_url="https://prompts.example/en")) as client:
        call = TwilioCall(client)
        await call.start()
        assert call.root[0].text == "https://prompts.example/en/emergency_999.wav"
        check(call.text)
    await service.close()


async def test_key_0_leads_from_a_hold_for_a_team_to_111_and_no_other_key_does(tmp_path: Path) -> None:
    say = {"action": "say", "prompts": ["emergency_999", "recording_notice"], "barge_in": False}
    team = {"action": "queue", "services": ["dental"], "hold_s": 60, "hold_prompts": ["hold_111"]}
    flow = inline("hello", hello={**say, "exits": {"next": "team"}}, team=team)
    one_line = type(PROVIDERS)(tuple(each.model_copy(update={"lines": 1}) for each in PROVIDERS))
    service = await build_calls(tmp_path, providers=one_line, flow=flow)
    async with a_client(an_app(service)) as client:
        world = World(service, client)
        talks, waits = world.call(), world.call()
        await talks.start()
        await waits.start()
        await waits.press("1")
        assert waits.step.tag == "Gather", "the hold's next round"
        await waits.press("0")
        assert waits.dialled in HANDLERS
        choice = await world.only(waits, "choice_made")
        assert (choice.node, choice.choice) == ("team", "person")
    await service.close()
