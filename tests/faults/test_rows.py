"""Every part that a call needs is broken under calls at every stage, and mended: nobody is lost. One test for each."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Sequence
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest

from tests.faults.callers import NUMBERS
from tests.faults.house import House, house
from tests.faults.journalled import journalled, span
from tests.faults.judging import Fate
from tests.faults.lives import STAGES
from tests.faults.rounds import Fault, in_a_thread, play_round, stopped, summary
from tests.faults.wall_clock import WallClock

pytestmark = [pytest.mark.faults, pytest.mark.timeout(300)]

SHARE = dict.fromkeys(STAGES, 4) | {"talking": 6}
DEAD_AIR_S = 3.0
TALK_CUT_S = 1.0


def worker_hung(it: House) -> Fault:
    return stopped(it.workers[0], 5.0)


def asterisk_out_of_reach_without_a_word(it: House) -> Fault:
    return in_a_thread(it.wires[0].hold, it.wires[0].release, 6.0)


def connection_to_asterisk_lost(it: House) -> Fault:
    return in_a_thread(it.wires[0].cut, it.wires[0].mend, 2.0)


def redis_hung(it: House) -> Fault:
    return in_a_thread(it.redis.pause, it.redis.resume, 5.0)


def redis_killed_and_back(it: House) -> Fault:
    return in_a_thread(it.redis.kill, it.redis.start, 3.0)


def database_out_of_reach_without_a_word(it: House) -> Fault:
    return in_a_thread(it.records.hold, it.records.release, 6.0)


def database_lost_and_back(it: House) -> Fault:
    return in_a_thread(it.records.cut, it.records.mend, 5.0)


@pytest.mark.parametrize(
    "break_it",
    [
        worker_hung,
        asterisk_out_of_reach_without_a_word,
        connection_to_asterisk_lost,
        redis_hung,
        redis_killed_and_back,
        database_out_of_reach_without_a_word,
        database_lost_and_back,
    ],
)
async def test_nobody_is_lost(tmp_path: Path, break_it: Callable[[House], Fault]) -> None:
    chance = random.Random(111)
    async with house(tmp_path, workers=2) as it:
        numbers = iter(chance.sample(NUMBERS, sum(SHARE.values())))
        fates = await play_round(it, numbers, break_it(it), SHARE, chance)
        written = await journalled(it.database, len(fates))
    check(fates)
    assert written.whole, written


@pytest.mark.parametrize("off", [timedelta(hours=1), timedelta(hours=-2)], ids=["forward", "back"])
async def test_nobody_is_lost_when_the_wall_clock_steps(tmp_path: Path, off: timedelta) -> None:
    """Of the workers and the watch alone: Asterisk, Redis and PostgreSQL keep the right time, which is harder still."""
    chance = random.Random(111)
    clock = WallClock(tmp_path)
    async with house(tmp_path, workers=2, beneath=clock.environment) as it:
        numbers = iter(chance.sample(NUMBERS, sum(SHARE.values())))
        stepped = in_a_thread(partial(clock.step, off), partial(clock.step, timedelta()), 6.0)
        fates = await play_round(it, numbers, stepped, SHARE, chance)
        written = await journalled(it.database, len(fates))
        assert await span(it.database) > abs(off)  # it did step under them
    check(fates)
    assert written.whole, written


def check(fates: Sequence[Fate]) -> None:
    found = summary(fates)
    print(json.dumps(found))
    assert found["lost"] == 0, [each for each in fates if each.lost]
    assert found["dropped"] == 0, [each for each in fates if each.dropped]
    assert found["two_legs_at_once"] == 0, [each for each in fates if each.at_once > 1]
    assert found["talk_cut_max_s"] < TALK_CUT_S
    quiet = [each for each in fates if each.dead_air > DEAD_AIR_S]
    assert not quiet, quiet
