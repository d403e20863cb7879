"""What is kept of alerts goes when its time is over, and nothing that goes on."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from sqlalchemy import func, insert, select

from alerts.figures.history_tables import kpi_call_backs, kpi_recontacts
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


async def test_what_figures_know_of_single_calls_goes_once_its_call_back_is_over(database: Database) -> None:
    times = {"over": NOON, "owed": None}
    backs = [{"call_ref": ref, "promised_at": NOON, "ended_at": at} for ref, at in times.items()]
    await database.write(lambda connection: connection.execute(insert(kpi_call_backs), backs))
    again = {"call_ref": "one", "offered_at": NOON}
    await database.write(lambda connection: connection.execute(insert(kpi_recontacts), again))

    late = NOON + KEPT + timedelta(seconds=1)
    await database.write(lambda connection: RETENTION.end(connection, "a test", late))
    left = [select(each.c.call_ref) for each in (kpi_call_backs, kpi_recontacts)]
    found = await database.read(lambda connection: [connection.execute(each).scalars().all() for each in left])
    assert found == [["owed"], []]
