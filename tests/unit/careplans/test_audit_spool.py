"""The spool of the audit loses nothing: not to two who enter at once, and not to a disk that takes nothing."""

from __future__ import annotations

from pathlib import Path

from careplans.audit.chain import AuditEntry, What
from careplans.audit.spool import AuditSpool
from careplans.audit.trail import AuditTrail
from careplans.model import Viewer


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
