"""What goes on behind the audit: late entries entered, the end of the chain signed each minute and kept elsewhere."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta

from careplans.access.ports import Governance, GovernanceNotice
from careplans.audit.heads import HeadKeeper, HeadSigner
from careplans.audit.trail import AuditTrail
from careplans.audit.verify import ChainBroken, keep_head, next_head
from infra.clock import Clock
from infra.health import Health
from infra.loops import until_next
from infra.sql import Database

LATE = "audit_entries"
HEADS = "audit_heads"
"""The audit as two parts of the service: alerts and ``doctor`` know it by these names."""
SIGN_EVERY = timedelta(minutes=1)


class LateEntries:
    """Brings spooled entries of this process into the chain, and tells information governance that there were some."""

    def __init__(self, trail: AuditTrail, governance: Governance, clock: Clock, health: Health) -> None:
        self._trail = trail
        self._governance = governance
        self._clock = clock
        self._health = health

    async def step(self, wait_s: float) -> int:
        """Enter what waits; returns how many entries that was. While some wait, or the spool cannot be kept
        on disk, the part is failing.
        """
        await asyncio.sleep(until_next(wait_s))
        if self._trail.some_wait:
            self._health.failed(LATE, "entries_wait")
        done = await self._trail.settle()
        if self._trail.spool_is_safe:
            self._health.ok(LATE)
        else:
            self._health.failed(LATE, "spool_not_on_disk")
        late = self._trail.untold
        if late is not None and await self._governance.tell(
            GovernanceNotice("audit_late", late.entry, self._clock.now())
        ):
            self._trail.told()
        return done


class HeadLoop:
    """Signs the end of the chain each minute, if it moved, here and in every keeper. One process does it."""

    def __init__(
        self, database: Database, signer: HeadSigner, keepers: Sequence[HeadKeeper], clock: Clock, health: Health
    ) -> None:
        self._database = database
        self._signer = signer
        self._keepers = keepers
        self._clock = clock
        self._health = health
        self._next: datetime | None = None

    async def step(self, wait_s: float) -> int:
        """Sign if a minute has passed. Raises whatever went wrong, after the part has been called failing."""
        await asyncio.sleep(until_next(wait_s))
        now = self._clock.now()
        if self._next is not None and now < self._next:
            return 0
        try:
            await self.sign(now)
        except Exception as error:
            self._health.failed(HEADS, "chain_broken" if isinstance(error, ChainBroken) else type(error).__name__)
            raise
        self._health.ok(HEADS)
        self._next = now + SIGN_EVERY
        return 0

    async def sign(self, now: datetime) -> None:
        """Sign now, if there is anything new. It is kept elsewhere first: what is noted here is in every keeper."""
        signed = await self._database.read(lambda connection: next_head(connection, self._signer, now))
        if signed is None:
            return
        for keeper in self._keepers:
            await keeper.keep(signed)
        await self._database.write(lambda connection: keep_head(connection, signed))
