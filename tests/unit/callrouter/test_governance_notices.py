"""Information governance is told once of each broken glass and of late entries, in words that name nobody."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from alerts.life.store import AlertStore
from alerts.life.store import metadata as tables
from alerts.notices.wording import body, subject
from alerts.rules.loading import DEFAULT_RULES, load_rules
from callrouter.alerting.governance import GovernanceNotices
from careplans.access.ports import GovernanceNotice
from infra.sql import connect_database

NOON = datetime(2026, 3, 24, 12, tzinfo=UTC)
BROKE = GovernanceNotice("broke_glass", "a" * 32, NOON)
LATE = GovernanceNotice("audit_late", "b" * 32, NOON)


async def test_each_is_told_once_by_however_many_workers(tmp_path: Path) -> None:
    database = connect_database(f"sqlite:///{tmp_path}/alerts.db")
    await database.write(tables.create_all)
    store = AlertStore(database)
    notices = GovernanceNotices(store, load_rules(DEFAULT_RULES, ["north"], ["sql"]))
    for each in (BROKE, BROKE, LATE, BROKE, LATE):
        await notices.tell(each)
    sent = [each.notice for each in await store.open_deliveries("email")]
    assert [subject(each) for each in sent] == [
        "[WARNING] A clinician opened a patient's plans without a call: it needs your review: Emergency access",
        "[WARNING] Views of plans were entered in the audit late: the database had not taken them: Audit of plans",
    ]
    assert "Open the review page" in body(sent[0])
    await database.close()
