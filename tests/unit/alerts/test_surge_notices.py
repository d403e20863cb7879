"""Public health and operations are told once of what is unusual, in words, without a count."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from alerts.life.store import AlertStore
from alerts.life.store import metadata as tables
from alerts.notices.wording import body, subject
from alerts.rules.loading import DEFAULT_RULES, load_rules
from alerts.surges.indicators import read_indicators
from alerts.surges.model import Proposal, Series
from callrouter.surges.notices import SurgeNotices
from infra.areas import london
from infra.sql import connect_database

NOON = datetime(2026, 3, 24, 12, tzinfo=UTC)
SURGE = Proposal(
    id="0123456789abcdef", series=Series("cold_or_flu", "bromley"), method="hourly", kind="surge",
    since=NOON - timedelta(hours=3), found_at=NOON, last_seen_at=NOON, score=9.25, rank=1,
)  # fmt: skip
RISE = replace(SURGE, id="fedcba9876543210", series=Series("all", "everywhere"), kind="demand_rise")


async def test_who_is_told_of_what(tmp_path: Path) -> None:
    database = connect_database(f"sqlite:///{tmp_path}/alerts.db")
    await database.write(tables.create_all)
    live = {"m1"}

    async def is_live(message: str) -> bool:
        return message in live

    store, rules = AlertStore(database), load_rules(DEFAULT_RULES, ["north"], ["sql"])
    notices = SurgeNotices(store, rules, read_indicators(), london(), is_live)
    for each in (SURGE, SURGE, RISE, RISE):
        await notices.found(each)
    await notices.faded(replace(SURGE, message="m2"))
    await notices.faded(replace(SURGE, message="m1"))
    sent = [each.notice for each in await store.open_deliveries("email")]
    assert [(each.recipient.name, subject(each)) for each in sent] == [
        ("Public health on duty", "[NOTICE] More callers than usual, in number and in share of all calls: "
                                  "Cold or flu (pre-triage): Bromley"),
        ("Duty manager", "[NOTICE] More calls of all kinds than usual (pre-triage): All callers"),
        ("Public health on duty", "[NOTICE] More calls of all kinds than usual (pre-triage): All callers"),
        ("Public health on duty", "[NOTICE] Fewer callers for 48 hours, those that it answered included: "
                                  "consider taking the message off: Cold or flu (pre-triage): Bromley"),
    ]  # fmt: skip
    assert "Standard deviations above usual: 9.2" in body(sent[0])
    assert {each.link.partition("8111")[2] for each in sent} == {f"/surges/{SURGE.id}", f"/surges/{RISE.id}"}
    await database.close()
