"""Stored plans and what is done with them, for the tests: erasure, holds, retention, drafts."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import select

from callrouter.retention import OTHERS
from careplans.audit.tables import plan_audit
from careplans.audit.trail import AuditTrail
from careplans.kinds import PlanKind
from careplans.model import MatchLevel, Person, Plan, Viewer
from careplans.records import PlanRecords
from careplans.retention import Kept, Record, Retention
from careplans.sealing import Sealed, Sealer
from careplans.service import CarePlans
from careplans.store import ended_plans, plans
from careplans.withdrawing import Withdrawal, withdraw_plans
from careplans.writing import write_plans
from infra.crypto import KeyRing
from infra.sql import Database

KEYS = KeyRing(b"m" * 32, b"i" * 32)
SEALER = Sealer(KEYS)
NOON = datetime(2026, 6, 15, 12, tzinfo=UTC)
NUMBER = "+447700900101"
GOVERNOR = Viewer("zzgovernor", "administrator")
TABLE = (Kept(Record.WITHDRAWN, timedelta(days=30), "test", "IG, 2026-06-01"),
         Kept(Record.ERASED, timedelta(days=10), "test", "IG, 2026-06-01"),
         Kept(Record.QUARANTINED, timedelta(days=5), "test", "IG, 2026-06-01"))  # fmt: skip


one_database = pytest.mark.parametrize("database_kind", ["sqlite"])
"""For what is told by our own comparisons: the statements are those of the other tests, which run on both."""


class Clock:
    at = NOON

    def now(self) -> datetime:
        return self.at

    def monotonic(self) -> float:
        return self.at.timestamp()


def plan(plan_id: str = "P1", version: int = 3, *, source: str = "Demo Trust", nhs: str | None = "9990000018",
         given: str = "Edith", restricted: bool = False) -> Plan:  # fmt: skip
    person = Person(given, "Example", date(1938, 4, 12), nhs, (NUMBER,))
    return Plan(
        plan_id, source, "Demo Hospice", PlanKind.END_OF_LIFE, person, "Zzline.", f"Zzdetail of {plan_id}.",
        date(2026, 5, 4), None, version, restricted,
    )  # fmt: skip


class World:
    def __init__(self, database: Database, table: tuple[Kept, ...] = TABLE) -> None:
        retention = Retention(table, OTHERS)
        self.database = database
        self.clock = Clock()
        audit = AuditTrail(database, KEYS, self.clock)
        self.plans = CarePlans(database, KEYS, self.clock, audit)
        self.records = PlanRecords(database, KEYS, self.clock, audit, retention)

    async def write(self, *new: Plan) -> None:
        await self.database.write(lambda c: write_plans(c, SEALER, new, NOON))

    async def withdraw(self, *ids: str) -> None:
        await self.withdraw_version(3, *ids)

    async def withdraw_version(self, version: int, *ids: str) -> None:
        gone = [Withdrawal(each, version) for each in ids]
        await self.database.write(lambda c: withdraw_plans(c, SEALER, "Demo Trust", gone, self.clock.now()))

    async def ids(self) -> list[str]:
        match = await self.plans.find_by_nhs_number("9990000018")
        assert match.outcome is not MatchLevel.UNAVAILABLE
        return [each.plan_id for each in match.candidates]

    async def tombstone(self) -> dict[str, object]:
        (row,) = await self.database.read(lambda c: c.execute(select(ended_plans)).mappings().all())
        return dict(row)

    async def audited(self) -> list[tuple[str, str | None]]:
        query = select(plan_audit.c.what, plan_audit.c.plan).order_by(plan_audit.c.seq)
        return [tuple(row) for row in await self.database.read(lambda c: c.execute(query).all())]


async def source_ids(world: World) -> Callable[[str], str]:
    rows = await world.database.read(lambda c: c.execute(select(plans)).all())
    known = {each.id: SEALER.open_reference(each.id, Sealed(each.wrapped_key, each.person, b"")) for each in rows}
    return known.__getitem__
