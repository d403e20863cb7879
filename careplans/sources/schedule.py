"""Sources by schedule: each in its own time, by one process at a time; one that fails stops no other."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta

import structlog

from careplans.errors import CarePlanError
from careplans.sources.errors import SourceUnreachable
from careplans.sources.model import Batch, Delivered, PlanSource, Sender
from careplans.sources.runs import PlanRuns
from infra.clock import Clock
from infra.health import Health
from infra.lease import Leases
from infra.loops import repeat, until_next

log = structlog.get_logger()

LEASE_S = 60.0
"""Renewed with each batch: far longer than any takes; after the death of its holder a source waits so long."""


class _Held:
    """A source that is read only while its lease holds."""

    def __init__(self, source: PlanSource, leases: Leases, name: str, holder: str) -> None:
        self._source = source
        self._leases = leases
        self._name = name
        self._holder = holder

    async def read(self, cursor: str) -> AsyncIterator[Batch]:
        async for batch in self._source.read(cursor):
            if not await self._leases.hold(self._name, self._holder, LEASE_S):
                raise SourceUnreachable("another process has taken the source over")
            yield batch


class Exclusive:
    """Runs a source in one process at a time."""

    def __init__(self, runs: PlanRuns, leases: Leases) -> None:
        self._runs = runs
        self._leases = leases

    async def run(self, sender: Sender, source: PlanSource) -> list[Delivered] | None:
        """As :meth:`PlanRuns.run`; None, and nothing was done, while another runs this source."""
        async with self._lease(f"plans-{sender.name}") as lease:
            if lease is None:
                return None
            return await self._runs.run(sender, _Held(source, self._leases, *lease))

    @asynccontextmanager
    async def _lease(self, name: str) -> AsyncIterator[tuple[str, str] | None]:
        holder = secrets.token_hex(8)
        if not await self._leases.hold(name, holder, LEASE_S):
            yield None
            return
        try:
            yield name, holder
        finally:
            await self._leases.release(name, holder)


LOOK_S = 60.0
"""Between looks at whether a run of a sender who posts is held."""


@dataclass(slots=True)
class Scheduled:
    """One source and its times; ``due_s``, ``looked_s`` on the monotonic clock.

    Without ``source`` it posts by itself, when it likes. ``by_delivery``: it is fresh while something came in
    time, not while it could be looked at.
    """

    sender: Sender
    source: PlanSource | None = None
    every_s: float = LOOK_S
    fresh_for: timedelta | None = None
    by_delivery: bool = False
    due_s: float = 0.0
    looked_s: float = 0.0


class Schedule:
    """The sources that are read by themselves. The state of each stands in the register of health."""

    def __init__(
        self, sources: Sequence[Scheduled], exclusive: Exclusive, runs: PlanRuns, clock: Clock, health: Health
    ) -> None:
        self._sources = sources
        self._exclusive = exclusive
        self._runs = runs
        self._clock = clock
        self._health = health
        self._running: dict[str, asyncio.Task[None]] = {}

    async def run(self) -> None:
        """Read each source in its own time, until cancelled."""
        try:
            await repeat("plan sources", self.step, full=1)
        finally:
            running = list(self._running.values())
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)

    async def step(self, wait_s: float) -> int:
        """Begin with every source that is due; wait for what runs, ``wait_s`` at most. A slow one goes on meanwhile."""
        now = self._clock.monotonic()
        for each in self._sources:
            name = each.sender.name
            if name in self._running:
                if each.looked_s + LOOK_S <= now:
                    each.looked_s = now
                    await self._tell_if_wrong(each)
            elif each.due_s <= now:
                each.looked_s = now
                self._running[name] = asyncio.create_task(self._one(each))
        if self._running:
            await asyncio.wait(self._running.values(), timeout=wait_s)
            self._running = {name: task for name, task in self._running.items() if not task.done()}
        else:
            await asyncio.sleep(until_next(wait_s))
        return 0

    async def _one(self, each: Scheduled) -> None:
        try:
            if each.source is not None:
                await self._exclusive.run(each.sender, each.source)
            wrong = await self._wrong(each)
        except Exception as error:  # noqa: BLE001 - one source's failure is no other's
            self._failed(each, error)
        else:
            if wrong:
                self._health.failed(_part(each), wrong)
            else:
                self._health.ok(_part(each))
        finally:
            each.due_s = self._clock.monotonic() + each.every_s

    async def _tell_if_wrong(self, each: Scheduled) -> None:
        """Of a source that is still being read: it may take hours, and be stale by then."""
        try:
            if wrong := await self._wrong(each):
                self._health.failed(_part(each), wrong)
        except Exception as error:  # noqa: BLE001 - as above
            self._failed(each, error)

    def _failed(self, each: Scheduled, error: Exception) -> None:
        if isinstance(error, CarePlanError):
            log.warning("plan_source_failed", source=each.sender.name, error=error.error_id)
            self._health.failed(_part(each), error.error_id)
        else:
            log.error("plan_source_failed", source=each.sender.name, error=type(error).__name__)
            self._health.failed(_part(each), type(error).__name__)

    async def _wrong(self, each: Scheduled) -> str:
        """Why a person must see to a source that can be read; empty if nobody must."""
        if await self._runs.held(each.sender.name):
            return "run_held"
        if each.fresh_for is None:
            return ""
        last = self._runs.delivered_at if each.by_delivery else self._runs.read_at
        fresh_at = await last(each.sender.name)
        return "stale" if fresh_at is None or self._clock.now() - fresh_at > each.fresh_for else ""


def _part(each: Scheduled) -> str:
    return f"plan-source:{each.sender.name}"
