"""What is made of calls: left to background processes while one works, else done by a process that takes calls."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from callrouter.errors import ConfigurationError
from callrouter.parts import PART, PROBATION_S, SAID_S, Going, Reserve, say_background_works
from callrouter.settings import load_settings
from infra.clock import SystemClock
from infra.errors import StateUnavailable
from infra.health import Health
from infra.lease import Lease, MemoryLeases
from infra.loops import repeat
from tests.plan_world import HandClock

SOON_S = 30.0
LONG_S = 60.0
OFTEN_S = 0.01


class Leases(MemoryLeases):
    """Of a store that may be away; tells of each look."""

    def __init__(self) -> None:
        super().__init__()
        self.away = False
        self.looked = asyncio.Event()

    async def is_held(self, name: str) -> bool:
        self.looked.set()
        if self.away:
            raise StateUnavailable("away")
        return await super().is_held(name)

    async def looks(self, count: int = 2) -> None:
        """So many more: whatever the one before the last found has been done."""
        for _ in range(count):
            self.looked.clear()
            await asyncio.wait_for(self.looked.wait(), SOON_S)


class Worker:
    """A process that takes calls, and what a background process would do."""

    def __init__(self, leases: Leases, patience_s: float = 0.0) -> None:
        self.health = Health(SystemClock())
        self.working = asyncio.Event()
        self.resting = asyncio.Event()
        self.reserve = Reserve(
            self._work, leases, self.health, look_every_s=OFTEN_S, patience_s=patience_s
        )  # fmt: skip

    def _work(self) -> Iterator[Any]:
        yield self._journal()

    async def _journal(self) -> None:
        self.resting.clear()
        self.working.set()
        try:
            await asyncio.Event().wait()
        finally:
            self.working.clear()
            self.resting.set()

    def state(self, part: str) -> tuple[str, str]:
        return next((each.state, each.why) for each in self.health.parts() if each.name == part)


@asynccontextmanager
async def at_work(worker: Worker) -> AsyncIterator[Worker]:
    running = asyncio.create_task(worker.reserve.run())
    try:
        yield worker
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def test_it_is_left_to_the_background_process_that_lives() -> None:
    leases = Leases()
    await leases.hold(PART, "a background process", LONG_S)
    async with at_work(Worker(leases)) as worker:
        await leases.looks()

        assert not worker.working.is_set()
        assert worker.state(PART) == ("ok", "")


async def test_it_is_done_while_no_background_lives_and_left_to_the_next_one() -> None:
    leases = Leases()
    await leases.hold(PART, "a background process", LONG_S)
    async with at_work(Worker(leases)) as worker:
        await leases.looks()
        await leases.release(PART, "a background process")
        await asyncio.wait_for(worker.working.wait(), SOON_S)
        assert worker.state(PART) == ("failed", "not_heard")

        await leases.hold(PART, "another background process", LONG_S)
        await asyncio.wait_for(worker.resting.wait(), SOON_S)
        await leases.looks()
        assert worker.state(PART) == ("ok", "")
        assert not worker.working.is_set()


async def test_process_that_has_just_begun_gives_another_time_to_begin() -> None:
    leases = Leases()
    async with at_work(Worker(leases, patience_s=LONG_S)) as worker:
        await leases.looks(3)

        assert not worker.working.is_set()
        assert worker.state(PART) == ("failed", "not_heard"), "operators are told all the same"


@pytest.mark.parametrize("background_lives", [True, False])
async def test_while_nobody_can_know_it_stays_as_it_is(background_lives: bool) -> None:
    leases = Leases()
    if background_lives:
        await leases.hold(PART, "a background process", LONG_S)
    async with at_work(Worker(leases)) as worker:
        await (leases.looks() if background_lives else asyncio.wait_for(worker.working.wait(), SOON_S))
        leases.away = True
        await leases.looks(3)

        assert worker.working.is_set() is not background_lives


async def test_what_only_who_does_the_work_can_know_is_not_wrong_at_a_process_that_rests() -> None:
    leases = Leases()
    worker = Worker(leases)
    worker.health.expect("plan-source:gp")
    worker.health.failed("sql", "timed_out")
    async with at_work(worker):
        await asyncio.wait_for(worker.working.wait(), SOON_S)
        worker.health.failed("plan-source:gp", "stale")
        await leases.hold(PART, "a background process", LONG_S)
        await asyncio.wait_for(worker.resting.wait(), SOON_S)
        await leases.looks()

        assert worker.state("plan-source:gp") == ("ok", ""), "else its alert would fire for ever"
        assert worker.state("sql") == ("failed", "timed_out"), "its own"


class Background:
    """A background process whose journal's reader does ``step``."""

    def __init__(self, leases: Leases, step: Callable[[float], Awaitable[int]]) -> None:
        self._leases = leases
        self._going = Going(step, SystemClock())

    async def run(self) -> None:
        lease = Lease(self._leases, "journal", str(id(self)))
        reader = repeat("journal", self._going.step, full=1, lease=lease, lost=self._going.left_to_another)
        await asyncio.gather(reader, say_background_works(self._leases, lambda: self._going.goes_on))


