"""Work that goes on for as long as the service runs, and never dies of one failure."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import structlog

log = structlog.get_logger()

WAIT_S = 1.0  # longest that one step waits for new work, so that a stop is noticed soon
_FIRST_PAUSE_S = 0.1
_LONGEST_PAUSE_S = 5.0


async def repeat(name: str, step: Callable[[float], Awaitable[int]]) -> None:
    """Call ``step(wait_s)`` again and again until cancelled; after a failure a little later, and later.

    A step returns how much work it did. One that did none returns only after its wait, or pauses here.
    """
    pause = _FIRST_PAUSE_S
    while True:
        try:
            done = await step(WAIT_S)
            pause = _FIRST_PAUSE_S
            await asyncio.sleep(0 if done else 0.02)
        except Exception as error:  # noqa: BLE001 - the reader must outlive whatever one batch does to it
            log.error("loop_failed", loop=name, error=type(error).__name__, again_in_s=pause)
            await asyncio.sleep(pause)
            pause = min(_LONGEST_PAUSE_S, pause * 2)
