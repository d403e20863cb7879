"""Plans on a live call while the audit cannot be written."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest
from plan_fixtures import Desk, HandClock, views

from careplans.access.on_call import PlansOnCall
from careplans.audit.spool import AuditSpool
from careplans.audit.tables import plan_audit
from careplans.audit.trail import AuditTrail
from careplans.errors import PlanStoreFailed, TooManyTries
from careplans.model import Viewer
from careplans.rows import Row
from careplans.service import CarePlans
from infra.crypto import KeyRing
from infra.sql import Database

MakeRow = Callable[..., Row]
RIGHT, WRONG = date(1938, 4, 12), date(1938, 4, 13)


class TestTheRecordCannotBeWritten:
    """ "Audit fails open for a plan on a live call (shown, entry spooled, alert)." (docs/safety/rules.md, 6)"""

    @pytest.fixture
    async def call(self, plans: CarePlans, desk: Desk, database: Database, row: MakeRow) -> str:
        await plans.load([row()])
        await database.write(plan_audit.drop)
        return await desk.ring()

    async def test_the_plan_is_shown_and_the_entry_kept(
        self, on_call: PlansOnCall, desk: Desk, call: str, handler: Viewer, clinician: Viewer,
        capfd: pytest.CaptureFixture[str],
    ) -> None:  # fmt: skip
        assert len(await on_call.open_by_birth_date(call, RIGHT, handler)) == 1
        (opened,) = await on_call.open_checked(call, clinician)
        assert opened.detail
        logged = capfd.readouterr().out
        assert logged.count("audit_entry_spooled") == 2
        assert desk.ids()[0] in logged
        assert "hannah" not in logged

    async def test_what_was_kept_is_entered_later_in_order_and_once(
        self, on_call: PlansOnCall, trail: AuditTrail, database: Database, call: str, handler: Viewer, clinician: Viewer
    ) -> None:
        await on_call.open_by_birth_date(call, WRONG, handler)
        await on_call.open_by_birth_date(call, RIGHT, handler)
        await database.write(plan_audit.create)
        await on_call.open_checked(call, clinician)  # what waits goes before it
        assert await trail.settle() == 0
        recorded = [(view.what, view.late) for view in await views(database)]
        assert recorded == [("checked_wrong", True), ("checked_right", True), ("opened", False)]

    async def test_what_a_dead_process_kept_is_entered_by_the_next(
        self, on_call: PlansOnCall, database: Database, call: str, handler: Viewer, keyring: KeyRing, clock: HandClock,
        spool: AuditSpool, tmp_path: Path,
    ) -> None:  # fmt: skip
        await on_call.open_by_birth_date(call, RIGHT, handler)
        await database.write(plan_audit.create)
        spool.close()  # as the system does for a process that dies
        heir = AuditTrail(database, keyring, clock, AuditSpool(tmp_path / "spool"))
        assert await heir.settle() == 1
        assert [(view.what, view.late) for view in await views(database)] == [("checked_right", True)]
        assert await AuditTrail(database, keyring, clock, AuditSpool(tmp_path / "spool")).settle() == 0

    async def test_tries_are_still_counted(self, on_call: PlansOnCall, call: str, handler: Viewer) -> None:
        for _ in range(5):
            assert await on_call.open_by_birth_date(call, WRONG, handler) == ()
        with pytest.raises(TooManyTries):
            await on_call.open_by_birth_date(call, RIGHT, handler)

    async def test_tries_at_once_are_counted_too(self, on_call: PlansOnCall, call: str, handler: Viewer) -> None:
        tries = [on_call.open_by_birth_date(call, WRONG, handler) for _ in range(12)]
        results = await asyncio.gather(*tries, return_exceptions=True)
        assert results.count(()) == 5
        assert sum(isinstance(each, TooManyTries) for each in results) == 7

    async def test_after_the_call_nothing_is_shown_without_its_record(
        self, on_call: PlansOnCall, desk: Desk, call: str, handler: Viewer, clinician: Viewer
    ) -> None:
        desk.hang_up()
        with pytest.raises(PlanStoreFailed):
            await on_call.open_by_birth_date(call, RIGHT, handler)
        with pytest.raises(PlanStoreFailed):
            await on_call.open_checked(call, clinician)
