"""Single callers, step by step, for faults that are told in one story rather than in a round."""

from __future__ import annotations

import asyncio

from tests.faults.callers import Caller
from tests.faults.house import SOUNDS, House


async def hears(caller: Caller, sound: int, within: float = 10.0) -> None:
    """Return as soon as the caller hears it."""
    async with asyncio.timeout(within):
        while (heard := caller.hears()) is None or heard.sound != sound:  # noqa: ASYNC110
            await asyncio.sleep(0.01)  # the ear is a thread of its own


async def through(it: House, number: str, key: str, sound: int) -> Caller:
    """Somebody who dials, hears the menu, presses the key, and now hears that sound; raises TimeoutError."""
    caller = it.caller(number)
    caller.dial()
    try:
        async with asyncio.timeout(10):
            await caller.answered.wait()
        await hears(caller, SOUNDS["long_menu"])
        caller.press(key)
        await hears(caller, sound, within=45)
    except TimeoutError:
        caller.hang_up()
        raise
    return caller
