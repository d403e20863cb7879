"""The harness itself: a caller who goes through every stage is seen in each, by his own ear and the providers' logs."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.faults.callers import NUMBERS, Caller
from tests.faults.house import PROVIDER_SOUNDS, SOUNDS, House, house
from tests.faults.rounds import nobody_left

pytestmark = pytest.mark.timeout(180)


async def hears(caller: Caller, sound: int, within: float = 10.0) -> None:
    """Return as soon as the caller hears it."""
    async with asyncio.timeout(within):
        while (heard := caller.hears()) is None or heard.sound != sound:  # noqa: ASYNC110
            await asyncio.sleep(0.01)  # the ear is a thread of its own


async def through(it: House, number: str, key: str, sound: int) -> Caller:
    caller = it.caller(number)
    caller.dial()
    async with asyncio.timeout(10):
        await caller.answered.wait()
    await hears(caller, SOUNDS["emergency_999"])
    await hears(caller, SOUNDS["long_menu"])
    caller.press(key)
    await hears(caller, sound, within=15)
    return caller


async def test_a_caller_is_followed_through_every_stage(tmp_path: Path) -> None:
    async with house(tmp_path, workers=1) as it:
        quick, slow = await asyncio.gather(
            through(it, NUMBERS[0], "3", PROVIDER_SOUNDS["one-eleven"]),
            through(it, NUMBERS[1], "2", PROVIDER_SOUNDS["slow"]),
        )
        holders = [await through(it, NUMBERS[2 + n], "1", PROVIDER_SOUNDS["narrow"]) for n in range(4)]
        waiter = await through(it, NUMBERS[10], "1", SOUNDS["music"])
        holders[0].hang_up()
        await hears(waiter, PROVIDER_SOUNDS["narrow"])
        for each in (quick, slow, *holders[1:], waiter):
            assert len(it.reached(each.number)) == 1
            assert not each.dropped
            each.hang_up()
        await nobody_left(it)
