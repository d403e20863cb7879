"""Work behind the calls gives way to callers, one piece at a time, and never stops for them."""

from __future__ import annotations

import asyncio
from functools import partial
from itertools import pairwise

import pytest

from infra.turns import Turns, alike, in_one_piece, within

SOON_S = 30.0
NEVER_S = 3600.0


async def pieces(name: str, count: int, done: list[str]) -> str:
    for number in range(count):
        await asyncio.sleep(0)
        done.append(f"{name}{number}")
    return name


async def turns_of_the_loop(count: int) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def test_no_piece_goes_on_while_a_caller_waits() -> None:
    turns, done = Turns(NEVER_S), list[str]()
    working = asyncio.create_task(turns.giving_way(pieces("a", 3, done)))
    with turns.caller():
        await turns_of_the_loop(50)
        assert done == []
        with turns.caller():  # a second caller's event, over before the first one's
            await turns_of_the_loop(5)
        await turns_of_the_loop(50)
        assert done == []
    assert await asyncio.wait_for(working, SOON_S) == "a"
    assert done == ["a0", "a1", "a2"]


async def test_a_caller_who_comes_does_not_wait_for_all_that_are_ready() -> None:
    turns, done = Turns(NEVER_S), list[str]()
    ready, over = asyncio.Event(), asyncio.Event()

    async def reader(name: str) -> None:
        await ready.wait()
        done.append(name)
        if name == "a":
            tasks.append(asyncio.create_task(event()))

    async def event() -> None:
        with turns.caller():
            await turns_of_the_loop(20)
            done.append("caller")
            await over.wait()

    tasks = [asyncio.create_task(turns.giving_way(reader(name))) for name in "abcd"]
    await asyncio.sleep(0)
    ready.set()
    await turns_of_the_loop(50)
    assert done == ["a", "caller"]
    over.set()
    await asyncio.wait_for(asyncio.gather(*tasks), SOON_S)
    assert done == ["a", "caller", "b", "c", "d"], "in the order in which they could have gone on"


async def test_callers_who_leave_no_gap_do_not_stop_it() -> None:
    turns, done = Turns(0.001), list[str]()
    with turns.caller():
        working = [asyncio.create_task(turns.giving_way(pieces(name, 200, done))) for name in "ab"]
        await asyncio.wait_for(asyncio.gather(*working), SOON_S)
    assert len(done) == 400


async def test_what_it_does_for_a_caller_waits_for_nobody() -> None:
    turns, done = Turns(NEVER_S), list[str]()

    async def moves_a_call() -> None:
        with turns.caller():
            await pieces("call", 2, done)

    with turns.caller():
        await asyncio.wait_for(asyncio.create_task(turns.giving_way(moves_a_call())), SOON_S)
    assert done == ["call0", "call1"]


async def test_it_can_be_cancelled_whatever_it_waits_for() -> None:
    turns, done = Turns(NEVER_S), list[str]()
    before = asyncio.create_task(turns.giving_way(pieces("before its begin", 1, done)))
    before.cancel()
    asleep = asyncio.create_task(turns.giving_way(asyncio.sleep(NEVER_S)))
    with turns.caller():
        waiting = asyncio.create_task(turns.giving_way(pieces("a", 1, done)))
        next_one = asyncio.create_task(turns.giving_way(pieces("b", 1, done)))
        await turns_of_the_loop(5)
        waiting.cancel()
        asleep.cancel()
        for each in (before, waiting, asleep):
            with pytest.raises(asyncio.CancelledError):
                await each
    await asyncio.wait_for(next_one, SOON_S)
    assert done == ["b0"]


async def test_its_result_error_and_time_limits_are_its_own() -> None:
    turns = Turns(NEVER_S)

    async def fails() -> None:
        await asyncio.sleep(0)
        raise KeyError("its own")

    async def gives_up() -> str:
        try:
            async with asyncio.timeout(0.001):
                await asyncio.Event().wait()
        except TimeoutError:
            return "gave up"
        return ""

    with pytest.raises(KeyError, match="its own"):
        await asyncio.create_task(turns.giving_way(fails()))
    assert await asyncio.create_task(turns.giving_way(gives_up())) == "gave up"


