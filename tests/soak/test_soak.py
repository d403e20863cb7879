"""Twenty minutes of calls: nothing of ours grows, and nothing is left over. `make soak`."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.faults.callers import NUMBERS
from tests.faults.house import PROVIDER_SOUNDS, House, house
from tests.faults.journalled import journalled
from tests.faults.rounds import nobody_left
from tests.faults.steps import through
from tests.running import ROOT

FIGURES = ROOT / "bench" / "soak.json"
SOAK_S = 20 * 60
CLIMB = (2.0, 4.0, 6.0, 8.0, 10.0, 12.0, 16.0, 20.0)
"""Calls a second that are tried before, each for CLIMB_S; the run has half of the last at which nobody was held up."""
CLIMB_S = 20.0
HELD_UP_S = 3.0
"""What a call may take longer, from its dialling to its provider, than the first ones took: no dead air is longer."""
LOOK_EVERY_S = 30.0
WARM_UP = 0.25
"""The part of the run in which caches, pools and the ring buffers of a fresh process may still fill."""
GROWTH = 0.10
SLACK_MB = 8.0

pytestmark = [pytest.mark.soak, pytest.mark.timeout(SOAK_S + 600)]


def resident_mb(pid: int) -> float:
    """Memory of a process that is not shared with a file, in megabytes."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    raise AssertionError(f"no process {pid}")


def open_files(pid: int) -> int:
    """Files and sockets that a process holds."""
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


async def look(it: House, began: float, calls: int) -> dict[str, Any]:
    """Everything that could grow, now."""
    redis = it.redis.client
    memory = await asyncio.to_thread(redis.info, "memory")
    return {
        "at_s": round(time.monotonic() - began),
        "calls": calls,
        "asterisk_mb": round(resident_mb(it.asterisk.pid), 1),
        "worker_mb": [round(resident_mb(each.pid), 1) for each in it.workers],
        "watch_mb": round(resident_mb(it.watch.pid), 1),
        "redis_mb": round(memory["used_memory"] / 2**20, 1),
        "redis_keys": await asyncio.to_thread(redis.dbsize),
        "redis_clients": (await asyncio.to_thread(redis.info, "clients"))["connected_clients"],
        "open_files": [open_files(each.pid) for each in it.workers],
        "channels": await it.channels(),
    }


async def one_call(it: House, number: str) -> float:
    """Dial, choose, talk a moment, hang up; returns the seconds from dialling to the provider's voice."""
    dialled = time.monotonic()
    caller = await through(it, number, "3", PROVIDER_SOUNDS["one-eleven"])
    took = time.monotonic() - dialled
    await asyncio.sleep(1.0)
    assert not caller.dropped
    caller.hang_up()
    it.phones.by_call.pop(caller.call_id)
    it.phones.ear.forget_port(caller.media_port)
    return took


async def sustained(it: House, numbers: Iterator[str]) -> tuple[float, int]:
    """The last rate of the climb at which every caller came to the provider in time, and how many called for it."""
    usual, last, made = 0.0, 0.0, 0
    for rate in CLIMB:
        took: list[float] = []

        async def call(took: list[float] = took) -> None:
            try:
                took.append(await one_call(it, next(numbers)))
            except TimeoutError:
                took.append(float("inf"))

        async def nothing(_: int) -> None:
            """No looks on the way up."""

        made += await calls_at_a_rate(rate, time.monotonic() + CLIMB_S, call, nothing)
        usual = usual or sorted(took)[len(took) // 2]
        print(f"{rate} calls a second: {max(took):.1f} s at most, {usual:.1f} s usual")
        if max(took) > usual + HELD_UP_S:
            break
        last = rate
    await nobody_left(it)
    return last, made


async def calls_at_a_rate(
    rate: float, until: float, call: Callable[[], Awaitable[None]], looks: Callable[[int], Awaitable[None]]
) -> int:
    """``rate`` a second until then; returns how many."""
    due, next_look, made = time.monotonic(), time.monotonic(), 0
    async with asyncio.TaskGroup() as group:
        while due < until:
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            group.create_task(call())  # type: ignore[arg-type]
            made += 1
            due += 1 / rate
            if time.monotonic() >= next_look:
                next_look += LOOK_EVERY_S
                await looks(made)
    return made


def grown(looks: list[dict[str, Any]], what: Callable[[dict[str, Any]], float]) -> tuple[float, float]:
    """The middle value of the first looks after the warm-up, and of the last ones."""
    settled = looks[int(len(looks) * WARM_UP) :]
    part = max(1, len(settled) // 4)
    first, last = sorted(map(what, settled[:part])), sorted(map(what, settled[-part:]))
    return first[len(first) // 2], last[len(last) // 2]


async def test_twenty_minutes(tmp_path: Path) -> None:
    seconds = float(os.environ.get("CALLROUTER_SOAK_S", SOAK_S))
    async with house(tmp_path, workers=2) as it:
        looks: list[dict[str, Any]] = []
        numbers = itertools.cycle(NUMBERS)
        most, before = await sustained(it, numbers)
        began = time.monotonic()

        async def note(made: int) -> None:
            looks.append(await look(it, began, made))

        unserved = 0

        async def call() -> None:
            nonlocal unserved
            try:
                await one_call(it, next(numbers))
            except TimeoutError:
                unserved += 1  # the run goes on: what matters is what is left behind

        made = await calls_at_a_rate(most / 2, began + seconds, call, note)
        await nobody_left(it)
        left = await asyncio.to_thread(it.asterisk.cli, "bridge show all")
        written = await journalled(it.database, before + made)
        await note(made)
    FIGURES.write_text(
        json.dumps({"sustained": most, "calls": made, "seconds": seconds, "looks": looks}, indent=1) + "\n"
    )
    print(json.dumps(looks[-1]))
    assert unserved == 0
    assert written.whole, written
    assert len([line for line in left.splitlines() if line.strip()]) <= 1, left
    for name, what in {
        "asterisk": lambda each: each["asterisk_mb"],
        "first worker": lambda each: each["worker_mb"][0],
        "second worker": lambda each: each["worker_mb"][1],
        "watch": lambda each: each["watch_mb"],
    }.items():
        before, after = grown(looks, what)
        assert after <= before * (1 + GROWTH) + SLACK_MB, f"{name}: {before} MB → {after} MB"
    before, after = grown(looks, lambda each: float(max(each["open_files"])))
    assert after <= before + 5, f"open files: {before} → {after}"
