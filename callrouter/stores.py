"""Where live calls are kept: in this process, or in Redis for all workers. Nothing else knows which."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass

from callrouter.settings import Settings
from infra.bus import EventStream, MemoryStream
from infra.degraded import DegradedStates
from infra.errors import StateUnavailable
from infra.lease import Leases, MemoryLeases
from infra.nudges import Nudges
from infra.redis import RedisAddress, RedisLink
from infra.redis_lease import RedisLeases
from infra.redis_nudges import RedisNudges
from infra.redis_state import RedisStates
from infra.redis_stream import RedisStream
from infra.state import CallStates, MemoryStates


async def _nothing() -> None:
    return


@dataclass(frozen=True, slots=True)
class Stores:
    """``nudges`` is None where there is no other process to tell.

    ``trusted``: whether every call is known here now; False while the shared store is away and each process goes on
    with its own calls. ``link`` is None where there is no Redis. ``ask`` fails if the shared store does not answer;
    ``close`` ends the connections.
    """

    states: CallStates
    stream: EventStream
    leases: Leases
    nudges: Nudges | None
    trusted: Callable[[], bool] = lambda: True
    link: RedisLink | None = None
    ask: Callable[[], Awaitable[object]] = _nothing
    close: Callable[[], Awaitable[None]] = _nothing
    run: Callable[[], Coroutine[None, None, None]] = _nothing
    """To be run beside the calls: sees to it that the shared store learns of what happened while it was away."""


def open_stores(settings: Settings) -> Stores:
    """The stores of these settings; connects when they are first used."""
    if settings.redis_url is None:
        own = MemoryStream()
        return Stores(MemoryStates(own), own, MemoryLeases(), None)
    link = RedisLink(RedisAddress.parse(settings.redis_url.get_secret_value()))
    stream = RedisStream(link)
    states = DegradedStates(RedisStates(link), stream, settings.data_dir / "spool")

    async def ask() -> None:
        await link.do("PING")
        if states.degraded:
            raise StateUnavailable("settling")  # it answers, and refused us or has still to learn of something

    async def close() -> None:
        states.close()
        await link.close()

    return Stores(
        states,
        stream,
        RedisLeases(link),
        RedisNudges(link),
        link=link,
        trusted=lambda: not states.degraded,
        ask=ask,
        close=close,
        run=states.run,
    )
