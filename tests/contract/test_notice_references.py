"""A carrier's word finds the notice that it is on by one row, in any process, over a change of keys."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from alerts.life.store import AlertStore, Change
from alerts.notices.sent import TOLD_WITHIN, SentNotices
from infra.crypto import KeyRing
from infra.sql import Database
from tests.alert_notices import FIRED
from tests.hand_clock import HandClock


async def test_a_reference_is_found_by_another_process_as_long_as_a_receipt_may_come(database: Database) -> None:
    store, clock = AlertStore(database), HandClock()
    await store.move(Change((), (FIRED, replace(FIRED, id="another"))))
    reference = await SentNotices(store, KeyRing(b"m" * 32, b"i" * 32), clock).reference(FIRED)
    other = SentNotices(store, KeyRing(b"m" * 32, b"j" * 32), clock)
    assert await other.find(reference) == FIRED
    assert await other.find("ab" * 16) is None
    clock.move(TOLD_WITHIN.total_seconds() + 1)
    assert await other.find(reference) is None


async def test_a_notice_that_no_database_holds_is_known_to_its_own_process_alone(database: Database) -> None:
    keys, clock = KeyRing(b"m" * 32, b"i" * 32), HandClock()
    ours = SentNotices(AlertStore(database), keys, clock)
    reference = await ours.reference(FIRED)
    clock.move(timedelta(minutes=1).total_seconds())
    assert await ours.find(reference) == FIRED
    assert await SentNotices(AlertStore(database), keys, clock).find(reference) is None
