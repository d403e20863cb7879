"""What goes when its time is over, with its entry in the audit."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Table, insert, select, update

from callrouter.call_backs.tables import call_backs
from callrouter.recordings.tables import recording_parts
from callrouter.texts.tables import texts
from callrouter.welfare.tables import welfare_tasks
from careplans.access.tables import plan_emergencies, plan_references
from careplans.crew_tables import crew_notices
from careplans.retention import Kept, Record
from careplans.sources.model import Sender
from careplans.sources.runs import PlanRuns
from careplans.store import ended_plans
from infra.sql import Database
from tests.plan_records_world import KEYS, NOON, World, one_database, plan
from tests.plan_world import SYSTEM, Script
from tests.plan_world import plan as row


@pytest.fixture
def world(database: Database) -> World:
    return World(database)


class TestRetention:
    async def test_a_withdrawn_plan_is_erased_after_its_time_and_its_tombstone_after_that(self, world: World) -> None:
        await world.write(plan(), plan("P2"))
        await world.withdraw("P1")
        world.clock.at = NOON + timedelta(days=30)
        assert await world.records.end_those_over() == 0
        world.clock.at += timedelta(seconds=1)
        assert await world.records.end_those_over() == 1
        left = await world.tombstone()
        assert (left["reason"], left["person"]) == ("retention_over", None)
        assert await world.audited() == [("erased", left["id"])]
        world.clock.at += timedelta(days=10, seconds=1)
        assert await world.records.end_those_over() == 1
        assert await world.database.read(lambda c: c.execute(select(ended_plans)).all()) == []
        assert len(await world.ids()) == 1  # what is in force has no time

    @one_database
    async def test_what_nobody_verified_is_kept(self, database: Database) -> None:
        world = World(database, (Kept(Record.WITHDRAWN, timedelta(days=1), "test", ""),))
        await world.write(plan())
        await world.withdraw("P1")
        world.clock.at = NOON + timedelta(days=40_000)
        assert await world.records.end_those_over() == 0
        assert (await world.tombstone())["person"] is not None

    async def test_a_quarantined_record_is_destroyed_when_it_has_not_come_for_its_time(self, world: World) -> None:
        runs, script = PlanRuns(world.database, KEYS, world.clock), Script([])
        for _ in range(2):
            world.clock.at += timedelta(days=1)
            script.deliveries = [*script.deliveries, [[row(1, kind="?")]]]
            await runs.run(Sender("trust", SYSTEM), script)
        world.clock.at += timedelta(days=5)
        assert await world.records.end_those_over() == 0
        world.clock.at += timedelta(seconds=1)
        assert await world.records.end_those_over() == 1
        assert (await runs.quarantined(), await world.audited()) == ([], [])

    async def test_what_was_done_with_plans_and_callers_goes_when_its_time_is_over(self, database: Database) -> None:
        world = World(database, tuple(Kept(record, timedelta(days=30), "test", "IG") for record in Record))
        for table, rows in _done_with(NOON):
            await database.write(lambda c, table=table, rows=rows: c.execute(insert(table), rows))
        world.clock.at = NOON + timedelta(days=30)
        assert await world.records.end_those_over() == 0
        world.clock.at += timedelta(seconds=1)
        assert await world.records.end_those_over() == 7
        left = {table.name: await _ids(database, table) for table, _ in _done_with(NOON)}
        assert left == {
            "plan_emergencies": ["unreviewed"], "plan_references": [], "crew_notices": [],
            "welfare_tasks": ["open"], "call_backs": ["owed"], "recording_parts": [], "texts": ["waiting"],
        }  # fmt: skip

    @one_database
    async def test_their_keys_lie_nowhere_in_the_file_afterwards(self, database: Database, tmp_path: Path) -> None:
        world = World(database, tuple(Kept(record, timedelta(days=30), "test", "IG") for record in Record))
        for table, rows in _done_with(NOON):
            await database.write(lambda c, table=table, rows=rows: c.execute(insert(table), rows))
        world.clock.at = NOON + timedelta(days=31)
        await world.records.end_those_over()
        await database.write(lambda c: c.execute(update(texts).values(reason="another")))
        await database.close()  # the last connection writes the log back into the file
        octets = (tmp_path / "migrated.db").read_bytes()
        assert b"zzkey of a waiting text" in octets
        assert b"zzkey of what is done" not in octets

    @one_database
    async def test_the_job_looks_each_hour(self, world: World) -> None:
        await world.write(plan())
        await world.withdraw("P1")
        assert await world.records.step(0.0) == 0
        world.clock.at = NOON + timedelta(minutes=59)
        await world.database.write(lambda c: c.execute(update(ended_plans).values(ended_at=NOON - timedelta(days=99))))
        assert await world.records.step(0.0) == 0
        world.clock.at = NOON + timedelta(minutes=60)
        assert await world.records.step(0.0) == 1


def _done_with(at: datetime) -> list[tuple[Table, list[dict[str, object]]]]:
    """Of each kind one that is done with; of those that may wait for somebody one that does."""
    key = b"zzkey of what is done"
    glass = {"at": at, "expires_at": at, "actor": "a", "session": "s", "role": "clinician", "plans": "", "reason": b"",
             "wrapped_key": key}  # fmt: skip
    task = {"context": "c", "last_step": "menu", "left_at": at, "made_at": at, "wrapped_key": key}
    call_back = {"context": "c", "service": "111", "number_key": "k", "wrapped_key": key, "number": b"",
                 "arrived_at": at, "promised_at": at, "owed_at": at}  # fmt: skip
    text_row = {"purpose": "link", "template": "t", "call_ref": "c", "sealed": b"", "made_at": at, "provider": "p",
                "tries": 1, "next_try_at": at, "reason": "", "changed_at": at}  # fmt: skip
    return [
        (plan_emergencies, [glass | {"id": "reviewed", "reviewed_at": at},
                            glass | {"id": "unreviewed", "reviewed_at": None, "wrapped_key": b"zzkey of a reason"}]),
        (plan_references, [{"ref": "R", "plans": "", "organisation": "o", "issued_at": at, "expires_at": at}]),
        (crew_notices, [{"incident": "i", "ref": "R", "device": "d", "call_ref": "c", "notice": "n", "sent_at": at}]),
        (welfare_tasks, [task | {"call_ref": "taken", "id": "1", "acknowledged_at": at},
                         task | {"call_ref": "open", "id": "2", "acknowledged_at": None, "wrapped_key": b"zzkey"}]),
        (call_backs, [call_back | {"call_ref": "over", "id": "1", "ended_at": at},
                      call_back | {"call_ref": "owed", "id": "2", "ended_at": None, "wrapped_key": b"zzkey"}]),
        (recording_parts, [{"id": "r.000000", "recording": "r", "call_ref": "c", "at": at, "sealed": key}]),
        (texts, [text_row | {"reference": "sent", "state": "delivered", "wrapped_key": None},
                 text_row | {"reference": "waiting", "state": "waiting", "wrapped_key": b"zzkey of a waiting text"}]),
    ]  # fmt: skip


async def _ids(database: Database, table: Table) -> list[str]:
    (column,) = table.primary_key.columns
    return await database.read(lambda c: list(c.execute(select(column)).scalars()))
