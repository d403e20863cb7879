"""The spool of the audit loses nothing: not to two who enter at once, and not to a disk that takes nothing."""

from __future__ import annotations

from pathlib import Path

from plan_fixtures import HandClock
from structlog.testing import capture_logs

from careplans.audit.chain import AuditEntry, What
from careplans.audit.keeping import LATE, LateEntries
from careplans.audit.spool import AuditSpool
from careplans.audit.trail import AuditTrail
from careplans.model import Viewer
from infra.crypto import KeyRing
from infra.health import Health
from infra.sql import Database
from tests.plan_house import Told


def one(trail: AuditTrail, clinician: Viewer, plan: str) -> list[AuditEntry]:
    return trail.entries(clinician, What.OPENED, [plan])


def test_two_who_enter_at_once_do_not_forget_what_came_between(
    spool: AuditSpool, trail: AuditTrail, clinician: Viewer, tmp_path: Path
) -> None:
    first, between = one(trail, clinician, "p1"), one(trail, clinician, "p2")
    spool.keep(first)
    taken_by_loop, taken_by_page = spool.waiting(), spool.waiting()
    spool.entered(taken_by_page)
    spool.keep(between)
    spool.entered(taken_by_loop)
    assert spool.waiting() == tuple(between)
    spool.close()
    assert AuditSpool(tmp_path / "spool").waiting() == tuple(between)


def test_what_opened_a_plan_and_opens_it_again_is_not_in_the_log(
    spool: AuditSpool, trail: AuditTrail, clinician: Viewer
) -> None:
    entries = trail.entries(clinician, What.OPENED_REFERENCE, ["p1"], about="a-live-reference")
    with capture_logs() as logs:
        spool.keep(entries)
    assert [each["event"] for each in logs] == ["audit_entry_spooled"]
    assert "a-live-reference" not in str(logs)
    assert [each.about for each in spool.waiting()] == ["a-live-reference"]


async def test_a_folder_that_cannot_be_made_stops_nobody_and_is_told(
    database: Database, keyring: KeyRing, clock: HandClock, clinician: Viewer, tmp_path: Path
) -> None:
    (tmp_path / "in-the-way").write_text("a file")
    health = Health(clock)
    trail = AuditTrail(database, keyring, clock, AuditSpool(tmp_path / "in-the-way"))
    late = LateEntries(trail, Told(), clock, health)
    await late.step(0)
    assert not health.works(LATE)
    trail.keep_for_later(one(trail, clinician, "p1"))
    assert await late.step(0) == 1  # from memory
    assert not trail.some_wait