async def goes(wait_s: float) -> int:
    await asyncio.sleep(OFTEN_S)
    return 0


async def fails(wait_s: float) -> int:
    raise OSError("no way to the database")


async def hangs(wait_s: float) -> int:
    await asyncio.Event().wait()
    return 0


@asynccontextmanager
async def beside(*processes: Background) -> AsyncIterator[list[asyncio.Task[None]]]:
    running = [asyncio.create_task(each.run()) for each in processes]
    try:
        yield running
    finally:
        for each in running:
            each.cancel()
        await asyncio.gather(*running, return_exceptions=True)


async def heard(leases: Leases) -> None:
    async with asyncio.timeout(SOON_S):
        while not await leases.is_held(PART):  # noqa: ASYNC110 - it tells nobody here
            await asyncio.sleep(OFTEN_S)


@pytest.mark.parametrize("step", [fails, hangs])
async def test_one_that_lives_but_does_not_get_on_is_replaced(step: Callable[[float], Awaitable[int]]) -> None:
    leases = Leases()
    async with beside(Background(leases, step)), at_work(Worker(leases)) as worker:
        await asyncio.wait_for(worker.working.wait(), SOON_S)
        await leases.looks(5)

        assert worker.working.is_set()
        assert worker.state(PART) == ("failed", "not_heard")


async def test_the_word_of_one_that_gets_on_is_enough_and_it_has_the_work_of_one_that_fails() -> None:
    leases = Leases()
    worked = asyncio.Event()

    async def works(wait_s: float) -> int:
        worked.set()
        return await goes(wait_s)

    async with beside(Background(leases, fails), Background(leases, works)) as (_, good):
        await asyncio.wait_for(worked.wait(), SOON_S)
        await heard(leases)
        good.cancel()


async def test_one_whose_work_another_does_says_that_it_could_and_a_while_after_a_failure_of_its_own() -> None:
    clock = HandClock()
    doing = [goes, fails, goes]
    going = Going(lambda wait_s: doing.pop(0)(wait_s), clock)
    assert not going.goes_on, "it has not begun"
    going.left_to_another()
    assert going.goes_on

    await going.step(0)
    clock.move(seconds=SAID_S)
    assert not going.goes_on, "its reader hangs"
    with pytest.raises(OSError, match="no way"):
        await going.step(0)
    going.left_to_another()
    assert not going.goes_on, "or the others would begin and end with its work for ever"
    clock.move(seconds=PROBATION_S)
    going.left_to_another()
    assert going.goes_on
    await going.step(0)
    assert going.goes_on


@pytest.mark.parametrize("parts", ["calls", "background"])
def test_without_redis_one_process_does_everything(parts: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CALLROUTER_PARTS", parts)

    with pytest.raises(ConfigurationError, match="CALLROUTER_PARTS: without REDIS_URL"):
        load_settings()
