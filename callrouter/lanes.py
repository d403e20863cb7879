"""One call's way through the door, and a move on it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from callrouter import events as ev
from callrouter.model import CallRecord, Reply


@dataclass(slots=True)
class Lane:
    """One call's way through the door: one input at a time; a hang-up overtakes a look-up.

    ``hung_up`` is done once there is one: a future, for whom a look-up waits without a task.
    """

    lock: asyncio.Lock
    hung_up: asyncio.Future[None]
    users: int = 0


@dataclass(frozen=True, slots=True)
class Moved:
    """A move that is worked out and not yet committed."""

    record: CallRecord
    events: tuple[ev.Event, ...]
    reply: Reply
    leaves: bool = False
    """Whether the caller needs nobody any more. Dispatch is told after the commit: a stale owner's never lands."""
