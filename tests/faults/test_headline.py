"""Two workers, dozens of callers at once, one worker killed (again and again in the long form): nobody is lost."""

from __future__ import annotations

import asyncio
import json
import random
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from tests.faults.callers import NUMBERS
from tests.faults.house import PROVIDER_SOUNDS, House, house
from tests.faults.journalled import journalled
from tests.faults.judging import Fate
from tests.faults.lives import STAGES, Stage
from tests.faults.rounds import killed, nobody_left, play_round, summary
from tests.faults.steps import through
from tests.running import ROOT

pytestmark = pytest.mark.alone

FIGURES = ROOT / "bench" / "faults.json"
DEAD_AIR_S = 3.0
BUSY_S = 3.0
"""What a machine may add that runs the whole suite beside it: the bound itself is measured by `make faults`."""
WARM_UP_CALLS = 20
TALK_CUT_S = 1.0  # nothing of ours is in a talk's way; what is left is a busy machine


async def warm_up(it: House) -> None:
    """A few calls before it begins: pools, caches and scripts of fresh processes are filled."""
    numbers = NUMBERS[-WARM_UP_CALLS:]
    for caller in await asyncio.gather(*(through(it, each, "3", PROVIDER_SOUNDS["one-eleven"]) for each in numbers)):
        caller.hang_up()
    await nobody_left(it)


async def rounds(it: House, share: Mapping[Stage, int], count: int) -> list[Fate]:
    chance = random.Random(111)
    numbers: Iterator[str] = iter(chance.sample(NUMBERS[:-WARM_UP_CALLS], sum(share.values()) * count))
    fates: list[Fate] = []
    await warm_up(it)
    for number in range(count):
        fates += await play_round(it, numbers, killed(it.workers[number % len(it.workers)]), share, chance)
        print(json.dumps(summary(fates[-sum(share.values()) :])))
        for lost in (each for each in fates[-sum(share.values()) :] if each.lost):
            print(lost)
    return fates


def check(fates: Sequence[Fate], dead_air_s: float = DEAD_AIR_S) -> dict[str, Any]:
    found = summary(fates)
    print(json.dumps(found, indent=1))
    assert found["lost"] == 0, [each for each in fates if each.lost]
    assert found["two_legs_at_once"] == 0, [each for each in fates if each.at_once > 1]
    assert found["dropped"] == 0, [each for each in fates if each.dropped]
    quiet = [each for each in fates if each.dead_air > dead_air_s]
    assert not quiet, quiet
    assert found["talk_cut_max_s"] < TALK_CUT_S
    return found


@pytest.mark.timeout(300)
async def test_nobody_is_lost_when_a_worker_is_killed(tmp_path: Path) -> None:
    async with house(tmp_path, workers=2) as it:
        fates = await rounds(it, dict.fromkeys(STAGES, 4) | {"talking": 6}, 1)
        written = await journalled(it.database, len(fates) + WARM_UP_CALLS)
    check(fates, DEAD_AIR_S + BUSY_S)
    assert written.whole, written


@pytest.mark.faults
@pytest.mark.timeout(3600)
async def test_1000_calls_and_nobody_is_lost(tmp_path: Path) -> None:
    async with house(tmp_path, workers=2) as it:
        fates = await rounds(it, dict.fromkeys(STAGES, 14) | {"ringing": 16}, 10)
        written = await journalled(it.database, len(fates) + WARM_UP_CALLS)
    found = summary(fates) | {"journal": asdict(written), "drawn": dict(Counter(each.drawn for each in fates))}
    FIGURES.write_text(json.dumps(found, indent=1) + "\n")
    check(fates)
    assert written.whole, written
    assert min(found["stages"][stage] for stage in STAGES) >= 100
