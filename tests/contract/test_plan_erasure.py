"""Plans erased for good, each with its entry in the audit or not at all."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import make_url, select, text
from sqlalchemy.exc import OperationalError
from structlog.testing import capture_logs

from careplans.erasing import WhyErased, WhyHeld
from careplans.errors import NoSuchPlan, PlanHeld, PlanStoreFailed
from careplans.model import MatchLevel
from careplans.rows import Row
from careplans.sources.model import Sender
from careplans.sources.runs import PlanRuns
from careplans.sources.tables import plan_quarantine
from careplans.store import ended_plans, plan_numbers, plans
from infra.numbers import read_number
from infra.sql import Database, connect_database
from tests.plan_records_world import GOVERNOR, KEYS, NOON, NUMBER, World, one_database, plan, source_ids
from tests.plan_world import SYSTEM, Script
from tests.plan_world import plan as row
from tests.postgres import Postgres


@pytest.fixture
def world(database: Database) -> World:
    return World(database)


class TestErasure:
    async def test_what_stays_is_why_when_and_by_whom(self, world: World) -> None:
        await world.write(plan())
        (plan_id,) = await world.ids()
        assert await world.records.erase([plan_id], WhyErased.REQUEST, GOVERNOR) == 1
        left = await world.tombstone()
        known = {name for name, value in left.items() if value is not None}
        assert known == {
            "id", "identity", "source", "version", "index_key", "why", "ended_at", "reason", "by", "restricted"
        }  # fmt: skip
        assert (left["why"], left["reason"], left["ended_at"]) == ("erased", "erasure_request", NOON)
        assert "zzgovernor" not in str(left["by"])
        assert len(str(left["by"])) == 64
        assert await world.ids() == []
        assert (await world.plans.match_number(read_number(NUMBER))).outcome is MatchLevel.NONE
        for table in (plans, plan_numbers):
            assert await world.database.read(lambda c, table=table: c.execute(select(table)).all()) == []
        assert await world.audited() == [("erased", plan_id)]

    async def test_a_withdrawn_plan_is_erased_too(self, world: World) -> None:
        await world.write(plan())
        ids = await world.ids()
        await world.withdraw("P1")
        assert await world.records.erase(ids, WhyErased.WRONG_PERSON, GOVERNOR) == 1
        left = await world.tombstone()
        assert (left["why"], left["wrapped_key"], left["person"], left["nhs_key"], left["kind"]) == (
            "erased", None, None, None, None,
        )  # fmt: skip
        assert await world.records.erase(ids, WhyErased.WRONG_PERSON, GOVERNOR) == 0

    @one_database
    async def test_the_same_version_does_not_bring_it_back_a_newer_one_does(self, world: World) -> None:
        await world.write(plan())
        await world.records.erase(await world.ids(), WhyErased.REQUEST, GOVERNOR)
        await world.write(plan())
        assert await world.ids() == []
        await world.write(plan(version=4))
        assert len(await world.ids()) == 1

    @one_database
    async def test_of_several_one_that_is_not_stored_stops_all(self, world: World) -> None:
        await world.write(plan())
        ids = await world.ids()
        with pytest.raises(NoSuchPlan):
            await world.records.erase([*ids, "0" * 32], WhyErased.REQUEST, GOVERNOR)
        assert await world.ids() == ids
        assert await world.audited() == []

    @one_database
    async def test_nothing_is_erased_that_cannot_be_recorded(self, world: World) -> None:
        await world.write(plan())
        ids = await world.ids()
        await world.database.write(lambda c: c.execute(text("ALTER TABLE plan_audit RENAME TO away")))
        with pytest.raises(PlanStoreFailed):
            await world.records.erase(ids, WhyErased.REQUEST, GOVERNOR)
        assert await world.ids() == ids

    @one_database
    async def test_the_key_lies_nowhere_in_the_file_afterwards(self, world: World, tmp_path: Path) -> None:
        await world.write(plan(), plan("P2", source="Other"))
        keys = dict(await world.database.read(lambda c: c.execute(select(plans.c.id, plans.c.wrapped_key)).all()))
        (gone, *_), (stays, *_) = sorted(keys), sorted(keys, reverse=True)
        await world.records.erase([gone], WhyErased.REQUEST, GOVERNOR)
        octets = (tmp_path / "migrated.db").read_bytes() + (tmp_path / "migrated.db-wal").read_bytes()
        assert keys[stays] in octets
        assert keys[gone] not in octets

    @pytest.mark.parametrize("database_kind", ["postgresql"])
    @pytest.mark.parametrize("which", [[0], [9], [19], [17, 19]], ids=["first", "middle", "newest", "two"])
    async def test_the_key_lies_nowhere_in_the_tables_files_afterwards(
        self, world: World, request: pytest.FixtureRequest, which: list[int]
    ) -> None:
        """PostgreSQL keeps a dead row, and what lay last in a page, until something else is put there."""
        server: Postgres = request.getfixturevalue("postgres")
        for each in range(20):
            await world.write(plan(f"P{each}"))
        query = select(plans.c.id, plans.c.wrapped_key).order_by(text("ctid"))
        keys = [tuple(row) for row in await world.database.read(lambda c: c.execute(query).all())]
        gone = [keys[at] for at in which]
        assert await world.records.erase([each for each, _ in gone], WhyErased.WRONG_PERSON, GOVERNOR) == len(which)
        server.sql("CHECKPOINT")
        octets = b"".join(
            (server.data / server.sql(f"SELECT pg_relation_filepath('{table}')", server.last_url)).read_bytes()
            for table in ("plans", "ended_plans")
        )
        assert [at for at, (_, key) in enumerate(keys) if bytes(key) not in octets] == which

    @pytest.mark.parametrize("database_kind", ["postgresql"])
    async def test_who_may_not_clean_up_is_told_so(self, world: World, request: pytest.FixtureRequest) -> None:
        """PostgreSQL only warns a role that does not own the tables, and leaves them as they are."""
        server: Postgres = request.getfixturevalue("postgres")
        await world.write(plan())
        ids = await world.ids()
        clerk = "CREATE ROLE clerk LOGIN; GRANT ALL ON ALL TABLES IN SCHEMA public TO clerk"
        server.sql(clerk, server.last_url)
        database = connect_database(make_url(server.last_url).set(username="clerk").render_as_string())
        try:
            with capture_logs() as logs:
                assert await World(database).records.erase(ids, WhyErased.WRONG_PERSON, GOVERNOR) == 1
        finally:
            await database.close()
            server.sql("DROP OWNED BY clerk; DROP ROLE clerk", server.last_url)
        assert [(each["event"], each["error"]) for each in logs] == [("erased_rows_not_scrubbed", "NotVacuumed")]

    @one_database
    async def test_a_clean_up_that_fails_leaves_it_erased(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        async def fails(_tables: object) -> None:
            raise OperationalError("VACUUM", None, Exception("out of disk"))

        await world.write(plan())
        ids = await world.ids()
        monkeypatch.setattr(world.database, "scrub", fails)
        with capture_logs() as logs:
            assert await world.records.erase(ids, WhyErased.WRONG_PERSON, GOVERNOR) == 1
        assert [each["event"] for each in logs] == ["erased_rows_not_scrubbed"]
        assert await world.ids() == []


class TestErasureOfWhatCouldNotBeRead:
    """Newer versions, and other plans of the patient, that stand in the quarantine."""

    async def deliver(self, world: World, *rows: Row) -> PlanRuns:
        runs = PlanRuns(world.database, KEYS, world.clock)
        self.delivered = [*getattr(self, "delivered", []), [list(rows)]]
        await runs.run(Sender("trust", SYSTEM), Script(self.delivered))
        return runs

    async def test_it_goes_with_the_plan_and_does_not_come_back_in_its_version(self, world: World) -> None:
        await world.write(plan())
        (plan_id,) = await world.ids()
        unread = row(1, "P1", version="4", kind="?")
        runs = await self.deliver(world, unread)
        (record,) = await runs.quarantined()
        assert await world.records.erase([plan_id], WhyErased.ENTERED_IN_ERROR, GOVERNOR) == 2
        assert await runs.quarantined() == []
        assert await world.audited() == [("erased", plan_id), ("erased", record.id)]
        await self.deliver(world, unread)
        assert await runs.quarantined() == []
        await world.write(plan(version=4))
        assert await world.ids() == []
        await self.deliver(world, row(1, "P1", version="5", kind="?"))
        assert len(await runs.quarantined()) == 1

    @pytest.mark.parametrize("database_kind", ["postgresql"])
    @pytest.mark.parametrize("which", [0, 4, 9], ids=["first", "middle", "newest"])
    async def test_its_key_lies_nowhere_in_the_tables_file_afterwards(
        self, world: World, request: pytest.FixtureRequest, which: int
    ) -> None:
        server: Postgres = request.getfixturevalue("postgres")
        await world.write(plan())
        ids = await world.ids()
        others = [row(at, f"P{at}", kind="?") for at in range(2, 11)]
        await self.deliver(world, *others[:which], row(1, "P1", version="4", kind="?"), *others[which:])
        query = select(plan_quarantine.c.line, plan_quarantine.c.wrapped_key)
        keys = dict(await world.database.read(lambda c: c.execute(query).all()))
        assert await world.records.erase(ids, WhyErased.WRONG_PERSON, GOVERNOR) == 2
        server.sql("CHECKPOINT")
        path = server.sql("SELECT pg_relation_filepath('plan_quarantine')", server.last_url)
        octets = (server.data / path).read_bytes()
        assert [line for line, key in keys.items() if bytes(key) not in octets] == [1]

    async def test_at_the_patients_request_all_goes_that_gives_their_nhs_number(self, world: World) -> None:
        await world.write(plan(), plan("P2"))
        one, other = sorted(await world.ids(), key=await source_ids(world))
        mine = [row(1, "P7", nhs_number="999 000 0018", kind="?"), Row(2, {"nhs_number": "9990000018"})]
        of_a_plan_that_stays = row(3, "P2", nhs_number="9990000018", version="9", kind="?")
        of_another = row(4, "P8", nhs_number="9990000026", kind="?")
        runs = await self.deliver(world, *mine, of_a_plan_that_stays, of_another)
        assert await world.records.erase([one], WhyErased.WRONG_PERSON, GOVERNOR) == 1
        assert len(await runs.quarantined()) == 4
        await world.write(plan(version=4))
        assert await world.records.erase([one], WhyErased.REQUEST, GOVERNOR) == 3
        assert sorted(each.line for each in await runs.quarantined()) == [3, 4]
        tombstones = select(ended_plans.c.version, ended_plans.c.reason).where(ended_plans.c.id != one)
        assert await world.database.read(lambda c: c.execute(tombstones).all()) == [(3, "erasure_request")]
        await self.deliver(world, mine[0])
        assert sorted(each.line for each in await runs.quarantined()) == [3, 4]
        assert await world.ids() == [other]

    @one_database
    async def test_the_export_holds_it_and_says_that_it_could_not_be_read(self, world: World, tmp_path: Path) -> None:
        await world.write(plan())
        (plan_id,) = await world.ids()
        mine, other = row(1, "P1", version="4", kind="?", detail="Zzunread."), row(2, "P8", nhs_number="9990000026")
        await self.deliver(world, mine, replace(other, values={**other.values, "kind": "?"}))
        path, words = await world.records.export(plan_id, tmp_path, GOVERNOR)
        first, unread = json.loads(path.read_text())["records"]
        assert first["source_id"] == "P1"
        assert (unread["status"], unread["as sent: detail"]) == ("could not be read", "Zzunread.")
        assert "Zzunread." in words.read_text()
        assert [what for what, _ in await world.audited()] == ["exported", "exported"]

    @one_database
    async def test_under_a_legal_hold_nothing_of_it_goes(self, world: World) -> None:
        await world.write(plan())
        (plan_id,) = await world.ids()
        runs = await self.deliver(world, row(1, "P1", version="4", kind="?"))
        await world.records.hold(plan_id, WhyHeld.INQUEST, GOVERNOR)
        with pytest.raises(PlanHeld):
            await world.records.erase([plan_id], WhyErased.REQUEST, GOVERNOR)
        assert len(await runs.quarantined()) == 1
