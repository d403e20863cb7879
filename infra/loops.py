"""Work that goes on for as long as the service runs, and never dies of one failure."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

from infra.failing import Failing
from infra.lease import Lease

WAIT_S = 1.0  # longest that one step waits for new work, so that a stop is noticed soon
GATHER_S = 0.25  # after some work: what comes within this time is done together, in one transaction
UNHURRIED_S = 1.0  # the same for work whose result nobody looks at within a second
STANDBY_S = 1.0  # between two tries at a lease that another process holds
_FIRST_PAUSE_S = 0.1
_LONGEST_PAUSE_S = 5.0
_BEGUN = time.monotonic()  # of this process: several do not ask one database at the same instants


def until_next(period_s: float) -> float:
    """Seconds to sleep for work that is done every ``period_s``: until the process' next multiple of it.

    Whatever has the same period, or a multiple of it, then wakes at once. A processor that has just woken for one piece
    of work does the next for a fifth of what it costs when others have had the caches meanwhile (docs/bench.md).
    A multiple that is less than a tenth of the period away is passed over: a timer may ring a little early. 0 stays 0.
    """
    if period_s == 0:
        return 0
    left = period_s - (time.monotonic() - _BEGUN) % period_s
    return left if left > period_s / 10 else left + period_s


async def repeat(
    name: str,
    step: Callable[[float], Awaitable[int]],
    *,
    full: int,
    gather_s: float = GATHER_S,
    lease: Lease | None = None,
    lost: Callable[[], None] = lambda: None,
) -> None:
    """Call ``step(wait_s)`` again and again until cancelled; after a failure a little later, and later.

    A step waits for work, at most about a second, does at most ``full`` pieces of it, and returns how many. One that
    was full, or waited in vain, is called again at once; else work is left to gather for ``gather_s``, which costs less
    than a turn for every piece. With a ``lease`` the step is called only while this process holds it, and
    ``lost`` at each try that finds another with it, and when it is cancelled: what only who does the work can know is
    not known here any more.

    After a failure the lease is given back: another process may be able to do what this one cannot.
    A failure is told as :class:`infra.failing.Failing` says.

    Readers do not gather until one instant (:func:`until_next`): a caller's event would wait behind them all.
    """
    pause = _FIRST_PAUSE_S
    failing = Failing("loop_failed", "loop_goes_again", loop=name)
    try:
        while True:
            try:
                if lease is not None and not await lease.hold():
                    lost()
                    failing.goes()
                    await asyncio.sleep(until_next(STANDBY_S))
                    continue
                begun = time.monotonic()
                done = await step(WAIT_S)
                pause = _FIRST_PAUSE_S
                failing.goes()
                waited = not done and time.monotonic() - begun >= GATHER_S
                await asyncio.sleep(0 if waited or done >= full else gather_s)
            except Exception as error:  # noqa: BLE001 - the reader must outlive whatever one batch does to it
                failing.failed(error, pause)
                if lease is not None:  # what fails here may go elsewhere
                    await lease.release()
                await asyncio.sleep(pause)
                pause = min(_LONGEST_PAUSE_S, pause * 2)
    finally:
        lost()
        if lease is not None:
            await lease.release()
