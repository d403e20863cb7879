"""What Twilio tells of a recording: journalled once, and never its address."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.integration.test_twilio_caller import PUBLIC_URL, TwilioCall
from tests.twilio_world import World, a_world

RECORDING = "RE" + "0af1" * 8


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with a_world(tmp_path) as world:
        yield world


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
