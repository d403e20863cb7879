"""The table of retention: what is shipped, and what is refused with file, line and cause."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from callrouter.doctor.local import check_retention
from callrouter.settings import Settings
from careplans.errors import RetentionError
from careplans.retention import Record, read_retention

GOOD = """\
- {class: withdrawn_plan, keep_for: 8 years, from: ended_at, source: a code of practice, verified: ""}
- {class: erased_plan, keep_for: 1 day, from: ended_at, source: a proposal, verified: "IG, 2026-06-01"}
- {class: quarantined_record, keep_for: 90 days, from: last_at, source: a proposal, verified: "IG, 2026-06-01"}
- {class: emergency_access, keep_for: 8 years, from: reviewed_at, source: a proposal, verified: "IG, 2026-06-01"}
- {class: plan_reference, keep_for: 1 year, from: expires_at, source: a proposal, verified: "IG, 2026-06-01"}
- {class: crew_notice, keep_for: 8 years, from: sent_at, source: a proposal, verified: "IG, 2026-06-01"}
- {class: welfare_task, keep_for: 8 years, from: acknowledged_at, source: a proposal, verified: "IG, 2026-06-01"}
- {class: call_back, keep_for: 8 years, from: ended_at, source: a proposal, verified: "IG, 2026-06-01"}
- {class: call_back_step, keep_for: 1 year, from: at, source: a proposal, verified: "IG, 2026-06-01"}
- {class: call_recording, keep_for: 6 years, from: at, source: a proposal, verified: "IG, 2026-06-01"}
- {class: text, keep_for: 1 year, from: changed_at, source: a proposal, verified: "IG, 2026-06-01"}
- {class: alert_notice, keep_for: 1 year, from: next_try_at, source: a proposal, verified: "IG, 2026-06-01"}
- {class: alert_told, keep_for: 1 year, from: since, source: a proposal, verified: "IG, 2026-06-01"}
- {class: alert_silence, keep_for: 1 year, from: until, source: a proposal, verified: "IG, 2026-06-01"}
- {class: alert_taken_on, keep_for: 1 year, from: at, source: a proposal, verified: "IG, 2026-06-01"}
- {class: kpi_call, keep_for: 1 year, from: last_hour, source: a proposal, verified: "IG, 2026-06-01"}
- {class: kpi_call_back, keep_for: 1 year, from: ended_at, source: a proposal, verified: "IG, 2026-06-01"}
- {class: kpi_recontact, keep_for: 1 year, from: offered_at, source: a proposal, verified: "IG, 2026-06-01"}
"""


def test_what_is_shipped_is_verified_by_nobody() -> None:
    assert [(row.record, row.verified) for row in read_retention()] == [(each, "") for each in Record]
    assert all(row.source for row in read_retention())


def test_lengths_are_days_or_years(tmp_path: Path) -> None:
    (tmp_path / "table.yaml").write_text(GOOD)
    lengths = [row.keep_for for row in read_retention(tmp_path / "table.yaml")[:3]]
    assert lengths == [timedelta(days=2922), timedelta(days=1), timedelta(days=90)]


@pytest.mark.parametrize(
    ("was", "becomes", "says"),
    [
        ("8 years", "8 months", "table.yaml:1: keep_for: expected"), ("8 years", "0 years", "keep_for"),
        ("withdrawn_plan", "letter", "table.yaml:1: class: expected one of withdrawn_plan, erased_plan"),
        ("erased_plan", "withdrawn_plan", "withdrawn_plan must stand there once"),
        ("a proposal", '""', "table.yaml:2: source"), ("last_at", "ended_at", "from: expected last_at"),
        ("from: ended_at", "from: born", "from: expected ended_at"),
        (", from: ended_at", "", "a row needs class"),
        ("- {class: text, keep_for: 1 year, from: changed_at", "- {class: crew_notice, keep_for: 1 year, from: sent_at",
         "crew_notice must stand there once"),
        (GOOD, "rows: 1", "is no list"), (GOOD, "", "empty"),
    ],
)  # fmt: skip
def test_a_table_that_is_wrong_is_refused(tmp_path: Path, was: str, becomes: str, says: str) -> None:
    (tmp_path / "table.yaml").write_text(GOOD.replace(was, becomes))
    with pytest.raises(RetentionError, match=says):
        read_retention(tmp_path / "table.yaml")


async def test_doctor_says_what_nobody_verified(tmp_path: Path) -> None:
    (finding,) = await check_retention(Settings())
    assert (finding.level, "withdrawn_plan, erased_plan, quarantined_record, emergency_access" in finding.text) == (
        "warning",
        True,
    )
    (tmp_path / "table.yaml").write_text(GOOD.replace('""', '"IG, 2026-06-01"'))
    (finding,) = await check_retention(Settings(retention_file=tmp_path / "table.yaml"))
    assert finding.level == "ok"
    (finding,) = await check_retention(Settings(retention_file=tmp_path / "none.yaml"))
    assert finding.level == "failed"
