"""Work handed to threads comes back in order, with its result or its error."""

from __future__ import annotations

import asyncio
import threading

import pytest

from infra.threads import Threads


async def test_results_and_errors_come_back() -> None:
    threads = Threads("test", 2)
    assert await threads.run(lambda: 42) == 42
    with pytest.raises(ZeroDivisionError):
        await threads.run(lambda: 1 // 0)
    assert await threads.run(threading.get_ident) != threading.get_ident()
    await threads.close()


async def test_one_thread_does_its_work_in_order_and_to_the_end() -> None:
    threads, done = Threads("test", 1), list[int]()
    for number in range(100):
        threads.run(lambda number=number: done.append(number))  # type: ignore[misc]
    await threads.close()
    assert done == list(range(100))


async def test_they_end_when_they_are_closed_and_start_again_when_needed() -> None:
    before = threading.active_count()
    threads = Threads("closing", 3)
    assert threading.active_count() == before
    await threads.run(lambda: None)
    await threads.close()
    assert not [each for each in threading.enumerate() if each.name.startswith("closing")]
    assert await threads.run(lambda: 1) == 1
    await threads.close()


def test_work_that_outlives_its_loop_harms_nobody() -> None:
    threads, let_go, ended = Threads("test", 1), threading.Event(), threading.Event()

    def work() -> None:
        let_go.wait(30)
        ended.set()

    async def leave() -> None:
        threads.run(work)

    asyncio.run(leave())
    let_go.set()
    assert ended.wait(30)

    async def again() -> int:
        result = await threads.run(lambda: 1)
        await threads.close()
        return result

    assert asyncio.run(again()) == 1
