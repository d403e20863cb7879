"""Rounds of the headline: many callers, each in the stage drawn for them, one worker killed, what became of all."""

from __future__ import annotations

import asyncio
import random
import signal
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import asyncpg

from tests.faults.house import NARROW_LINES, House, Worker
from tests.faults.judging import Fate, judge
from tests.faults.lives import LEAD_S, LOOKING_S, STAGES, Stage, at, draw, live

DRAINED_S = 20.0


Deed = Callable[[], Awaitable[object]]


@dataclass(frozen=True)
class Fault:
    """What is broken at the instant, and how it is mended so many seconds later."""

    strike: Deed
    mend: Deed
    mend_after_s: float


def killed(worker: Worker) -> Fault:
    """The process is gone at once; a supervisor starts it again."""

    async def strike() -> None:
        worker.kill()

    async def mend() -> None:
        worker.wait()
        await asyncio.to_thread(worker.start)

    return Fault(strike, mend, mend_after_s=0.5)


def stopped(worker: Worker, seconds: float) -> Fault:
    """The process hangs with its connections open, and wakes."""

    async def strike() -> None:
        worker.signal(signal.SIGSTOP)

    async def mend() -> None:
        worker.signal(signal.SIGCONT)

    return Fault(strike, mend, seconds)


def in_a_thread(strike: Callable[[], object], mend: Callable[[], object], mend_after_s: float) -> Fault:
    """Deeds that block."""
    return Fault(partial(asyncio.to_thread, strike), partial(asyncio.to_thread, mend), mend_after_s)


async def play_round(
    it: House, numbers: Iterator[str], fault: Fault, share: Mapping[Stage, int], chance: random.Random
) -> list[Fate]:
    """One fault. Returns when every caller has hung up and what was broken is mended."""
    it.phones.ear.forget()
    drawn = [stage for stage in STAGES for _ in range(share.get(stage, 0))]
    holders = NARROW_LINES
    callers = []
    fault_at = time.monotonic() + LEAD_S
    for stage in drawn:
        holds = stage == "talking" and holders > 0
        holders -= holds
        life = draw(stage, chance, holds_the_queue=holds)
        callers.append((it.caller(next(numbers)), life))

    async with asyncio.TaskGroup() as all_of_them:
        for caller, life in callers:
            all_of_them.create_task(live(caller, life, fault_at))
        all_of_them.create_task(_slow_look_ups(it, fault_at - LOOKING_S - 0.05, fault_at + 0.2))
        all_of_them.create_task(at(fault_at, fault.strike))
        all_of_them.create_task(at(fault_at + fault.mend_after_s, fault.mend))
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
        "two_legs_at_once": sum(each.at_once > 1 for each in fates),
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
