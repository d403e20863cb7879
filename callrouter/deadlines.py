"""Timers are data: a wait carries its deadline, and whoever owns the call arms it on a monotonic clock.

The record says when its wait is due by the wall clock, so that the next owner re-arms only what is left. A wall
clock may jump; what is left is therefore never less than a moment and never more than the whole deadline.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

from msgspec.structs import replace

from callrouter.model import CallRecord, Input, InputKind
from infra.clock import Clock
from ivr.model import End, GatherWait, OfferWait, PlaybackWait

LEAST_LEFT_S = 2.0
"""What a new owner leaves of a deadline at least: the caller hears the wait's prompt again first."""

NETWORK_TIMES_S = 120.0
"""Longest that a network may take over a prompt and a gather, which it times itself."""

LONGEST_CALL_S = 4 * 3600.0 + 600.0
"""Longest talk that the network allows (4 h), and a margin: what is not over then was lost."""

LOOK_AGAIN_S = 60.0
"""How often a call without a deadline is looked for, where its network can be asked; and how long a network that was
told to hang up may take to say that it has."""

SILENT_HOLD_S = 40.0
"""A network whose held callers ask again every ten seconds has lost one of whom it was so long silent."""


def with_due_time(before: CallRecord | None, after: CallRecord, now: datetime) -> CallRecord:
    """The record with the time at which its wait is due; a wait that only changed its owner keeps its time."""
    if before is not None and after.wait_id == before.wait_id:
        return after
    deadline_s = after.session.wait.deadline_s
    if not deadline_s or after.ended is not None:
        return replace(after, due_at=None)
    due_at = now + timedelta(seconds=deadline_s)
    if before is not None and before.due_at is not None and after.session is before.session:
        due_at = min(due_at, max(before.due_at, now + timedelta(seconds=LEAST_LEFT_S)))
    return replace(after, due_at=due_at)


def watched_s(record: CallRecord, now: datetime) -> float | None:
    """Seconds until somebody must have moved the call, owner or not; None for one that is over."""
    if record.ended is not None:
        return None
    wait = record.session.wait
    if record.due_at is None:
        return LOOK_AGAIN_S if record.edge or was_told_to_end(record) else LONGEST_CALL_S
    left = (record.due_at - now).total_seconds()
    if isinstance(wait, OfferWait) and not record.edge:
        return min(left, SILENT_HOLD_S)
    return left + NETWORK_TIMES_S if isinstance(wait, GatherWait | PlaybackWait) else left


def was_told_to_end(record: CallRecord) -> bool:
    """Whether the network was told to hang up, and has only to say that it has."""
    return any(isinstance(each, End) for each in record.session.present)


class Deadlines:
    """The armed timers of one process. ``ring`` gives the timer's input to the door, and has it performed."""

    def __init__(self, clock: Clock, ring: Callable[[str, Input], Awaitable[object]]) -> None:
        self._clock = clock
        self._ring = ring
        self._timers: dict[str, tuple[str, asyncio.TimerHandle]] = {}
        self._tasks: set[asyncio.Task[object]] = set()

    def arm(self, record: CallRecord) -> None:
        """Arm the present wait's deadline, once; a wait that goes on keeps its timer.

        Armed in several processes it rings in each, with the same key: the door answers the second as the first.
        """
        wait_id, timer = self._timers.get(record.call_ref, ("", None))
        if wait_id == record.wait_id and record.ended is None:
            return
        if timer is not None:
            timer.cancel()
            del self._timers[record.call_ref]
        deadline_s = record.session.wait.deadline_s
        if record.ended is not None or record.due_at is None or not deadline_s:
            return
        left_s = (record.due_at - self._clock.now()).total_seconds()
        left_s = min(deadline_s, max(left_s, min(LEAST_LEFT_S, deadline_s)))
        ring = asyncio.get_running_loop().call_later(left_s, self._due, record.call_ref, record.wait_id)
        self._timers[record.call_ref] = (record.wait_id, ring)

    def _due(self, call_ref: str, wait_id: str) -> None:
        self._timers.pop(call_ref, None)
        task = asyncio.ensure_future(self._ring(call_ref, timer_input(wait_id, self._clock.now())))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """Stop every timer."""
        for _, timer in self._timers.values():
            timer.cancel()
        self._timers.clear()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


def timer_input(wait_id: str, at: datetime) -> Input:
    """What the deadline of a wait says when it has passed: the same input, whoever noticed."""
    return Input(f"timer.{wait_id}", InputKind.TIMER, at, wait_id, epoch=0)
