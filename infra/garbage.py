"""When a process that callers wait for looks for garbage.

Nearly all that a call makes goes when nobody holds it any more; what holds itself in a circle has to be looked for. A
look stops the process: Python's own takes 0.3 to 3 ms nearly once a call and, through all that there is, some 25 ms
once in a hundred calls (docs/bench.md).
"""

from __future__ import annotations

import asyncio
import gc
from itertools import count

AT_THE_LATEST = (50_000, 20, 50)
"""New objects, less those gone, after which Python looks by itself, whoever is on the line: by default 700, 10, 10."""

EVERY_S = 1.0
ALL_AFTER = 600
"""Looks until the next one through everything."""


def seldom() -> None:
    """Pass over what stands now for ever, and let Python look by itself far less often than by default."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*AT_THE_LATEST)


async def looking(every_s: float = EVERY_S) -> None:
    """Look every second for what is new, every ten minutes for all, until cancelled: work that gives way to callers."""
    for look in count(1):
        await asyncio.sleep(every_s)
        gc.collect(2 if look % ALL_AFTER == 0 else 1)
