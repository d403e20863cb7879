"""Where live calls are kept: in this process, or in Redis for all workers. Nothing else knows which."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from callrouter.settings import Settings
from infra.bus import EventStream, MemoryStream
from infra.lease import Leases, MemoryLeases
from infra.nudges import Nudges
from infra.state import CallStates, MemoryStates


@dataclass(frozen=True, slots=True)
class Stores:
    """``nudges`` is None where there is no other process to tell.

    ``trusted``: whether every call is known here now; False while the shared store is away and each process goes on
    with its own calls.
    """

    states: CallStates
    stream: EventStream
    leases: Leases
    nudges: Nudges | None
    trusted: Callable[[], bool] = lambda: True


def open_stores(settings: Settings) -> Stores:
    """The stores of these settings."""
    del settings
    stream = MemoryStream()
    return Stores(MemoryStates(stream), stream, MemoryLeases(), None)
