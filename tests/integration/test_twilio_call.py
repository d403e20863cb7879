"""Calls over Twilio's webhooks, told by an independent, strict telephone: the same London flow as over SIP."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI

from adapters.twilio.routes import twilio_router
from adapters.twilio.settings import TwilioSettings
from callrouter.ports import PlanFound
from infra.crypto import KeyRing
from infra.keys import new_pair
from infra.numbers import Number, NumberClass
from tests.integration.test_twilio_caller import PUBLIC_URL, TOKEN, TwilioCall, check
from tests.service import PROMPTS, PROVIDERS, CallService, FakePlans, build_calls

KEYS = new_pair()
FALLBACK = "+442079460199"
HANDLERS = {"+442079460101", "+442079460102"}
CLINICIANS, MENTAL_HEALTH = "+442079460110", "+442079460120"
DENTAL, PHARMACY = "+442079460130", "+442079460140"


@dataclass
class World:
    service: CallService
    client: httpx.AsyncClient

    def call(self, **about: str) -> TwilioCall:
        return TwilioCall(self.client, **about)

    def ref(self, call: TwilioCall) -> str:
        return self.service.keys.index("twilio-call", call.sid)[:32]

    async def kinds(self, call: TwilioCall) -> list[str]:
        return [event.kind for event in await self.service.events(self.ref(call))]

    async def only(self, call: TwilioCall, kind: str) -> object:
        (event,) = await self.service.events(self.ref(call), kind)
        return event


def an_app(service: CallService, **settings: object) -> FastAPI:
    app = FastAPI()
    about = TwilioSettings(
        public_url=PUBLIC_URL, auth_tokens=("an-old-token", TOKEN), fallback_number=FALLBACK, production=True,
        **settings,  # type: ignore[arg-type]
    )  # fmt: skip
    parts = {"keys": service.keys, "providers": service.providers, "prompts": PROMPTS, "clock": service.clock}
    app.include_router(twilio_router(service.calls, about, **parts))  # type: ignore[arg-type]
    return app


def a_client(app: FastAPI) -> httpx.AsyncClient:
    """A client behind a proxy that has taken off TLS: another host, another scheme."""
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://10.0.0.5:8111")


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    service = await build_calls(tmp_path, keys=KeyRing.from_base64(KEYS))
    async with a_client(an_app(service)) as client:
        yield World(service, client)
    await service.close()


# -------------------------------------------------------------------- through the flow


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


# -------------------------------------------------------------------- order, repeats, lateness


@pytest.mark.parametrize("without_token", [False, True])
async def test_a_retried_webhook_gets_the_stored_reply_and_no_second_event(world: World, without_token: bool) -> None:
    call = world.call()
    token = None if without_token else "new"
    await call.start(token=token)
    started = call.text
    assert (await call.again(0)).body.decode() == started
    assert call.step.tag == "Gather"
    await call.ask(call.step.attrib["action"], token=token, Digits="3")
    pressed, events = call.text, await world.kinds(call)
    assert (await call.again(-1)).body.decode() == pressed
    assert (await call.again(0)).body.decode() == started
    assert await world.kinds(call) == events


async def test_a_dial_that_was_answered_counts_without_the_leg_callback(world: World) -> None:
    call = world.call()
    await call.start()
    await call.press("3")
    await call.dial_ends("completed", 30)
    assert call.step.tag == "Hangup"
    kinds = await world.kinds(call)
    assert kinds.index("leg_answered") < kinds.index("talk_ended")
    assert (await world.only(call, "talk_ended")).talk_s == pytest.approx(30, abs=2)
    await call.status()
    assert (await world.only(call, "ended")).end_class == "answered"


async def test_late_leg_callbacks_overwrite_nothing(world: World) -> None:
    call = world.call()
    await call.start()
    await call.stay_silent()
    ring_late = call.step[0].attrib["statusCallback"]
    await call.dial_ends("busy")
    second = call.dialled
    assert (await call.post(ring_late, [("CallSid", "CA1"), ("CallStatus", "in-progress")])).status == 204
    assert "leg_answered" not in await world.kinds(call)
    await call.leg("in-progress")
    await call.dial_ends("completed", 10)
    assert (await world.only(call, "leg_answered")).provider == {
        "+442079460101": "first-111",
        "+442079460102": "second-111",
    }[second]
    await call.status()
    await call.post(ring_late, [("CallSid", "CA1"), ("CallStatus", "ringing")])
    ended = await world.service.events(world.ref(call), "ended")
    assert [e.end_class for e in ended] == ["answered"]


async def test_status_before_the_dial_action_still_counts_the_talk(world: World) -> None:
    call = world.call()
    await call.start()
    await call.press("3")
    await call.leg("in-progress")
    action = call.step.attrib["action"]
    await call.status()
    await call.ask(action, CallStatus="completed", DialCallStatus="completed", DialCallDuration="9", DialBridged="true")
    ended = await world.only(call, "ended")
    assert (ended.end_class, ended.by) == ("answered", "caller")
    assert (await world.only(call, "talk_ended")).by == "caller"


async def test_a_key_for_a_menu_that_is_over_changes_nothing(world: World) -> None:
    call = world.call()
    await call.start()
    old = call.step.attrib["action"]
    await call.press("9")
    await call.ask(old, Digits="2")
    assert call.step.tag == "Gather"
    assert "late_input" in await world.kinds(call)
    await call.press("3")
    assert call.dialled == DENTAL


async def test_an_unknown_call_is_dialled_to_the_default_service(world: World) -> None:
    call = world.call()
    await call.ask(f"{PUBLIC_URL}/twilio/voice/{'0' * 32}/1.1/gather", Digits="3")
    assert call.dialled == FALLBACK
    assert call.step.get("action") is None
    assert await call.status() == 204


async def test_an_error_of_ours_is_a_dial_and_not_an_error_to_twilio(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    call = world.call()
    await call.start()

    async def broken(*_: object) -> None:
        raise RuntimeError("boom +447700900123")

    monkeypatch.setattr(world.service.calls, "handle", broken)
    await call.press("3")
    assert call.dialled == FALLBACK
    assert "handed_back" in await world.kinds(call)


# -------------------------------------------------------------------- who may tell us anything


@pytest.mark.parametrize("sign_with", [None, "a-wrong-token"])
async def test_unsigned_or_wrongly_signed_is_refused_and_nothing_is_written(
    world: World, sign_with: str | None
) -> None:
    call = world.call()
    fields = call.fields(CallStatus="ringing")
    for path in ("voice", "status", "recording", f"voice/{'0' * 32}/1.1/gather", f"voice/{'0' * 32}/1.1/leg"):
        answer = await call.post(f"{PUBLIC_URL}/twilio/{path}", fields, sign_with=sign_with)
        assert (answer.status, answer.body) == (403, b"")
    assert await world.service.everything() == []


async def test_a_signature_is_for_one_url_and_one_form(world: World) -> None:
    call = world.call()
    await call.start()
    action = call.step.attrib["action"]
    await call.press("3")
    url, fields, headers = call.sent[-1]
    for other_url, other_fields in (
        (url.replace("gather", "finished"), fields),
        (url + "?round=2", fields),
        (url, [*fields, ("Digits", "2")]),
        (url, [(name, "2" if name == "Digits" else value) for name, value in fields]),
    ):
        call.sent.append((other_url, other_fields, headers))
        assert (await call.again(-1)).status == 403
    assert action.partition("#")[0] == url


async def test_repeated_fields_and_other_alphabets_are_signed_as_twilio_does(world: World) -> None:
    call = world.call()
    more = [("CallerName", "Zoë Ωmega ☎"), ("SipHeader_X", "b"), ("SipHeader_X", "a"), ("Empty", "")]
    answer = await call.post(f"{PUBLIC_URL}/twilio/voice", [*call.fields(CallStatus="ringing"), *more])
    assert answer.status == 200


RECORDING = "RE" + "0af1" * 8


async def tell_of_recording(call: TwilioCall, **fields: str) -> int:
    told = {"RecordingSid": RECORDING, "RecordingStatus": "completed", "RecordingDuration": "31",
            "RecordingUrl": f"https://api.example/Recordings/{RECORDING}"} | fields  # fmt: skip
    answer = await call.post(f"{PUBLIC_URL}/twilio/recording", [*call.fields(CallStatus="completed"), *told.items()])
    return int(answer.status)


async def test_a_recording_is_journalled_once_even_after_the_call_and_without_its_address(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    call = world.call()
    await call.start()
    await call.press("3")
    await call.dial_ends("completed", 30)
    await call.status()
    assert [await tell_of_recording(call) for _ in range(3)] == [204] * 3
    told = await world.only(call, "recording_reported")
    assert (told.recording, told.seconds, told.kept_by, told.outcome) == (RECORDING, 31, "twilio", "completed")
    assert RECORDING not in caplog.text
    assert (await world.kinds(call))[-2:] == ["ended", "recording_reported"]


@pytest.mark.parametrize(
    "odd", [{"RecordingSid": "../x"}, {"RecordingStatus": "in-progress"}, {"CallSid": "CA" + "9" * 32}]
)
async def test_what_tells_nothing_of_a_recording_of_ours_is_acknowledged_and_not_kept(
    world: World, odd: dict[str, str]
) -> None:
    call = world.call()
    await call.start()
    before = await world.service.everything()
    assert await tell_of_recording(call, **odd) == 204
    assert await world.service.everything() == before


async def test_that_nothing_was_recorded_is_told_apart(world: World) -> None:
    call = world.call()
    await call.start()
    assert await tell_of_recording(call, RecordingStatus="absent", RecordingDuration="0") == 204
    assert (await world.only(call, "recording_reported")).outcome == "absent"


async def test_a_token_that_is_being_replaced_still_counts(world: World) -> None:
    call = world.call()
    answer = await call.post(f"{PUBLIC_URL}/twilio/voice", call.fields(), sign_with="an-old-token")
    assert answer.status == 200


async def test_a_form_of_any_size_does_not_get_in(world: World) -> None:
    call = world.call()
    answer = await call.post(f"{PUBLIC_URL}/twilio/voice", [("Body", "x" * 70_000)])
    assert answer.status == 413
    assert await world.service.everything() == []


# -------------------------------------------------------------------- hostile and withheld numbers


@pytest.mark.parametrize(
    "hostile",
    [
        "'; DROP TABLE calls; --",
        "+447700900123' OR '1'='1",
        "<Dial><Number>+449099999999</Number></Dial>",
        '"/><Hangup/>',
        "+447700900123\r\nX-Evil: 1",
        "+4477\r\n00900123",
        "☎️🦷",
        "\x00\x01",
        "+" + "9" * 5000,
    ],
)
async def test_a_hostile_number_is_never_looked_up_and_the_call_goes_on(
    world: World, hostile: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    call = world.call(from_=hostile, to=hostile)
    await call.start()
    await call.press("3")
    assert call.dialled == DENTAL
    assert call.step.get("callerId") is None
    assert hostile not in call.text
    assert world.service.plans.asked == []
    offered = await world.only(call, "offered")
    assert (offered.cli_class, offered.number, offered.dialled) == ("unreadable", None, "unknown")
    assert hostile not in caplog.text


@pytest.mark.parametrize("withheld", ["anonymous", "+266696687", "+7378742833", "Restricted", "", "+8656696"])
async def test_a_withheld_number_is_withheld(world: World, withheld: str) -> None:
    call = world.call(from_=withheld)
    await call.start()
    await call.press("3")
    assert (await world.only(call, "offered")).cli_class == NumberClass.WITHHELD
    assert world.service.plans.asked == []
    assert call.step.get("callerId") == call.to


async def test_no_number_or_call_id_of_twilio_is_in_a_url(world: World) -> None:
    call = world.call()
    await call.start()
    await call.press("3")
    for url, _, _ in call.sent:
        assert call.sid not in url
        assert "7700900123" not in url


# -------------------------------------------------------------------- look-ups within their budget


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
        assert call.dialled == DENTAL
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
