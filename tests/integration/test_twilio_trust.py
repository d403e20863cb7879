"""Whom we believe over Twilio's webhooks: signatures, hostile numbers, withheld ones."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import structlog
from starlette.types import Message

from infra.numbers import NumberClass
from tests.integration.test_twilio_caller import PUBLIC_URL, TwilioCall
from tests.noted_turns import Noted
from tests.twilio_world import (
    DENTAL,
    World,
    a_client,
    a_world,
    an_app,
)


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with a_world(tmp_path) as world:
        yield world


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


@pytest.mark.parametrize("sid", [[], [("CallSid", "")]])
async def test_a_form_that_names_no_call_gets_the_fallback_and_is_told_in_words(
    world: World, sid: list[tuple[str, str]]
) -> None:
    call = world.call()
    fields = [*sid, *((name, value) for name, value in call.fields(CallStatus="completed") if name != "CallSid")]
    with structlog.testing.capture_logs() as logs:
        voice = await call.post(f"{PUBLIC_URL}/twilio/voice", fields)
        status = await call.post(f"{PUBLIC_URL}/twilio/status", fields)
    assert (voice.status, status.status) == (200, 503)
    assert b"<Dial" in voice.body
    assert [each["event"] for each in logs] == ["webhook_without_call"] * 2
    assert await world.service.everything() == []


async def test_repeated_fields_and_other_alphabets_are_signed_as_twilio_does(world: World) -> None:
    call = world.call()
    more = [("CallerName", "Zoë Ωmega ☎"), ("SipHeader_X", "b"), ("SipHeader_X", "a"), ("Empty", "")]
    answer = await call.post(f"{PUBLIC_URL}/twilio/voice", [*call.fields(CallStatus="ringing"), *more])
    assert answer.status == 200


async def test_only_who_has_signed_is_a_caller_to_whom_other_work_gives_way(world: World) -> None:
    """A request whose form never comes holds nothing up."""
    turns = Noted()
    app = an_app(world.service, turns=turns)
    headers = [(b"content-type", b"application/x-www-form-urlencoded")]
    scope = {"type": "http", "method": "POST", "path": "/twilio/voice", "raw_path": b"/twilio/voice"}
    asked, nothing = asyncio.Event(), asyncio.get_running_loop().create_future()

    async def never() -> Message:
        asked.set()
        return await nothing

    async def no_answer(_message: Message) -> None:
        raise AssertionError

    idle = asyncio.create_task(app({**scope, "headers": headers, "query_string": b""}, never, no_answer))
    await asked.wait()
    assert turns.callers == 0
    idle.cancel()
    async with a_client(app) as client:
        call = TwilioCall(client)
        refused = await call.post(f"{PUBLIC_URL}/twilio/voice", call.fields(), sign_with=None)
        assert (refused.status, turns.callers) == (403, 0)
        await call.start()
        assert turns.callers == 1


async def test_a_token_that_is_being_replaced_still_counts(world: World) -> None:
    call = world.call()
    answer = await call.post(f"{PUBLIC_URL}/twilio/voice", call.fields(), sign_with="an-old-token")
    assert answer.status == 200


async def test_a_form_of_any_size_does_not_get_in(world: World) -> None:
    call = world.call()
    answer = await call.post(f"{PUBLIC_URL}/twilio/voice", [("Body", "x" * 70_000)])
    assert answer.status == 413
    assert await world.service.everything() == []


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
