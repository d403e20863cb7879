"""A staged release on SQLite and PostgreSQL: each call counted once, the verdict, and the stop at once."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select

from callrouter.journal import Journal
from callrouter.publishing.figures import StageFigures
from callrouter.publishing.model import State
from callrouter.publishing.staged import StagedWatch
from callrouter.publishing.tables import outcomes
from infra.bus import Entry, MemoryStream
from infra.crypto import KeyRing
from infra.revisions import revision
from infra.sql import Database
from tests.hand_clock import HandClock
from tests.publishing_world import ANN, a_worker, approved, content

KEYS = KeyRing(b"m" * 32, b"i" * 32)
Told = tuple[float, str] | tuple[float, str, dict[str, Any]]
ANSWERED: list[Told] = [(5, "choice_made"), (6, "leg_started"), (30, "leg_answered")]
LEFT: list[Told] = [(5, "choice_made"), (6, "queued"), (50, "ended", {"end_class": "abandoned"})]


class Release:
    """A version that is staged beside the shipped one, and the watch on it."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.clock = HandClock()
        self.service, self.flows = a_worker(database, self.clock)
        self.stream = MemoryStream()
        self.journal = Journal(database, KEYS)
        self.new = content(1).version
        self.old = content().version
        self.watch = self.new_watch()

    def new_watch(self) -> StagedWatch:
        return StagedWatch(self.stream, self.journal, self.database, self.service, self.clock)

    async def begin(self) -> None:
        await self.service.ship(content(), replace=False)
        await approved(self.service, content(1))
        await self.service.stage(self.new, 0.5, ANN)
        await self.watch.step(0)

    def entries(self, call_ref: str, version: str, told: Sequence[Told]) -> list[Entry]:
        start = self.clock.now()
        offered = Entry(call_ref, 1, start, "offered", {"flow_version": version})
        return [offered, *(self._entry(call_ref, n, start, each) for n, each in enumerate(told, 2))]

    def _entry(self, call_ref: str, seq: int, start: datetime, told: Told) -> Entry:
        return Entry(call_ref, seq, start + timedelta(seconds=told[0]), told[1], told[2] if len(told) > 2 else {})

    async def call(self, call_ref: str, version: str, told: Sequence[Told]) -> None:
        await self.stream.append(self.entries(call_ref, version, told))

    async def look(self, seconds: float = 0) -> None:
        """Time passes, with a step every few seconds."""
        while True:
            self.clock.move(min(seconds, 4.0))
            seconds -= 4.0
            while await self.watch.step(0):
                pass
            if seconds <= 0:
                return

    async def figures(self) -> StageFigures:
        found = await self.service.staged(ANN)
        assert found is not None
        return found

    async def state(self) -> State:
        return (await self.service.version(self.new, ANN)).row.state


@pytest.fixture
async def release(database: Database) -> Release:
    made = Release(database)
    await made.begin()
    return made


@pytest.mark.parametrize(
    ("told", "good"),
    [
        (ANSWERED, True),
        ([(5, "choice_made"), (125, "leg_answered")], True),
        ([(5, "choice_made"), (125.1, "leg_answered")], False),
        ([(5, "choice_made"), (9, "choice_made"), (126, "leg_answered")], False),  # from the earliest choice
        ([(100, "no_input"), (219, "leg_answered")], True),
        (LEFT, False),
        ([(9, "ended", {"end_class": "left_in_message"})], False),
        ([(5, "choice_made"), (20, "ended", {"end_class": "self_served"})], False),  # a text is nobody who answers
        ([(5, "choice_made"), (6, "session_failed"), (20, "leg_answered")], False),
        ([(5, "choice_made"), (6, "handed_back"), (20, "leg_answered")], False),
        ([(5, "choice_made"), (6, "queued")], False),  # still waiting when 120 s are over
    ],
)
async def test_one_yes_or_no_for_each_call(release: Release, told: list[Told], good: bool) -> None:
    await release.call("new-1", release.new, told)
    await release.call("old-1", release.old, told)
    await release.look(1)
    await release.look(300)
    found = await release.figures()
    assert (found.new_all, found.old_all) == (1, 1)
    assert (found.new_good, found.old_good) == (int(good), int(good))


