"""The harness itself: a caller who goes through every stage is seen in each, by his own ear and the providers' logs."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.faults.callers import NUMBERS
from tests.faults.house import PROVIDER_SOUNDS, SOUNDS, house
from tests.faults.rounds import nobody_left
from tests.faults.steps import hears, through

pytestmark = [pytest.mark.alone, pytest.mark.slow, pytest.mark.timeout(180)]


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
