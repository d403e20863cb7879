"""Replays that people ask for: whichever process is asked knows how far each is, on SQLite and on PostgreSQL."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import update

from callrouter.approvals import RoleMissing
from callrouter.handover import SignedIn
from callrouter.publishing.errors import OutOfRange
from callrouter.replay.kept import GONE_AFTER, HOLDS_OF_NOW, KeptReplays
from callrouter.replay.report import Change, Report
from callrouter.replay.service import Progress
from callrouter.replay.tables import replays
from infra.sql import Database
from tests.hand_clock import HandClock
from tests.publishing_world import BOB, HANDLER

MARCH = (datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 3, 2, tzinfo=UTC))
VERSION = "0123456789ab"
FOUND = Report(
    VERSION, 3, 1, (Change("111", "dental", 1, -4.0),), (("never asked: menu", 1),), (-4.0, 0.0, 0.0), 1, 0, is_cut=True
)


class LongWork:
    """A replay of three calls, of which one is done when it begins, and all when the test lets it."""

    def __init__(self) -> None:
        self.begun, self.may_end, self.runs = asyncio.Event(), asyncio.Event(), 0

    async def run(
        self, version: str, start: datetime, end: datetime, who: SignedIn, progress: Progress | None = None
    ) -> Report:
        assert progress is not None
        self.runs += 1
        progress.done, progress.calls = 1, 3
        self.begun.set()
        await self.may_end.wait()
        return FOUND


class Refusing(LongWork):
    async def run(
        self, version: str, start: datetime, end: datetime, who: SignedIn, progress: Progress | None = None
    ) -> Report:
        raise OutOfRange("there is no such time")


def process(work: LongWork, database: Database, clock: HandClock) -> KeptReplays:
    """It tells often how far it is, and who asks waits for nothing."""
    return KeptReplays(work, database, clock, patience_s=0.05, tells_every_s=0.02)


async def ask(one: KeptReplays) -> Report | Progress:
    return await one.ask(VERSION, *MARCH, BOB)


async def ask_until(one: KeptReplays, so: Callable[[Report | Progress], bool]) -> Report | Progress:
    """What it says once it says so: the work goes on beside."""
    for _ in range(1000):
        if so(said := await ask(one)):
            return said
        await asyncio.sleep(0.02)
    raise AssertionError(f"it still says {said}")


async def test_who_asks_another_process_hears_how_far_it_is_and_gets_the_report(database: Database) -> None:
    work, idle, clock = LongWork(), LongWork(), HandClock()
    one, other = process(work, database, clock), process(idle, database, clock)
    try:
        assert await ask(one) == Progress(1, 3)
        assert await ask_until(other, lambda said: said == Progress(1, 3))
        work.may_end.set()
        assert await ask_until(other, lambda said: isinstance(said, Report)) == FOUND
        assert await ask(one) == FOUND
        assert (work.runs, idle.runs) == (1, 0)
    finally:
        await one.close()


async def test_process_that_died_is_followed_by_the_next_that_is_asked_which_says_so(database: Database) -> None:
    dead, work, clock = LongWork(), LongWork(), HandClock()
    one, other = process(dead, database, clock), process(work, database, clock)
    await ask(one)
    await ask_until(other, lambda said: said == Progress(1, 3))
    (task,) = (task for task in asyncio.all_tasks() if task.get_name() == "replay")
    task.cancel()  # no handler of its own tells anybody
    assert isinstance(await ask(other), Progress)
    assert work.runs == 0, "taken over from one of whom it is not known that it is gone"

    clock.move(GONE_AFTER.total_seconds() + 1)
    assert await ask(other) == Progress(1, 3, again=1)
    work.may_end.set()
    assert await ask_until(other, lambda said: isinstance(said, Report)) == FOUND


async def test_process_that_is_stopped_leaves_its_work_to_others_at_once(database: Database) -> None:
    work, clock = LongWork(), HandClock()
    one, other = process(LongWork(), database, clock), process(work, database, clock)
    await ask(one)
    await one.close()

    assert await ask(other) == Progress(1, 3, again=1)
    await other.close()


async def test_report_of_a_time_that_went_on_is_not_shown_for_long(database: Database) -> None:
    work, clock = LongWork(), HandClock(MARCH[1] - timedelta(hours=3))
    work.may_end.set()
    one = process(work, database, clock)
    assert await ask_until(one, lambda said: isinstance(said, Report)) == FOUND
    assert (await ask(one), work.runs) == (FOUND, 1)

    clock.move(HOLDS_OF_NOW.total_seconds() + 1)
    assert await ask_until(one, lambda said: isinstance(said, Report)) == FOUND
    assert work.runs == 2


async def test_what_fails_is_said_once_and_begun_anew_by_who_asks_again(database: Database) -> None:
    one = process(Refusing(), database, HandClock())
    for _ in range(2):
        with pytest.raises(OutOfRange):
            await ask_until(one, lambda _said: False)


@pytest.mark.parametrize("database_kind", ["sqlite"])
async def test_the_wrong_person_hears_nothing(database: Database) -> None:
    with pytest.raises(RoleMissing):
        await process(LongWork(), database, HandClock()).ask(VERSION, *MARCH, HANDLER)


async def test_a_report_of_another_release_is_made_again(database: Database) -> None:
    clock, work = HandClock(), LongWork()
    work.may_end.set()
    one = process(work, database, clock)
    assert await ask_until(one, lambda found: isinstance(found, Report)) == FOUND
    older = update(replays).values(report='{"version": "0123456789ab", "calls": 3}')
    await database.write(lambda connection: connection.execute(older))
    clock.move(60)
    assert await ask_until(one, lambda found: isinstance(found, Report)) == FOUND
    assert work.runs == 2
    await one.close()
