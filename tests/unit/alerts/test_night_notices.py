"""Second reviewers are told once of each message of the night, in words, by every channel that a rule names."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from alerts.life.store import AlertStore
from alerts.life.store import metadata as tables
from alerts.notices.wording import body, subject
from alerts.rules.loading import DEFAULT_RULES, load_rules
from callrouter.alerting.night_notices import NightNotices
from callrouter.messages.ports import ReviewNotice
from infra.sql import connect_database

NIGHT = datetime(2026, 3, 24, 23, tzinfo=UTC)
ASKED = ReviewNotice("needs_review", "m1", "Norovirus", "Croydon", NIGHT, NIGHT + timedelta(hours=2))
STOPPED = ReviewNotice("stopped_itself", "m1", "Norovirus", "Croydon", NIGHT, NIGHT + timedelta(hours=2))


async def test_each_word_is_told_once_by_however_many_workers(tmp_path: Path) -> None:
    database = connect_database(f"sqlite:///{tmp_path}/alerts.db")
    await database.write(tables.create_all)
    store = AlertStore(database)
    notices = NightNotices(store, load_rules(DEFAULT_RULES, ["north"], ["sql"]))
    assert notices.anybody
    for each in (ASKED, ASKED, STOPPED, ASKED, STOPPED):
        await notices.tell(each)
    sent = [each.notice for each in await store.open_deliveries("email")]
    assert [subject(each) for each in sent] == [
        "[WARNING] A message of the night needs your review, or stops itself at 01:00: Norovirus (Croydon)",
        "[WARNING] A message of the night stopped itself at 01:00: nobody reviewed it: Norovirus (Croydon)",
    ]
    assert "Minutes left for the review: 120" in body(sent[0])
    assert [each.link.endswith("/messages/m1") for each in sent] == [True, True]
    await database.close()


async def test_two_second_reviewers_with_one_mailbox_are_told_by_it_once(tmp_path: Path) -> None:
    database = connect_database(f"sqlite:///{tmp_path}/alerts.db")
    await database.write(tables.create_all)
    store = AlertStore(database)
    (rule,) = (each for each in load_rules(DEFAULT_RULES, ["north"], ["sql"]) if each.metric == "night_message")
    one = next(each for each in rule.who if each.channel == "email")
    shared = replace(rule, who=(one, replace(one, name="Deputy")))
    await NightNotices(store, [shared]).tell(ASKED)
    (sent,) = await store.open_deliveries("email")
    assert sent.notice.recipient.name == f"{one.name}, Deputy"
    await database.close()


async def test_without_a_rule_there_is_nobody_to_tell(tmp_path: Path) -> None:
    database = connect_database(f"sqlite:///{tmp_path}/alerts.db")
    rules = [each for each in load_rules(DEFAULT_RULES, ["north"], ["sql"]) if each.metric != "night_message"]
    assert not NightNotices(AlertStore(database), rules).anybody
    await database.close()
