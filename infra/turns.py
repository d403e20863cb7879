"""Work that nobody waits for gives way to callers: piece by piece, one at a time, between their events.

An event loop takes up what is ready in the order in which it came: a caller's event waits behind every reader of the
stream that has just got an answer from its database, and so does each of the event's own steps.

What has a time limit, or holds what a caller's step waits for, is one piece (:func:`in_one_piece`): a wait for a turn
within would look like an outage of what had long answered, or keep a connection and locks from callers.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Generator, Iterator
from contextlib import asynccontextmanager, contextmanager
from contextvars import ContextVar
from inspect import GEN_CREATED, getgeneratorstate
from typing import Any, TypeVar

LONGEST_S = 0.05
"""Longest that all work stands still for callers. Then it goes on for as long, a piece at a time, as if nobody were
there, and callers have as long again: where neither leaves a gap each gets half of the time, and what is counted is
late, but never stops. One piece of many that wait may wait longer: behind those that have waited longer still."""

T = TypeVar("T")

_gives_way: ContextVar[Turns | None] = ContextVar("_gives_way", default=None)
"""Of work that gives way, and is not doing something for a caller: to whom."""


class Turns:
    """Who goes on next in one event loop.

    :meth:`caller` stands around what a caller waits for, :meth:`giving_way` around what nobody does.
    """

    def __init__(self, longest_s: float = LONGEST_S) -> None:
        self._longest_s = longest_s
        self._callers = 0
        self._waiting: deque[tuple[float, asyncio.Future[None]]] = deque()  # since when, the oldest first
        self._taken = False  # by a piece of work, until the loop has looked for events again
        self._free_until = float("-inf")
        self._timer: asyncio.TimerHandle | None = None

    @contextmanager
    def caller(self) -> Iterator[None]:
        """While this lasts, a caller waits for it."""
        self._callers += 1
        before = _gives_way.set(None)
        try:
            yield
        finally:
            _gives_way.reset(before)
            self._callers -= 1
            self._next()

    async def at_once(self, work: Callable[[], Awaitable[T]]) -> T:
        """What ``work`` returns or raises; meanwhile a caller waits for it."""
        with self.caller():
            return await work()

    def giving_way(self, work: Coroutine[Any, Any, T]) -> Coroutine[Any, Any, T]:
        """``work``, to be run as a task: each time that it could go on after a wait, it waits for its turn, too.

        What it does for a caller (:meth:`caller`) or :func:`in_one_piece` goes on at once; so do tasks that it makes,
        but with :func:`alike`.
        """
        return _GivingWay(work, self)

    def turn(self) -> Generator[Any, Any, None]:
        """Wait until this piece of work may go on: after those that have waited for longer."""
        if _gives_way.get() is None:
            return
        if self._waiting or self._is_closed():
            since, enqueue = asyncio.get_running_loop().time(), self._waiting.append
            while True:
                turn = asyncio.get_running_loop().create_future()
                enqueue((since, turn))
                self._watch()
                try:
                    yield from turn
                except BaseException:
                    self._next()  # cancelled: were it its turn, it is now another's
                    raise
                if not self._is_closed():
                    break
                enqueue = self._waiting.appendleft  # a caller was quicker
        self._taken = True
        asyncio.get_running_loop().call_soon(self._give_back)

    def _is_closed(self) -> bool:
        return self._taken or (self._callers > 0 and asyncio.get_running_loop().time() >= self._free_until)

    def _give_back(self) -> None:
        self._taken = False
        self._next()

    def _next(self) -> None:
        while self._waiting and not self._is_closed():
            _, turn = self._waiting.popleft()
            if not turn.done():  # cancelled with its task
                turn.set_result(None)
                break
        self._watch()

    def _watch(self) -> None:
        """See to it that the work does not stand still for too long."""
        if self._waiting and self._timer is None:
            self._timer = asyncio.get_running_loop().call_at(self._let_go_at(), self._let_go)

    def _let_go_at(self) -> float:
        """Since when the oldest waits, or else callers have had the loop, and the longest after it."""
        return max(self._waiting[0][0], self._free_until) + self._longest_s

    def _let_go(self) -> None:
        self._timer = None
        now = asyncio.get_running_loop().time()
        if self._waiting and now >= self._let_go_at():
            self._free_until = now + self._longest_s
        self._next()


@asynccontextmanager
async def in_one_piece() -> AsyncIterator[None]:
    """What gives way does not within: it goes on as soon as it can, and waits for its turn afterwards."""
    if (turns := _gives_way.get()) is None:
        yield
        return
    _gives_way.set(None)
    try:
        yield
    finally:
        _gives_way.set(turns)
    await asyncio.sleep(0)  # the wait after which it must have its turn


@asynccontextmanager
async def within(seconds: float) -> AsyncIterator[None]:
    """As :func:`asyncio.timeout`, :func:`in_one_piece`: no wait for a turn counts. Raises TimeoutError."""
    async with in_one_piece(), asyncio.timeout(seconds):
        yield


def alike(work: Coroutine[Any, Any, T]) -> Coroutine[Any, Any, T]:
    """``work``, to be run as a task: it gives way if whoever makes the task does so now."""
    turns = _gives_way.get()
    return work if turns is None else turns.giving_way(work)


class _GivingWay(Coroutine[Any, Any, T]):
    def __init__(self, work: Coroutine[Any, Any, T], turns: Turns) -> None:
        self._work = work
        self._pieces = _pieces(work, turns)

    def send(self, value: Any) -> Any:
        return self._pieces.send(value)

    def throw(self, *error: Any) -> Any:
        if getgeneratorstate(self._pieces) == GEN_CREATED:  # cancelled before it began
            self._work.close()
        return self._pieces.throw(*error)

    def close(self) -> None:
        self._pieces.close()
        self._work.close()

    def __await__(self) -> Generator[Any, Any, T]:
        return self._pieces


def _pieces(work: Coroutine[Any, Any, T], turns: Turns) -> Generator[Any, Any, T]:
    _gives_way.set(turns)
    answer: Any = None
    error: BaseException | None = None
    while True:
        try:
            awaited = work.send(answer) if error is None else work.throw(error)
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]
        answer = error = None
        try:
            answer = yield awaited
            yield from turns.turn()
        except BaseException as raised:  # noqa: BLE001 - the work's own to handle: it was cancelled, or failed
            error = raised
