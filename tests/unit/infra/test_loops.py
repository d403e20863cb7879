"""Work that several processes could do is done by one of them, and goes on after its death."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

import structlog

from infra.errors import StateUnavailable
from infra.lease import Lease, MemoryLeases
from infra.loops import repeat, until_next

SOON_S = 30.0


@dataclass
class Worker:
    """A process that does one piece of work in each step."""

    name: str
    leases: MemoryLeases
    worked: asyncio.Event = field(default_factory=asyncio.Event)
    task: asyncio.Task[None] | None = None

    async def step(self, wait_s: float) -> int:
        self.worked.set()
        return 0

    def start(self) -> None:
        self.task = asyncio.create_task(
            repeat("journal", self.step, full=1, lease=Lease(self.leases, "journal", self.name))
        )

    async def stop(self) -> None:
        assert self.task is not None
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)


async def test_one_process_works_and_the_next_goes_on_when_it_leaves() -> None:
    class Watched(MemoryLeases):
        refused = asyncio.Event()

        async def hold(self, name: str, holder: str, seconds: float) -> bool:
            held = await super().hold(name, holder, seconds)
            if not held:
                self.refused.set()
            return held

    leases = Watched()
    one, two = Worker("one", leases), Worker("two", leases)
    one.start()
    await asyncio.wait_for(one.worked.wait(), SOON_S)
    two.start()
    await asyncio.wait_for(leases.refused.wait(), SOON_S)
    assert not two.worked.is_set(), "the work is done by one at a time"

    await one.stop()
    await asyncio.wait_for(two.worked.wait(), SOON_S)
    await two.stop()


async def test_what_fails_at_one_process_is_tried_by_the_next() -> None:
    leases = MemoryLeases()

    async def fails(wait_s: float) -> int:
        raise OSError("no way to the database")

    one, two = Worker("one", leases), Worker("two", leases)
    one.step = fails  # type: ignore[method-assign]
    await leases.hold("journal", "one", 60.0)
    one.start()
    two.start()
    await asyncio.wait_for(two.worked.wait(), SOON_S)

    await one.stop()
    await two.stop()


async def test_process_that_cannot_ask_for_the_lease_tries_again() -> None:
    class Flaky(MemoryLeases):
        asked = 0

        async def hold(self, name: str, holder: str, seconds: float) -> bool:
            self.asked += 1
            if self.asked == 1:
                raise StateUnavailable
            return await super().hold(name, holder, seconds)

    worker = Worker("one", Flaky())
    worker.start()
    await asyncio.wait_for(worker.worked.wait(), SOON_S)
    await worker.stop()


async def test_who_finds_another_at_work_is_told_so() -> None:
    leases, told = MemoryLeases(), asyncio.Event()
    first, second = Worker("first", leases), Worker("second", leases)
    first.start()
    await first.worked.wait()
    lease = Lease(leases, "journal", "second")
    second.task = asyncio.create_task(repeat("journal", second.step, full=1, lease=lease, lost=told.set))
    await asyncio.wait_for(told.wait(), SOON_S)
    assert not second.worked.is_set()
    await second.stop()
    await first.stop()


async def test_a_loop_tells_once_that_it_fails_and_once_that_it_goes_again() -> None:
    results: list[Exception | None] = [StateUnavailable(), StateUnavailable(), None, None]
    worked = asyncio.Event()

    async def step(wait_s: float) -> int:
        if not results:
            worked.set()
            await asyncio.Event().wait()
        if (error := results.pop(0)) is not None:
            raise error
        return 1

    with structlog.testing.capture_logs() as logs:
        task = asyncio.create_task(repeat("journal", step, full=1))
        await asyncio.wait_for(worked.wait(), SOON_S)
        task.cancel()
    assert [(each["event"], each["loop"]) for each in logs] == [
        ("loop_failed", "journal"),
        ("loop_goes_again", "journal"),
    ]


def test_what_is_done_as_often_wakes_at_the_same_time() -> None:
    often, seldom = until_next(0.5), until_next(2.0)
    assert 0.05 < often < 0.56
    assert 0.2 < seldom < 2.21
    beats = (seldom - often) / 0.5
    assert abs(beats - round(beats)) < 0.2, "the longer sleep ends where a shorter one does"
