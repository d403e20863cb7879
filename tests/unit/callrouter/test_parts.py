"""A desk's work: left to desks while one lives, done by a process that takes calls while none does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from callrouter.errors import ConfigurationError
from callrouter.parts import PART, Reserve, say_desk_lives
from callrouter.settings import load_settings
from infra.clock import SystemClock
from infra.errors import StateUnavailable
from infra.health import Health
from infra.lease import MemoryLeases

SOON_S = 10.0
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
    """A process that takes calls, and what a desk would do."""

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


async def test_it_is_left_to_the_desk_that_lives() -> None:
    leases = Leases()
    await leases.hold(PART, "a desk", LONG_S)
    async with at_work(Worker(leases)) as worker:
        await leases.looks()

        assert not worker.working.is_set()
        assert worker.state(PART) == ("ok", "")


async def test_it_is_done_while_no_desk_lives_and_left_to_the_next_one() -> None:
    leases = Leases()
    await leases.hold(PART, "a desk", LONG_S)
    async with at_work(Worker(leases)) as worker:
        await leases.looks()
        await leases.release(PART, "a desk")
        await asyncio.wait_for(worker.working.wait(), SOON_S)
        assert worker.state(PART) == ("failed", "not_heard")

        await leases.hold(PART, "another desk", LONG_S)
        await asyncio.wait_for(worker.resting.wait(), SOON_S)
        await leases.looks()
        assert worker.state(PART) == ("ok", "")
        assert not worker.working.is_set()


async def test_process_that_has_just_begun_gives_a_desk_time_to_begin() -> None:
    leases = Leases()
    async with at_work(Worker(leases, patience_s=LONG_S)) as worker:
        await leases.looks(3)

        assert not worker.working.is_set()
        assert worker.state(PART) == ("failed", "not_heard"), "operators are told all the same"


@pytest.mark.parametrize("desk_lives", [True, False])
async def test_while_nobody_can_know_it_stays_as_it_is(desk_lives: bool) -> None:
    leases = Leases()
    if desk_lives:
        await leases.hold(PART, "a desk", LONG_S)
    async with at_work(Worker(leases)) as worker:
        await (leases.looks() if desk_lives else asyncio.wait_for(worker.working.wait(), SOON_S))
        leases.away = True
        await leases.looks(3)

        assert worker.working.is_set() is not desk_lives


async def test_what_only_a_desk_can_know_is_not_wrong_at_a_process_that_rests() -> None:
    leases = Leases()
    worker = Worker(leases)
    worker.health.expect("plan-source:gp")
    worker.health.failed("sql", "timed_out")
    async with at_work(worker):
        await asyncio.wait_for(worker.working.wait(), SOON_S)
        worker.health.failed("plan-source:gp", "stale")
        await leases.hold(PART, "a desk", LONG_S)
        await asyncio.wait_for(worker.resting.wait(), SOON_S)
        await leases.looks()

        assert worker.state("plan-source:gp") == ("ok", ""), "else its alert would fire for ever"
        assert worker.state("sql") == ("failed", "timed_out"), "its own"


async def test_one_of_several_desks_is_enough() -> None:
    leases = Leases()
    desks = [asyncio.create_task(say_desk_lives(leases)) for _ in range(2)]
    async with asyncio.timeout(SOON_S):
        while not await leases.is_held(PART):  # noqa: ASYNC110 - it tells nobody here
            await asyncio.sleep(0)
    desks[0].cancel()
    await asyncio.gather(desks[0], return_exceptions=True)

    assert await leases.is_held(PART)
    desks[1].cancel()
    await asyncio.gather(desks[1], return_exceptions=True)


@pytest.mark.parametrize("parts", ["calls", "desk"])
def test_without_redis_one_process_does_everything(parts: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CALLROUTER_PARTS", parts)

    with pytest.raises(ConfigurationError, match="CALLROUTER_PARTS: without REDIS_URL"):
        load_settings()
