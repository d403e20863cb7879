"""A good row, and a clock that is moved by hand."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from sqlalchemy import select

from careplans.access.ports import MatchedCall
from careplans.audit.tables import plan_audit
from careplans.service import CarePlans
from careplans.sources.runs import PlanRuns
from careplans.sources.tables import metadata as sources
from careplans.store import metadata
from infra.crypto import KeyRing
from infra.numbers import read_number
from infra.sql import Database, connect_database
from tests.plan_world import HandClock as HandClock

GOOD: dict[str, object] = {
    "plan_id": "P1",
    "source": "Universal Care Plan",
    "author_org": "Demo Hospice",
    "kind": "end of life care plan",
    "nhs_number": "9990000018",
    "given_name": "Edith",
    "family_name": "Example",
    "date_of_birth": "1938-04-12",
    "phones": "07700 900101",
    "handler_line": "Offer the hospice line first.",
    "detail": "Medicines are in the house.",
    "valid_from": "2026-05-04",
    "review_by": "2027-05-04",
    "version": "3",
    "restricted": "no",
    "withdrawn": "no",
}


@dataclass
class Desk:
    """Calls that rang, and who opens plans on them."""

    plans: CarePlans
    clock: HandClock
    calls: dict[str, MatchedCall] = field(default_factory=dict)

    async def by_context(self, context: str) -> MatchedCall | None:
        return self.calls.get(context)

    async def ring(self, context: str = "call-1", number: str = "07700 900101") -> str:
        """A call from ``number``, as it was matched when it came; returns its context."""
        match = await self.plans.match_number(read_number(number))
        self.calls[context] = MatchedCall(f"ref-{context}", tuple(each.plan_id for each in match.candidates), None)
        return context

    def ids(self, context: str = "call-1") -> tuple[str, ...]:
        """The plans that the call matched."""
        return self.calls[context].plans

    def hang_up(self, context: str = "call-1") -> None:
        self.calls[context] = replace(self.calls[context], ended_at=self.clock.now())


def runs_on(
    url: str, keyring: KeyRing, clock: HandClock, *, with_tables: bool = True
) -> Callable[[], AbstractAsyncContextManager[PlanRuns]]:
    """Opens the pipeline of the sources on a database, for one command."""

    @asynccontextmanager
    async def open_runs() -> AsyncIterator[PlanRuns]:
        database = connect_database(url)
        if with_tables:
            await database.write(metadata.create_all)
            await database.write(sources.create_all)
        try:
            yield PlanRuns(database, keyring, clock)
        finally:
            await database.close()

    return open_runs


async def views(database: Database) -> list[Any]:
    query = select(plan_audit).order_by(plan_audit.c.seq)
    return list(await database.read(lambda connection: connection.execute(query).all()))
