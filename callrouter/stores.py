"""Where live calls are kept: in this process, or in Redis for all workers. Nothing else knows which."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial

from callrouter.settings import Settings
from infra.bus import EventStream, MemoryStream
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


def open_stores(settings: Settings) -> Stores:
    """The stores of these settings; connects when they are first used."""
    if settings.redis_url is None:
        stream = MemoryStream()
        return Stores(MemoryStates(stream), stream, MemoryLeases(), None)
    link = RedisLink(RedisAddress.parse(settings.redis_url.get_secret_value()))
    return Stores(
        RedisStates(link),
        RedisStream(link),
        RedisLeases(link),
        RedisNudges(link),
        link=link,
        ask=partial(link.do, "PING"),
        close=link.close,
    )
