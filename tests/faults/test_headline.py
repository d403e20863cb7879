"""Two workers, 100 callers at once, one worker killed, again and again: nobody is lost, whatever stage they were in."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.faults.callers import NUMBERS
from tests.faults.house import House, house
from tests.faults.judging import Fate
from tests.faults.lives import STAGES, Stage
from tests.faults.rounds import killed, play_round, summary
from tests.running import ROOT

FIGURES = ROOT / "bench" / "faults.json"
DEAD_AIR_S = 3.0
TALK_CUT_S = 1.0  # nothing of ours is in a talk's way; what is left is a busy machine


async def rounds(it: House, share: Mapping[Stage, int], count: int) -> list[Fate]:
    chance = random.Random(111)
    numbers: Iterator[str] = iter(chance.sample(NUMBERS, sum(share.values()) * count))
    fates: list[Fate] = []
    for number in range(count):
        fates += await play_round(it, numbers, killed(it.workers[number % len(it.workers)]), share, chance)
        print(json.dumps(summary(fates[-sum(share.values()) :])))
    return fates


def check(fates: Sequence[Fate]) -> dict[str, Any]:
    found = summary(fates)
    print(json.dumps(found, indent=1))
    assert found["lost"] == 0, [each for each in fates if each.lost]
    assert found["dropped"] == 0, [each for each in fates if each.dropped]
    quiet = [each for each in fates if each.dead_air > DEAD_AIR_S]
    assert not quiet, quiet
    assert found["talk_cut_max_s"] < TALK_CUT_S
    return found


@pytest.mark.timeout(300)
async def test_nobody_is_lost_when_a_worker_is_killed(tmp_path: Path) -> None:
    async with house(tmp_path, workers=2) as it:
        fates = await rounds(it, dict.fromkeys(STAGES, 4) | {"talking": 6}, 2)
    check(fates)


@pytest.mark.faults
@pytest.mark.timeout(3600)
async def test_1000_calls_and_nobody_is_lost(tmp_path: Path) -> None:
    async with house(tmp_path, workers=2) as it:
        fates = await rounds(it, dict.fromkeys(STAGES, 14) | {"ringing": 16}, 10)
    found = check(fates)
    FIGURES.write_text(json.dumps(found, indent=1) + "\n")
    assert min(found["stages"].values()) >= 100
