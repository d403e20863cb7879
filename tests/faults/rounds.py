"""Rounds of the headline: many callers, each in the stage drawn for them, one worker killed, what became of all."""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import asyncpg

from tests.faults.house import NARROW_LINES, House, Worker
from tests.faults.judging import Fate, judge
from tests.faults.lives import LEAD_S, LOOKING_S, STAGES, Stage, at, draw, live

RESTART_AFTER_S = 0.5  # what a supervisor waits
DRAINED_S = 20.0


async def play_round(
    it: House, numbers: Iterator[str], victim: Worker, share: Mapping[Stage, int], chance: random.Random
) -> list[Fate]:
    """One kill. Returns when every caller has hung up and the victim is back."""
    it.phones.ear.forget()
    drawn = [stage for stage in STAGES for _ in range(share[stage])]
    holders = NARROW_LINES
    callers = []
    fault_at = time.monotonic() + LEAD_S
    for stage in drawn:
        holds = stage == "talking" and holders > 0
        holders -= holds
        life = draw(stage, chance, holds_the_queue=holds)
        callers.append((it.caller(next(numbers)), life))

    async def kill() -> None:
        victim.kill()

    async def restart() -> None:
        victim.gone()
        await asyncio.to_thread(victim.start)

    async with asyncio.TaskGroup() as all_of_them:
        for caller, life in callers:
            all_of_them.create_task(live(caller, life, fault_at))
        all_of_them.create_task(_slow_look_ups(it, fault_at - LOOKING_S - 0.05, fault_at + 0.2))
        all_of_them.create_task(at(fault_at, kill))
        all_of_them.create_task(at(fault_at + RESTART_AFTER_S, restart))
    await nobody_left(it)
    return [judge(it, caller, life, fault_at) for caller, life in callers]


async def nobody_left(it: House) -> None:
    """Every channel of Asterisk has ended. Raises TimeoutError: one was orphaned."""
    async with asyncio.timeout(DRAINED_S):
        while await it.channels():  # noqa: ASYNC110 - Asterisk tells nobody
            await asyncio.sleep(0.1)


async def _slow_look_ups(it: House, begin: float, end: float) -> None:
    """No look-up of a plan is answered in between: the table is locked."""
    await asyncio.sleep(max(0.0, begin - time.monotonic()))
    async with locked(it.database, "plan_numbers", "plans"):
        await asyncio.sleep(max(0.0, end - time.monotonic()))


@asynccontextmanager
async def locked(database: str, *tables: str) -> AsyncIterator[None]:
    """The tables belong to nobody else meanwhile."""
    connection = await asyncpg.connect(database.replace("+asyncpg", ""))
    try:
        async with connection.transaction():
            await connection.execute(f"LOCK TABLE {', '.join(tables)} IN ACCESS EXCLUSIVE MODE")
            yield
    finally:
        await connection.close()


def summary(fates: Sequence[Fate]) -> dict[str, Any]:
    """The figures of many fates; times in seconds."""
    times = sorted(each.taken_over for each in fates if each.taken_over is not None)
    return {
        "calls": len(fates),
        "stages": dict(Counter(each.stage for each in fates)),
        "lost": sum(each.lost for each in fates),
        "dropped": sum(each.dropped for each in fates),
        "taken_over": len(times),
        "taken_over_by_stage": dict(Counter(each.stage for each in fates if each.taken_over is not None)),
        "take_over_p50_s": _at(times, 0.50),
        "take_over_p99_s": _at(times, 0.99),
        "reached_max_s": max((round(each.reached, 3) for each in fates if each.reached is not None), default=None),
        "dead_air_max_s": round(max(each.dead_air for each in fates), 3),
        "talk_cut_max_s": round(max(each.talk_cut for each in fates), 3),
    }


def _at(times: Sequence[float], share: float) -> float | None:
    return round(times[min(len(times) - 1, int(share * len(times)))], 3) if times else None