async def test_a_call_is_counted_once_however_often_it_is_told_and_by_whoever_watches(release: Release) -> None:
    entries = release.entries("new-1", release.new, ANSWERED)
    await release.stream.append(entries)
    await release.look(60)
    await release.stream.append(entries)
    await release.look(1)
    await release.journal.write(entries)
    release.watch = release.new_watch()  # another process, which reads the journal first
    await release.stream.append(release.entries("new-2", release.new, LEFT))
    await release.look(60)
    found = await release.figures()
    assert (found.new_good, found.new_all) == (1, 2)


async def test_a_call_that_another_process_saw_begin_is_known_from_the_journal(release: Release) -> None:
    entries = release.entries("new-1", release.new, ANSWERED)
    await release.journal.write(entries[:3])
    release.watch = release.new_watch()
    await release.stream.append(entries[3:])
    await release.look(60)
    assert (await release.figures()).new_good == 1


async def test_calls_of_before_and_of_other_versions_do_not_count(release: Release) -> None:
    await release.call("other", "000000000000", ANSWERED)
    release.clock.move(-60)
    await release.call("before", release.old, ANSWERED)
    release.clock.move(60)
    await release.look(300)
    found = await release.figures()
    assert (found.new_all, found.old_all) == (0, 0)


@pytest.mark.parametrize(
    ("told", "seconds", "stops"),
    [
        ([(5, "choice_made"), (20, "ended", {"end_class": "dropped_by_us"})], 20, True),
        ([(5, "red_flag_heard"), (15, "leg_answered")], 15, False),
        ([(5, "red_flag_heard"), (15.1, "leg_answered")], 16, True),
        ([(5, "red_flag_heard"), (6, "leg_started")], 14, False),
        ([(5, "red_flag_heard"), (6, "leg_started")], 17.1, True),
        ([(5, "red_flag_heard"), (6, "ended", {"end_class": "abandoned"})], 6, True),
    ],
)
async def test_a_lost_call_or_a_red_flag_not_connected_stops_it_at_once(
    release: Release, told: list[Told], seconds: float, stops: bool
) -> None:
    await release.call("old-1", release.old, told)
    await release.look(0)
    assert await release.state() is State.STAGED  # what happens in the old version is not the new one's doing
    await release.call("new-1", release.new, told)
    await release.look(seconds)
    assert (await release.state() is State.RECALLED) is stops
    assert release.flows.is_recalled(release.new) is stops
    if stops:
        steps = await release.service.history(ANN, release.new)
        assert (steps[0].step, steps[0].by) == ("recalled", "service")
        assert {release.flows.for_dialled("111", f"c{n}").version for n in range(50)} == {release.old}


async def test_a_worse_version_is_stopped_and_its_calls_finish(release: Release) -> None:
    for number in range(12):
        await release.call(f"new-{number}", release.new, LEFT)
        await release.call(f"old-{number}", release.old, ANSWERED)
    await release.look(60)
    assert await release.state() is State.ROLLED_BACK
    assert release.flows.version("london-111", release.new) is not None
    assert "10 pairs" in (await release.service.history(ANN, release.new))[0].note


async def test_a_version_that_is_not_worse_is_told_once_and_released_by_people(release: Release) -> None:
    for number in range(10):
        await release.call(f"new-{number}", release.new, ANSWERED)
        await release.call(f"old-{number}", release.old, LEFT)
    await release.look(60)
    assert await release.state() is State.STAGED
    told = await revision(release.database, "flows")
    for number in range(10, 14):
        await release.call(f"new-{number}", release.new, ANSWERED)
        await release.call(f"old-{number}", release.old, LEFT)
        await release.look(60)
    steps = [each.step for each in await release.service.history(ANN, release.new)]
    assert steps.count("not_worse") == 1
    assert await revision(release.database, "flows") == told  # no worker reads anything anew
    await release.service.publish(release.new, ANN)
    assert release.flows.for_dialled("111", "any").version == release.new


async def test_without_a_staged_release_nothing_is_kept(release: Release) -> None:
    await release.service.stop(release.new, ANN)
    await release.call("new-1", release.new, ANSWERED)
    await release.look(60)
    kept = await release.database.read(lambda connection: connection.execute(select(outcomes)).all())
    assert kept == []
