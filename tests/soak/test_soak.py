"""Twenty minutes of calls: nothing of ours grows, and nothing is left over. `make soak`."""

from __future__ import annotations

import asyncio
import itertools
import json
import time
from collections.abc import Awaitable, Callable
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
CALLS_A_SECOND = 2.0
"""About half of what this house, its callers, providers and databases together sustain on two cores."""
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


async def one_call(it: House, number: str) -> None:
    """Dial, choose, talk a moment, hang up."""
    caller = await through(it, number, "3", PROVIDER_SOUNDS["one-eleven"])
    await asyncio.sleep(1.0)
    assert not caller.dropped
    caller.hang_up()
    it.phones.by_call.pop(caller.call_id)
    it.phones.ear.forget_port(caller.media_port)


async def calls_at_a_rate(
    until: float, call: Callable[[], Awaitable[None]], looks: Callable[[int], Awaitable[None]]
) -> int:
    """So many a second until then; returns how many."""
    due, next_look, made = time.monotonic(), time.monotonic(), 0
    async with asyncio.TaskGroup() as group:
        while due < until:
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            group.create_task(call())  # type: ignore[arg-type]
            made += 1
            due += 1 / CALLS_A_SECOND
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
    seconds = SOAK_S
    async with house(tmp_path, workers=2) as it:
        began, looks = time.monotonic(), []
        numbers = itertools.cycle(NUMBERS)

        async def note(made: int) -> None:
            looks.append(await look(it, began, made))

        unserved = 0

        async def call() -> None:
            nonlocal unserved
            try:
                await one_call(it, next(numbers))
            except TimeoutError:
                unserved += 1  # the run goes on: what matters is what is left behind

        made = await calls_at_a_rate(began + seconds, call, note)
        await nobody_left(it)
        left = await asyncio.to_thread(it.asterisk.cli, "bridge show all")
        written = await journalled(it.database, made)
        await note(made)
    FIGURES.write_text(json.dumps({"calls": made, "seconds": seconds, "looks": looks}, indent=1) + "\n")
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
