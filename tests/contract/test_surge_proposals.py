"""Proposals on each kind of database: one for each episode, told once, faded after the surge; whoever looks."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from alerts.surges.errors import ScreeningFailed
from alerts.surges.model import EVERYWHERE, NOT_COUNTED, Found, Kind, Proposal, Screened, Series, Step
from alerts.surges.store import ProposalStore
from alerts.surges.watch import AGAIN_S, PART, SETTLED, SurgeWatch
from infra.areas import london
from infra.health import Health
from infra.sql import Database
from tests.hand_clock import NOON, HandClock

BROMLEY = Series("cold_or_flu", "bromley")
BOARD = Series("cold_or_flu", "south_east")
BARNET = Series("cold_or_flu", "barnet")
LONDON = Series("cold_or_flu", EVERYWHERE)
QUARTER = timedelta(minutes=15)


def unusual(series: Series = BROMLEY, *, rank: int = 1, kind: Kind = "surge") -> Found:
    return Found(series, "hourly", kind, NOON - timedelta(hours=3), 9.5, rank)


def look(at: datetime, *found: Found, quiet: frozenset[Series] = frozenset()) -> Screened:
    return Screened(at, 3, 3, found, quiet)


class Told:
    def __init__(self) -> None:
        self.heard: list[tuple[str, str]] = []

    async def found(self, proposal: Proposal) -> None:
        self.heard.append((proposal.kind, proposal.series.area))

    async def faded(self, proposal: Proposal) -> None:
        self.heard.append(("faded", proposal.series.area))


class Watching:
    """A watch whose looks the test decides."""

    def __init__(self, database: Database) -> None:
        self.store = ProposalStore(database)
        self.clock = HandClock(NOON + SETTLED)
        self.health = Health(self.clock)
        self.told = Told()
        self.next: tuple[Found, ...] | Exception = ()
        self.quiet: frozenset[Series] = frozenset()
        self.why_not: dict[str, int] = {}
        self.looks: list[datetime] = []

    async def _look(self, at: datetime) -> Screened:
        self.looks.append(at)
        if isinstance(self.next, Exception):
            raise self.next
        return replace(look(at, *self.next, quiet=self.quiet), why_not=self.why_not)

    def watch(self) -> SurgeWatch:
        return SurgeWatch(self.store, self._look, self.told, london(), self.clock, self.health)

    async def proposals(self) -> list[Proposal]:
        return await self.store.recent(NOON - timedelta(days=1))

    async def look_on(self, watch: SurgeWatch, *found: Found, after: timedelta = QUARTER) -> None:
        self.next = found
        await watch.step(0.5)
        self.clock.move(after.total_seconds())


async def test_an_episode_is_one_proposal_and_told_once_with_the_areas_around_it(database: Database) -> None:
    world = Watching(database)
    watch = world.watch()
    await world.look_on(watch, unusual(), unusual(BOARD, rank=2))
    await world.look_on(watch, unusual(rank=2), unusual(BOARD), unusual(BARNET, rank=3))
    await world.look_on(world.watch(), unusual())  # another process goes on
    assert world.told.heard == [("surge", "bromley"), ("surge", "barnet")]
    found = await world.proposals()
    assert [(each.series, each.rank) for each in found] == [(BOARD, 1), (BROMLEY, 1), (BARNET, 3)]
    assert world.looks == [NOON, NOON + QUARTER, NOON + 2 * QUARTER]


async def test_a_rise_that_spreads_is_told_again_and_its_parts_are_not(database: Database) -> None:
    world = Watching(database)
    watch = world.watch()
    await world.look_on(watch, unusual())
    await world.look_on(watch, unusual(), unusual(LONDON, rank=2))
    await world.look_on(watch, unusual(), unusual(LONDON, rank=2), unusual(BARNET, rank=3))
    assert world.told.heard == [("surge", "bromley"), ("surge", "everywhere")]
    wide = next(each for each in await world.proposals() if each.series == LONDON)
    steps = Step(world.clock.now(), "dismissed", "Pia", "public_health")
    assert await world.store.move(wide.id, {"open"}, "dismissed", steps)
    await world.look_on(watch, unusual(LONDON), unusual(Series("cold_or_flu", "camden"), rank=2))
    assert world.told.heard[2:] == [("surge", "camden")]  # what somebody dismissed silences nothing


@pytest.mark.parametrize("area", ["bromley", "age:1-4", EVERYWHERE])
async def test_a_rise_that_several_methods_find_is_told_once(database: Database, area: str) -> None:
    world, series = Watching(database), Series("cough", area)
    watch = world.watch()
    await world.look_on(watch, unusual(series), replace(unusual(series), method="daily"))
    await world.look_on(watch, *(replace(unusual(series), method=each) for each in ("hourly", "daily", "weekly")))
    assert world.told.heard == [("surge", area)]


async def test_a_rise_in_demand_that_becomes_a_surge_is_told_again_and_to_be_assessed_anew(database: Database) -> None:
    world = Watching(database)
    watch = world.watch()
    await world.look_on(watch, unusual(kind="demand_rise"))
    proposal = (await world.proposals())[0]
    dismissed = Step(NOON, "dismissed", "Pia", "public_health")
    assert await world.store.move(proposal.id, {"open"}, "dismissed", dismissed)
    await world.look_on(watch, unusual(kind="surge"))
    await world.look_on(watch, unusual(kind="surge"))
    assert world.told.heard == [("demand_rise", "bromley"), ("surge", "bromley")]
    kept, steps = await world.store.get(proposal.id) or pytest.fail("it is gone")
    assert (kept.state, kept.kind) == ("open", "surge")
    assert [each.step for each in steps] == ["told", "dismissed", "stronger", "told_surge"]


async def test_a_day_later_it_is_another_episode(database: Database) -> None:
    world = Watching(database)
    watch = world.watch()
    await world.look_on(watch, unusual(), after=timedelta(hours=23))
    await world.look_on(watch, unusual(), after=timedelta(hours=25))
    await world.look_on(watch, unusual())
    assert len(await world.store.recent(NOON)) == 2
    assert len(world.told.heard) == 2


async def test_a_change_of_mix_is_shown_only_until_it_is_more(database: Database) -> None:
    world = Watching(database)
    watch = world.watch()
    await world.look_on(watch, unusual(kind="change_of_mix"))
    assert world.told.heard == []
    await world.look_on(watch, unusual(kind="demand_rise"))
    await world.look_on(watch, unusual(kind="change_of_mix"))
    assert world.told.heard == [("demand_rise", "bromley")]
    assert [each.kind for each in await world.proposals()] == ["demand_rise"]


async def test_the_same_look_twice_or_by_two_at_once_changes_nothing(database: Database) -> None:
    store = ProposalStore(database)
    seen = look(NOON, unusual(), unusual(BARNET, rank=2))
    assert sorted(await asyncio.gather(store.record(seen), store.record(seen))) == [False, True]
    assert not await store.record(replace(seen, found=()))
    assert len(await store.recent(NOON)) == 2


async def test_taking_the_message_off_is_proposed_when_quiet_and_no_more_when_it_is_back(database: Database) -> None:
    world = Watching(database)
    watch = world.watch()
    await world.look_on(watch, unusual(), after=timedelta(days=3))
    proposal = (await world.proposals())[0]
    acted = Step(NOON, "acted", "Pia", "public_health")
    world.quiet = frozenset({BROMLEY})
    await world.look_on(watch)
    assert (await world.proposals())[0].faded_at is None  # nobody acted: there is nothing to take off
    assert await world.store.move(proposal.id, {"open"}, "acted", acted, "m1")
    await world.look_on(watch)
    await world.look_on(watch)
    assert world.told.heard[1:] == [("faded", "bromley")]
    world.quiet = frozenset()
    await world.look_on(watch, unusual())
    kept, steps = await world.store.get(proposal.id) or pytest.fail("it is gone")
    assert (kept.state, kept.message, kept.faded_at) == ("acted", "m1", None)
    assert [each.step for each in steps] == ["told_surge", "acted", "faded", "told_faded", "back"]


async def test_of_two_who_assess_at_once_one_does(database: Database) -> None:
    world = Watching(database)
    await world.look_on(world.watch(), unusual())
    proposal = (await world.proposals())[0]
    steps = [Step(NOON, "dismissed", name, "public_health") for name in ("Pia", "Raj")]
    done = await asyncio.gather(*(world.store.move(proposal.id, {"open"}, "dismissed", each) for each in steps))
    assert sorted(done) == [False, True]


@pytest.mark.parametrize("database_kind", ["sqlite"])
async def test_a_look_that_fails_is_told_and_tried_again_after_a_minute(database: Database) -> None:
    world = Watching(database)
    watch = world.watch()
    world.next = ScreeningFailed("timed_out")
    await watch.step(0.5)
    await watch.step(0)
    assert world.looks == [NOON]
    assert not world.health.works(PART)
    world.clock.move(AGAIN_S)
    await world.look_on(watch)
    assert world.looks == [NOON, NOON]
    assert world.health.works(PART)


@pytest.mark.parametrize("database_kind", ["sqlite"])
async def test_what_failed_here_works_again_when_another_process_has_looked(database: Database) -> None:
    world = Watching(database)
    failed, other = world.watch(), world.watch()
    world.next = ScreeningFailed("timed_out")
    await failed.step(0.5)
    assert not await failed.heal()
    assert not world.health.works(PART)
    await world.look_on(other)
    world.health.failed(PART, "screening_failed")  # each process has a register of its own
    assert await failed.heal()
    assert world.health.works(PART)


@pytest.mark.parametrize("database_kind", ["sqlite"])
async def test_a_service_that_was_away_looks_at_what_is_now(database: Database) -> None:
    world = Watching(database)
    watch = world.watch()
    await world.look_on(watch, after=timedelta(hours=5))
    await world.look_on(watch)
    assert world.looks == [NOON, NOON + timedelta(hours=5)]


@pytest.mark.parametrize("database_kind", ["sqlite"])
async def test_where_nothing_is_counted_any_more_the_part_has_failed_until_a_look_hears_callers_again(
    database: Database,
) -> None:
    world = Watching(database)
    watch = world.watch()
    world.why_not = {NOT_COUNTED: 1, "another reason": 2}
    await world.look_on(watch)
    assert world.health.works(PART)
    world.why_not = {NOT_COUNTED: 3}
    await world.look_on(watch)
    await world.look_on(world.watch())  # another process counts no more
    assert not await watch.heal()
    (part,) = world.health.parts()
    assert (part.name, part.state, part.why) == (PART, "failed", "not_counted")
    world.why_not = {}
    await world.look_on(world.watch())
    world.health.failed(PART, "not_counted")  # each process has a register of its own
    assert await watch.heal()
    assert world.health.works(PART)
