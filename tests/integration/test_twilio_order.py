"""Twilio's webhooks repeated, late, out of order, or of a call that nobody knows."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.integration.test_twilio_caller import PUBLIC_URL
from tests.twilio_world import (
    DENTAL,
    FALLBACK,
    World,
    a_world,
)


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with a_world(tmp_path) as world:
        yield world


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
