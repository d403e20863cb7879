"""Calls go on while the shared store is away, and it learns of everything when it is back."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest
from distant_store import KEEP_S, SOON_S, World, move, stored

from infra.errors import StateUnavailable
from infra.state import Version


@pytest.fixture
async def world(tmp_path: Path) -> World:
    made = World(tmp_path / "spool")
    await made.stream.join("test")
    return made


async def test_with_a_store_that_answers_nothing_is_kept_here(world: World) -> None:
    async with world.process() as here:
        assert await move(here.states, 1)
        assert await world.distant.read("call") == stored(1)
        assert await world.entries() == [1]
        assert not here.states.degraded
        assert sum(path.stat().st_size for path in world.folder.iterdir()) == 0


async def test_call_goes_on_and_the_store_learns_of_it(world: World) -> None:
    async with world.process() as here:
        await move(here.states, 1)
        world.network.is_cut = True
        assert await here.states.read("call") == stored(1)
        assert await move(here.states, 2)
        assert await move(here.states, 3)
        assert not await move(here.states, 3, epoch=2), "here, too, one commit wins"
        assert await here.states.read("call") == stored(3)
        assert here.states.degraded

        world.network.is_cut = False
        await asyncio.wait_for(here.back.wait(), SOON_S)
        assert await world.distant.read("call") == stored(3)
        assert await world.entries() == [1, 2, 3]
        assert await move(here.states, 4)
        assert await world.distant.read("call") == stored(4)
    assert here.changes == [True, False]
    assert list(world.folder.iterdir()) == [], "nothing is owed"


async def test_call_that_starts_and_ends_meanwhile_is_told(world: World) -> None:
    async with world.process() as here:
        world.network.is_cut = True
        assert await move(here.states, 1)
        assert await move(here.states, 2, ended=True)
        world.network.is_cut = False
        await asyncio.wait_for(here.back.wait(), SOON_S)
        assert await world.entries() == [1, 2]
        assert await world.distant.overdue(late_s=-2 * KEEP_S, limit=9) == []


@pytest.mark.parametrize("more", [False, True], ids=["and nothing more", "and more"])
async def test_commit_whose_answer_was_lost_is_done_once(world: World, more: bool) -> None:
    async with world.process() as here:
        await move(here.states, 1)
        world.network.loses_answers = True
        assert await move(here.states, 2)
        assert here.states.degraded
        world.network.is_cut = True
        if more:
            assert await move(here.states, 3)
        world.network.is_cut = world.network.loses_answers = False
        await asyncio.wait_for(here.back.wait(), SOON_S)

        assert await world.distant.read("call") == stored(3 if more else 2)
        assert await world.entries() == ([1, 2, 3] if more else [1, 2])


async def test_newer_owner_elsewhere_stands_and_no_event_is_lost(world: World) -> None:
    async with world.process() as here:
        await move(here.states, 1)
        world.network.is_cut = True
        await move(here.states, 2)
        world.network.is_cut = False
        taken = stored(2, b"theirs", epoch=2)
        assert await world.distant.commit("call", Version(1, 1), taken, (), keep_s=KEEP_S, due_s=KEEP_S)
        await asyncio.wait_for(here.back.wait(), SOON_S)

        assert await here.states.read("call") == taken
        assert await world.entries() == [1, 2]


async def test_names_given_meanwhile_are_known_and_told(world: World) -> None:
    async with world.process() as here:
        await here.states.name("before", "one", keep_s=KEEP_S)
        world.network.is_cut = True
        assert await here.states.name("before", "two", keep_s=KEEP_S) == "one"
        assert await here.states.name("after", "two", keep_s=KEEP_S) == "two"
        assert await here.states.named("never", "after") == ["two"]
        with pytest.raises(StateUnavailable):
            await here.states.overdue(late_s=0, limit=9)
        world.network.is_cut = False
        await asyncio.wait_for(here.back.wait(), SOON_S)
        assert await world.distant.named("after") == ["two"]


def cut_off(file: Path) -> None:
    """The last line was being written."""
    file.write_bytes(file.read_bytes() + b'\n["call",[1,9],"c2V')


def cut_off_before(file: Path) -> None:
    """The disk was full for a moment."""
    file.write_bytes(b'["call",[1,1],"c2V' + file.read_bytes())


@pytest.mark.parametrize(
    "harm", [lambda file: None, cut_off, cut_off_before], ids=["whole", "cut off", "cut off before"]
)
async def test_what_a_dead_process_owed_is_told_by_the_next(world: World, harm: Callable[[Path], None]) -> None:
    async with world.process() as dead:
        await move(dead.states, 1)
        world.network.is_cut = True
        await move(dead.states, 2)
        await move(dead.states, 3)
    assert await world.entries() == [1]
    (left,) = world.folder.iterdir()
    harm(left)

    async with world.process() as heir:
        assert heir.changes in ([], [True])
        world.network.is_cut = False
        await asyncio.wait_for(heir.back.wait(), SOON_S)
        assert await world.distant.read("call") == stored(3)
        assert await world.entries() == [1, 2, 3]
        assert await world.distant.overdue(late_s=-1, limit=9) == ["call"], "the sweep shall look after it"
    assert list(world.folder.iterdir()) == []


async def test_file_of_a_living_process_is_left_alone(world: World) -> None:
    world.network.is_cut = True
    async with world.process() as one:
        await move(one.states, 1)
        async with world.process() as other:
            world.network.is_cut = False
            await asyncio.wait_for(one.back.wait(), SOON_S)
            assert other.changes == []
    assert await world.entries() == [1]


async def test_one_call_that_is_owed_does_not_hold_up_the_others(world: World) -> None:
    async with world.process() as here:
        world.network.is_cut = True
        first = stored(1)
        for n in range(50):
            assert await here.states.commit(f"call-{n}", None, first, (), keep_s=KEEP_S, due_s=KEEP_S)
        world.network.is_cut = False
        step = 1
        while not here.back.is_set():  # calls that go on all the time
            step += 1
            for n in range(50):
                before = Version(1, step - 1)
                assert await here.states.commit(f"call-{n}", before, stored(step), (), keep_s=KEEP_S, due_s=KEEP_S)
            await asyncio.sleep(0.01)
        assert await world.distant.read("call-49") == stored(step)


async def test_store_that_came_back_older_is_given_what_it_forgot(world: World) -> None:
    async with world.process() as here:
        await move(here.states, 1)
        before = dict(world.distant._calls)
        await move(here.states, 2)
        await move(here.states, 3)
        world.network.is_cut = True
        assert await here.states.read("call") == stored(3)
        world.distant._calls = before  # a replica that had not heard of the last two is the master now
        world.network.is_cut = False
        await asyncio.wait_for(here.back.wait(), SOON_S)

        assert await world.distant.read("call") == stored(3)
        batch = await world.stream.read("test", limit=99, wait_s=0)
        assert [each.seq for _, each in batch] == [1, 2, 3, 2, 3], "their events, too"
