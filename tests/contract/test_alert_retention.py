"""What is kept of alerts goes when its time is over, and nothing that goes on."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from sqlalchemy import func, select

from alerts.life.store import AlertStore, Change
from alerts.life.tables import alert_notices, alert_silences, alert_states, alert_taken_on
from alerts.model import AlertState, Silence, StepTaken
from callrouter.retention import OTHERS
from careplans.retention import Kept, Record, Retention
from infra.sql import Database
from tests.alert_notices import FIRED
from tests.hand_clock import NOON

KEPT = timedelta(days=30)
RETENTION = Retention(tuple(Kept(record, KEPT, "a test", "IG") for record in Record), OTHERS)


async def test_what_is_done_with_goes_and_what_goes_on_stays(database: Database) -> None:
    store = AlertStore(database)
    told = AlertState(rule="welfare:1", phase="told", since=NOON)
    fires = AlertState(rule="longest-wait", phase="firing", since=NOON)
    waits = replace(FIRED, id="waits")
    await store.move(Change((told, fires), (FIRED, waits)))
    sent = next(each for each in await store.open_deliveries("text") if each.notice.id == FIRED.id)
    await store.close(sent, "sent", NOON)
    silence = Silence("s", "longest-wait", "Sam Example", "a test", NOON, NOON)
    await store.silence(silence, StepTaken("longest-wait", "silenced", NOON))
    await store.take_on("down:redis", "Sam Example", NOON)

    for late, left in ((0, (2, 2, 1, 1)), (1, (1, 1, 0, 0))):
        at = NOON + KEPT + timedelta(seconds=late)
        await database.write(lambda connection, at=at: RETENTION.end(connection, "a test", at))
        tables = (alert_states, alert_notices, alert_silences, alert_taken_on)
        counts = [select(func.count()).select_from(each) for each in tables]
        found = await database.read(lambda c, counts=counts: tuple(c.execute(each).scalar_one() for each in counts))
        assert found == left
    assert list(await store.states()) == ["longest-wait"]
    assert [each.notice.id for each in await store.open_deliveries("text")] == ["waits"]
    assert len(await store.steps("longest-wait")) >= 1  # the record has no time, as the audit has none