async def test_tasks_made_alike_give_way_as_whoever_makes_them() -> None:
    turns, done = Turns(NEVER_S), list[str]()

    async def of_a_reader() -> None:
        await asyncio.gather(alike(pieces("reader", 1, done)))

    async def of_a_caller() -> None:
        with turns.caller():
            await asyncio.gather(alike(pieces("caller", 1, done)))

    with turns.caller():
        working = asyncio.create_task(turns.giving_way(of_a_reader()))
        await asyncio.wait_for(asyncio.create_task(turns.giving_way(of_a_caller())), SOON_S)
        await turns_of_the_loop(50)
        assert done == ["caller0"]
    await asyncio.wait_for(working, SOON_S)
    assert done == ["caller0", "reader0"]


async def test_what_is_one_piece_goes_on_and_waits_for_its_turn_afterwards() -> None:
    turns, done = Turns(NEVER_S), list[str]()

    async def reader() -> None:
        async with in_one_piece():
            await pieces("asked", 3, done)
        done.append("went on")

    with turns.caller():
        working = asyncio.create_task(turns.giving_way(reader()))
        await turns_of_the_loop(50)
        assert done == ["asked0", "asked1", "asked2"]
    await asyncio.wait_for(working, SOON_S)
    assert done[-1] == "went on"


async def test_a_time_limit_counts_no_wait_for_a_turn() -> None:
    turns = Turns(NEVER_S)

    async def asks(limit: float) -> str:
        async with within(limit):
            await asyncio.sleep(0)
        return "answered"

    with turns.caller():
        asking = asyncio.create_task(turns.giving_way(asks(0.2)))
        await asyncio.sleep(0.3)
        assert not asking.done()
    assert await asyncio.wait_for(asking, SOON_S) == "answered"
    with pytest.raises(TimeoutError):
        async with within(0.001):
            await asyncio.Event().wait()


class TickingLoop(asyncio.SelectorEventLoop):
    """A loop by whose clock a millisecond passes whenever it is looked at."""

    now = 0.0

    def time(self) -> float:
        self.now += 0.001
        return self.now


def test_between_two_spells_of_work_callers_have_as_long() -> None:
    went_on = list[float]()

    async def works() -> None:
        for _ in range(100):
            await asyncio.sleep(0)
            went_on.append(loop.time())

    async def all_of_them() -> None:
        turns = Turns(0.1)
        looking = asyncio.create_task(turns_of_the_loop(10**6))  # the loop never sleeps
        with turns.caller():
            await asyncio.gather(*(asyncio.create_task(turns.giving_way(works())) for _ in range(10)))
        looking.cancel()

    with asyncio.Runner(loop_factory=TickingLoop) as runner:
        loop = runner.get_loop()
        runner.run(all_of_them())
    still = sum(later - one for one, later in pairwise(went_on) if later - one > 0.08)
    assert 0.4 < still / (went_on[-1] - went_on[0]) < 0.6


async def test_a_turn_that_comes_to_one_who_has_just_been_cancelled_is_the_next_ones() -> None:
    turns, done = Turns(NEVER_S), list[str]()
    with turns.caller():
        first, second = (asyncio.create_task(turns.giving_way(pieces(name, 1, done))) for name in "ab")
        await turns_of_the_loop(5)
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    await asyncio.wait_for(second, SOON_S)
    assert done == ["b0"]


async def test_what_is_cancelled_before_it_begins_for_a_caller_leaves_nothing() -> None:
    turns, done = Turns(NEVER_S), list[str]()
    never = asyncio.create_task(turns.at_once(partial(pieces, "never", 1, done)))
    never.cancel()
    with pytest.raises(asyncio.CancelledError):
        await never
    await asyncio.wait_for(asyncio.create_task(turns.giving_way(pieces("a", 1, done))), SOON_S)
    assert done == ["a0"]
