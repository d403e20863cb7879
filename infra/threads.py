"""Threads for work that blocks: handed over and back in one hop each way, or with a loop of its own."""

from __future__ import annotations

import asyncio
import contextlib
import queue
import threading
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")
_Job = tuple[Callable[[], Any], "asyncio.Future[Any]"]


class Threads:
    """``count`` threads that take their work from one queue, in the order in which it came.

    Half the CPU of ``concurrent.futures`` for a short piece of work on an idle machine: it locks less and wakes
    fewer threads. The threads start with the first work and end with :meth:`close`.
    """

    def __init__(self, name: str, count: int) -> None:
        self._name = name
        self._count = count
        self._queue: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._threads: list[threading.Thread] = []

    def run(self, work: Callable[[], T]) -> asyncio.Future[T]:
        """A future of what ``work`` returns or raises. Cancelled before its turn, it is never begun; else it ends."""
        if not self._threads:
            self._start()
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._queue.put((work, future))
        return future

    async def close(self) -> None:
        """Finish what was handed over, and end the threads."""
        ending, self._threads = self._threads, []
        for _ in ending:
            self._queue.put(None)
        for thread in ending:
            await asyncio.to_thread(thread.join)

    def _start(self) -> None:
        for number in range(self._count):
            thread = threading.Thread(target=self._work, name=f"{self._name}-{number}", daemon=True)
            self._threads.append(thread)
            thread.start()

    def _work(self) -> None:
        while (job := self._queue.get()) is not None:
            work, future = job
            if not future.cancelled():
                _do(work, future)


def _do(work: Callable[[], Any], future: asyncio.Future[Any]) -> None:
    loop = future.get_loop()
    result: Any = None
    failure: BaseException | None = None
    try:
        result = work()
    except BaseException as error:  # noqa: BLE001 - it belongs to whoever waits for the future
        failure = error
    with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
        loop.call_soon_threadsafe(_settle, future, result, failure)


def _settle(future: asyncio.Future[Any], result: Any, error: BaseException | None) -> None:
    if future.done():  # cancelled meanwhile
        return
    if error is None:
        future.set_result(result)
    else:
        future.set_exception(error)


async def run_apart(work: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """What the coroutine of ``work`` returns or raises, run by a loop of its own in a thread of its own.

    So nobody's loop waits for what it computes between its waits. Cancelled, it is cancelled there, and has ended.
    """
    outer = asyncio.get_running_loop()
    begun: asyncio.Future[Callable[[], object]] = outer.create_future()

    async def inner() -> T:
        loop, task = asyncio.get_running_loop(), asyncio.ensure_future(work())
        outer.call_soon_threadsafe(begun.set_result, lambda: loop.call_soon_threadsafe(task.cancel))
        return await task

    threads = Threads("apart", 1)
    running = threads.run(lambda: asyncio.run(inner()))
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        cancel = await begun
        with contextlib.suppress(RuntimeError):  # its loop has closed: it has ended by itself
            cancel()
        await asyncio.wait([running])
        if not running.cancelled():
            running.exception()  # nobody asks for it any more
        raise
    finally:
        await threads.close()
