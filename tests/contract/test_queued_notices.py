"""What waits in SQL to be told is read by the versions beside it, older and newer, while a new one is rolled out."""

from __future__ import annotations

import json
from dataclasses import replace

from sqlalchemy import select, update

from alerts.life.store import AlertStore, Change
from alerts.life.tables import alert_notices
from infra.sql import Database
from tests.alert_notices import FIRED


async def test_what_a_newer_version_adds_is_passed_over_and_what_is_not_so_is_not_written(database: Database) -> None:
    store = AlertStore(database)
    await store.move(Change((), (FIRED, replace(FIRED, id="of an area", of_few=True))))
    written = select(alert_notices.c.notice).order_by(alert_notices.c.id)
    queued = await database.read(lambda connection: connection.execute(written).scalars().all())
    assert ["of_few" in json.loads(each) for each in queued] == [False, True], "an older version reads all but these"

    newer = json.dumps(json.loads(queued[0]) | {"of_tomorrow": True})
    first = update(alert_notices).where(alert_notices.c.notice == queued[0]).values(notice=newer)
    await database.write(lambda connection: connection.execute(first))
    assert [each.notice.of_few for each in await store.open_deliveries("text")] == [False, True]
