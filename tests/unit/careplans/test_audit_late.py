"""Entries that came late: the part fails while they wait, they are entered, and information governance is told once."""

from __future__ import annotations

import pytest
from plan_fixtures import HandClock

from careplans.audit.chain import What
from careplans.audit.keeping import LATE, LateEntries
from careplans.audit.tables import plan_audit
from careplans.audit.trail import AuditTrail
from careplans.errors import PlanStoreFailed
from careplans.model import Viewer
from infra.health import Health
from infra.sql import Database
from tests.plan_house import Told


async def test_late_entries_are_told_to_information_governance(
    database: Database, trail: AuditTrail, clock: HandClock, clinician: Viewer
) -> None:
    health, told = Health(clock), Told()
    late = LateEntries(trail, told, clock, health)
    assert await late.step(0) == 0
    assert health.works(LATE)
    await database.write(plan_audit.drop)
    entries = trail.entries(clinician, What.OPENED, ["p1", "p2"], call_ref="call")
    await trail.record_or_spool(clinician, entries)
    for _ in range(2):
        with pytest.raises(PlanStoreFailed):
            await late.step(0)
        assert not health.works(LATE)
    await database.write(plan_audit.create)
    assert await late.step(0) == 2
    assert await late.step(0) == 0
    assert health.works(LATE)
    assert [(each.kind, each.id) for each in told.notices] == [("audit_late", entries[0].entry)]


async def test_what_another_view_entered_meanwhile_is_told_too(
    database: Database, trail: AuditTrail, clock: HandClock, clinician: Viewer
) -> None:
    told = Told()
    late = LateEntries(trail, told, clock, Health(clock))
    await database.write(plan_audit.drop)
    await trail.record_or_spool(clinician, trail.entries(clinician, What.OPENED, ["p1"]))
    await database.write(plan_audit.create)
    await trail.record(clinician, trail.entries(clinician, What.OPENED, ["p2"]))  # takes the waiting one with it
    await late.step(0)
    assert [each.kind for each in told.notices] == ["audit_late"]
