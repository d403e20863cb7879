"""What is done with stored records, each with its entry in the audit in the same transaction, or not at all."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TypeVar

from sqlalchemy import Column, Connection

from careplans.audit.chain import What
from careplans.audit.trail import AuditTrail
from careplans.erasing import WhyErased, WhyHeld, erase_plans, hold_plan, lift_hold
from careplans.model import Viewer
from careplans.reading import store_errors
from careplans.retention import MOST_AT_ONCE, Record, Retention
from careplans.scrubbing import Pages, Scrubber, lying
from careplans.sealing import Sealer
from careplans.sources.tables import plan_quarantine
from careplans.subject import HeldRecord, held_of, unread_held, write_draft
from careplans.tables import ended_plans, lock_for_writing, plan_held_versions, plans
from careplans.unread import erase_unread, unread_about
from infra.clock import Clock
from infra.crypto import KeyRing
from infra.loops import until_next
from infra.sql import Database

EVERY_S = 3600.0
"""Between two looks for records over their time: they are kept for years."""
QUARANTINE = "quarantine"
"""What stands beside an erased record in the audit that was none of the plans."""
_THE_JOB = Viewer("retention", "system")

T = TypeVar("T")


class PlanRecords:
    """Erasure, legal holds, retention and exports. ``viewer`` is who does it; all raise :class:`PlanStoreFailed`."""

    def __init__(
        self,
        database: Database,
        keyring: KeyRing,
        clock: Clock,
        audit: AuditTrail,
        retention: Retention | None = None,
    ) -> None:
        """``retention``: how long records are kept; without it, for ever."""
        self._database = database
        self._keyring = keyring
        self._sealer = Sealer(keyring)
        self._clock = clock
        self._audit = audit
        self._retention = retention or Retention()
        self._next_look = clock.monotonic()
        self.scrubber = Scrubber(database)

    async def erase(self, ids: Sequence[str], why: WhyErased, viewer: Viewer) -> int:
        """See :func:`careplans.erasing.erase_plans` and :func:`careplans.unread.erase_unread`.

        Returns how many records that was, those of the quarantine counted; each has an entry of its own.
        """
        by, now = self._audit.actor(viewer.user), self._clock.now()
        entries = self._audit.entries(viewer, What.ERASED, ids)

        pages: Pages = {}

        def both(connection: Connection) -> int:
            lock_for_writing(connection, plans)  # an import would write them anew elsewhere
            unread_ids = [each.id for each in unread_about(connection, self._keyring, ids)]
            pages.update(lying(connection, _of(ids, unread_ids)))
            unread = erase_unread(connection, self._keyring, ids, why, by, now)
            done = erase_plans(connection, ids, why, by, now)
            of_unread = self._audit.entries(viewer, What.ERASED, unread, about=QUARANTINE) if unread else []
            self._audit.enter(connection, viewer, [*entries, *of_unread])
            return done + len(unread)

        erased = await self._audit.within(both)
        await self.scrubber.scrub(pages)
        return erased

    async def hold(self, plan: str, why: WhyHeld, viewer: Viewer) -> None:
        """See :func:`careplans.erasing.hold_plan`."""
        by, now = self._audit.actor(viewer.user), self._clock.now()
        await self._recorded(viewer, What.HELD, [plan], lambda connection: hold_plan(connection, plan, why, by, now))

    async def lift(self, plan: str, viewer: Viewer) -> None:
        """See :func:`careplans.erasing.lift_hold`."""
        pages: Pages = {}

        def lift_it(connection: Connection) -> None:
            pages.update(lying(connection, _of([plan]) | {plan_held_versions.c.plan: [plan]}))
            lift_hold(connection, plan)

        await self._recorded(viewer, What.HOLD_LIFTED, [plan], lift_it)
        await self.scrubber.scrub(pages)

    async def export(self, plan: str, folder: Path, viewer: Viewer) -> tuple[Path, Path]:
        """Write the draft of what is held of this plan's person (:mod:`careplans.subject`); returns the two files.

        Raises :class:`NoSuchPlan`; OSError where the files cannot be written. Nothing is written that is not recorded.
        """
        with store_errors():
            held = await self._database.read(partial(self._held_of, plan=plan))
        await self._recorded(
            viewer, What.EXPORTED, list(dict.fromkeys(each.plan for each in held)), lambda _connection: None
        )
        now = self._clock.now()
        name = f"DRAFT-subject-access-{now:%Y%m%d-%H%M%S}-{secrets.token_hex(4)}"
        return await asyncio.to_thread(write_draft, held, folder, name, now)

    async def end_those_over(self) -> int:
        """Erase what is over its time, at most :data:`MOST_AT_ONCE` of each kind; returns how many that was."""
        with store_errors():
            waiting = await self._database.read(partial(self._retention.over, now=self._clock.now()))
        if not any(waiting.values()):
            return 0
        by, now = self._audit.actor(_THE_JOB.user), self._clock.now()

        pages: Pages = {}

        def end(connection: Connection) -> int:
            pages.update(lying(connection, _of(waiting.get(Record.WITHDRAWN, []), waiting.get(Record.QUARANTINED, []))))
            done = self._retention.end(connection, by, now)
            if erased := done.get(Record.WITHDRAWN):
                self._audit.enter(connection, _THE_JOB, self._audit.entries(_THE_JOB, What.ERASED, erased))
            return sum(map(len, done.values()))

        ended = await self._audit.within(end)
        await self.scrubber.scrub(pages)
        return ended

    async def step(self, wait_s: float) -> int:
        """For :func:`infra.loops.repeat`: :meth:`end_those_over` each hour, and at once again after a full portion.

        What a command left in SQLite's log goes then, too.
        """
        if self._clock.monotonic() < self._next_look:
            await asyncio.sleep(until_next(wait_s))
            return 0
        done = await self.end_those_over()
        if done < MOST_AT_ONCE:
            await self.scrubber.cut_log()
            self._next_look = self._clock.monotonic() + EVERY_S
        return done

    def _held_of(self, connection: Connection, plan: str) -> list[HeldRecord]:
        held = held_of(connection, self._sealer, plan)
        unread = unread_about(connection, self._keyring, [each.plan for each in held])
        return [*held, *map(unread_held, unread)]

    async def _recorded(self, viewer: Viewer, what: What, ids: Sequence[str], work: Callable[[Connection], T]) -> T:
        entries = self._audit.entries(viewer, what, ids)

        def both(connection: Connection) -> T:
            done = work(connection)
            self._audit.enter(connection, viewer, entries)
            return done

        return await self._audit.within(both)


def _of(ids: Sequence[str], unread: Sequence[str] = ()) -> dict[Column[str], Sequence[str]]:
    """These records, wherever they stand, and these of the quarantine."""
    return {plans.c.id: ids, ended_plans.c.id: ids, plan_quarantine.c.id: unread}
