"""The audit as the service writes it: before something is shown or done, or, on a live call only, as soon as can be."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from typing import TypeVar

from sqlalchemy import Connection

from careplans.audit import chain
from careplans.audit.chain import AuditEntry, What
from careplans.audit.people import People
from careplans.audit.spool import AuditSpool
from careplans.errors import PlanStoreFailed
from careplans.model import Viewer
from careplans.reading import store_errors
from infra.clock import Clock
from infra.crypto import KeyRing
from infra.sql import Database

T = TypeVar("T")


class AuditTrail:
    """Makes entries and brings them into the chain, in the order in which things happened in this process."""

    def __init__(self, database: Database, keyring: KeyRing, clock: Clock, spool: AuditSpool | None = None) -> None:
        self._database = database
        self._people = People(keyring)
        self._clock = clock
        self._spool = spool or AuditSpool()
        self._untold: AuditEntry | None = None

    def actor(self, user: str) -> str:
        """The keyed hash that stands for a person."""
        return self._people.actor(user)

    def actors(self, user: str) -> tuple[str, ...]:
        """Every hash under which this person may stand in the audit: index keys are changed in time."""
        return self._people.actors(user)

    def session(self, session: str) -> str:
        """The keyed hash that stands for a sign-in."""
        return self._people.session(session)

    def entries(
        self, viewer: Viewer, what: What, plans: Sequence[str] = (), *, call_ref: str = "", about: str = ""
    ) -> list[AuditEntry]:
        """One entry for each plan, or one without a plan; ``plans`` are our own ids, ``about`` is opaque, too."""
        now, actor, attempt = self._clock.now(), self.actor(viewer.user), secrets.token_hex(16)
        ids: Sequence[str | None] = plans or (None,)
        return [
            AuditEntry(secrets.token_hex(16), now, actor, str(viewer.role), call_ref, attempt, plan, what, about)
            for plan in ids
        ]

    def enter(self, connection: Connection, viewer: Viewer, entries: Sequence[AuditEntry]) -> None:
        """Add ``entries`` in somebody's own transaction: what they stand for is done with them or not at all."""
        self._people.keep(connection, viewer.user, viewer.name or viewer.user)
        chain.append(connection, entries)

    async def record(self, viewer: Viewer, entries: Sequence[AuditEntry]) -> None:
        """Add ``entries`` now; raises :class:`PlanStoreFailed`, and then nothing may be shown (fails closed)."""
        await self.within(lambda connection: self.enter(connection, viewer, entries))

    async def record_or_spool(self, viewer: Viewer, entries: Sequence[AuditEntry]) -> None:
        """Add ``entries`` now or keep them for later: for a plan on a live call (docs/safety/rules.md, 6)."""
        try:
            await self.record(viewer, entries)
        except PlanStoreFailed:
            self._spool.keep(entries)

    def keep_for_later(self, entries: Sequence[AuditEntry]) -> None:
        """Spool what the database has just refused."""
        self._spool.keep(entries)

    def spooled_tries(self, viewer: Viewer, call_ref: str) -> int:
        """How many wrong birth dates of this person in this call are not in the chain yet."""
        return self._spool.wrong_tries(self.actor(viewer.user), call_ref)

    async def within(self, work: Callable[[Connection], T]) -> T:
        """Do ``work`` in one transaction, after what waits in the spool; raises :class:`PlanStoreFailed`."""
        waiting = self._spool.waiting()

        def both(connection: Connection) -> T:
            if waiting:
                chain.append(connection, chain.made_late(waiting))
            return work(connection)

        with store_errors():
            done = await self._database.write(both)
        if waiting:
            self._spool.entered(waiting)
            self._untold = self._untold or waiting[0]
        return done

    @property
    def some_wait(self) -> bool:
        """Whether there are entries that the database has not taken yet."""
        return bool(self._spool.waiting())

    @property
    def spool_is_safe(self) -> bool:
        """Whether what the database does not take would outlive this process."""
        return self._spool.is_safe

    @property
    def untold(self) -> AuditEntry | None:
        """The first entry that came late and that nobody was told of."""
        return self._untold

    def told(self) -> None:
        """Somebody was told that entries came late."""
        self._untold = None

    async def settle(self) -> int:
        """Enter what waits, in order; how many entries that was. Raises :class:`PlanStoreFailed`."""
        waiting = len(self._spool.waiting())
        if waiting:
            await self.within(lambda _connection: None)
        return waiting
