"""Erasure, legal holds, retention and subject-access drafts, each with its entry in the audit or not at all."""

from __future__ import annotations

import json
import stat
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Table, insert, select, text, update

from callrouter.call_backs.tables import call_backs
from callrouter.retention import OTHERS
from callrouter.texts.tables import texts
from callrouter.welfare.tables import welfare_tasks
from careplans.access.tables import plan_emergencies, plan_references
from careplans.audit.tables import plan_audit
from careplans.audit.trail import AuditTrail
from careplans.crew_tables import crew_notices
from careplans.erasing import WhyErased, WhyHeld
from careplans.errors import NoSuchPlan, PlanHeld, PlanStoreFailed
from careplans.kinds import PlanKind
from careplans.model import MatchLevel, Person, Plan, Viewer
from careplans.records import PlanRecords
from careplans.retention import Kept, Record, Retention
from careplans.rows import Row
from careplans.sealing import Sealed, Sealer
from careplans.service import CarePlans
from careplans.sources.model import Sender
from careplans.sources.runs import PlanRuns
from careplans.store import ended_plans, plan_numbers, plans
from careplans.tables import plan_held_versions
from careplans.withdrawing import Withdrawal, withdraw_plans
from careplans.writing import write_plans
from infra.crypto import KeyRing
from infra.numbers import read_number
from infra.sql import Database
from tests.plan_world import SYSTEM, Script
from tests.plan_world import plan as row

KEYS = KeyRing(b"m" * 32, b"i" * 32)
SEALER = Sealer(KEYS)
NOON = datetime(2026, 6, 15, 12, tzinfo=UTC)
NUMBER = "+447700900101"
GOVERNOR = Viewer("zzgovernor", "administrator")
TABLE = (Kept(Record.WITHDRAWN, timedelta(days=30), "test", "IG, 2026-06-01"),
         Kept(Record.ERASED, timedelta(days=10), "test", "IG, 2026-06-01"),
         Kept(Record.QUARANTINED, timedelta(days=5), "test", "IG, 2026-06-01"))  # fmt: skip
one_database = pytest.mark.parametrize("database_kind", ["sqlite"])
"""For what is told by our own comparisons: the statements are those of the other tests, which run on both."""


class Clock:
    at = NOON

    def now(self) -> datetime:
        return self.at

    def monotonic(self) -> float:
        return self.at.timestamp()


def plan(plan_id: str = "P1", version: int = 3, *, source: str = "Demo Trust", nhs: str | None = "9990000018",
         given: str = "Edith", restricted: bool = False) -> Plan:  # fmt: skip
    person = Person(given, "Example", date(1938, 4, 12), nhs, (NUMBER,))
    return Plan(
        plan_id, source, "Demo Hospice", PlanKind.END_OF_LIFE, person, "Zzline.", f"Zzdetail of {plan_id}.",
        date(2026, 5, 4), None, version, restricted,
    )  # fmt: skip


class World:
    def __init__(self, database: Database, table: tuple[Kept, ...] = TABLE) -> None:
        retention = Retention(table, OTHERS)
        self.database = database
        self.clock = Clock()
        audit = AuditTrail(database, KEYS, self.clock)
        self.plans = CarePlans(database, KEYS, self.clock, audit)
        self.records = PlanRecords(database, KEYS, self.clock, audit, retention)

    async def write(self, *new: Plan) -> None:
        await self.database.write(lambda c: write_plans(c, SEALER, new, NOON))

    async def withdraw(self, *ids: str) -> None:
        await self.withdraw_version(3, *ids)

    async def withdraw_version(self, version: int, *ids: str) -> None:
        gone = [Withdrawal(each, version) for each in ids]
        await self.database.write(lambda c: withdraw_plans(c, SEALER, "Demo Trust", gone, self.clock.now()))

    async def ids(self) -> list[str]:
        match = await self.plans.find_by_nhs_number("9990000018")
        assert match.outcome is not MatchLevel.UNAVAILABLE
        return [each.plan_id for each in match.candidates]

    async def tombstone(self) -> dict[str, object]:
        (row,) = await self.database.read(lambda c: c.execute(select(ended_plans)).mappings().all())
        return dict(row)

    async def audited(self) -> list[tuple[str, str | None]]:
        query = select(plan_audit.c.what, plan_audit.c.plan).order_by(plan_audit.c.seq)
        return [tuple(row) for row in await self.database.read(lambda c: c.execute(query).all())]


async def source_ids(world: World) -> Callable[[str], str]:
    rows = await world.database.read(lambda c: c.execute(select(plans)).all())
    known = {each.id: SEALER.open_reference(each.id, Sealed(each.wrapped_key, each.person, b"")) for each in rows}
    return known.__getitem__


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
        await world.database.write(lambda c: c.execute(update(plans).values(author_org="Another")))
        await world.database.close()  # the last connection writes the log back into the file
        octets = (tmp_path / "contract.db").read_bytes()
        assert keys[stays] in octets
        assert keys[gone] not in octets


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


class TestLegalHold:
    async def test_it_refuses_erasure_until_it_is_lifted(self, world: World) -> None:
        await world.write(plan())
        (plan_id,) = await world.ids()
        await world.records.hold(plan_id, WhyHeld.INQUEST, GOVERNOR)
        with pytest.raises(PlanHeld):
            await world.records.erase([plan_id], WhyErased.REQUEST, GOVERNOR)
        assert await world.ids() == [plan_id]
        await world.records.lift(plan_id, GOVERNOR)
        assert await world.records.erase([plan_id], WhyErased.REQUEST, GOVERNOR) == 1
        assert [what for what, _ in await world.audited()] == ["held", "hold_lifted", "erased"]

    async def test_what_it_said_is_kept_though_its_source_replaces_it_until_the_hold_is_lifted(
        self, world: World, tmp_path: Path
    ) -> None:
        await world.write(plan(), plan("P2"))
        held, other = sorted(await world.ids(), key=await source_ids(world))
        await world.records.hold(held, WhyHeld.CLAIM, GOVERNOR)
        await world.write(
            replace(plan(version=4), detail="Zznewer."), replace(plan("P2", version=4), detail="Zzother.")
        )
        await world.withdraw_version(5, "P1")
        await world.write(replace(plan(version=6), detail="Zznewest."))
        path, _ = await world.records.export(other, tmp_path, GOVERNOR)
        said = {
            (each["source_id"], each["version"], each["for_clinicians"])
            for each in json.loads(path.read_text())["records"]
        }
        kept = {("P1", 3, "Zzdetail of P1."), ("P1", 5, "Zznewer."), ("P1", 6, "Zznewest."), ("P2", 4, "Zzother.")}
        assert said == kept
        await world.records.lift(held, GOVERNOR)
        assert await world.database.read(lambda c: c.execute(select(plan_held_versions)).all()) == []

    @one_database
    async def test_it_outlives_a_withdrawal(self, world: World) -> None:
        await world.write(plan())
        (plan_id,) = await world.ids()
        await world.records.hold(plan_id, WhyHeld.CLAIM, GOVERNOR)
        await world.withdraw("P1")
        with pytest.raises(PlanHeld):
            await world.records.erase([plan_id], WhyErased.REQUEST, GOVERNOR)
        world.clock.at = NOON + timedelta(days=4000)
        assert await world.records.end_those_over() == 0

    @one_database
    async def test_what_is_not_stored_or_held_is_said(self, world: World) -> None:
        await world.write(plan())
        (plan_id,) = await world.ids()
        with pytest.raises(NoSuchPlan):
            await world.records.hold("0" * 32, WhyHeld.CLAIM, GOVERNOR)
        with pytest.raises(NoSuchPlan):
            await world.records.lift(plan_id, GOVERNOR)
        await world.records.hold(plan_id, WhyHeld.CLAIM, GOVERNOR)
        with pytest.raises(PlanHeld):
            await world.records.hold(plan_id, WhyHeld.CLAIM, GOVERNOR)


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
        assert await world.records.end_those_over() == 6
        left = {table.name: await _ids(database, table) for table, _ in _done_with(NOON)}
        assert left == {
            "plan_emergencies": ["unreviewed"], "plan_references": [], "crew_notices": [],
            "welfare_tasks": ["open"], "call_backs": ["owed"], "texts": ["waiting"],
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
        octets = (tmp_path / "contract.db").read_bytes()
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
        (texts, [text_row | {"reference": "sent", "state": "delivered", "wrapped_key": None},
                 text_row | {"reference": "waiting", "state": "waiting", "wrapped_key": b"zzkey of a waiting text"}]),
    ]  # fmt: skip


async def _ids(database: Database, table: Table) -> list[str]:
    (column,) = table.primary_key.columns
    return await database.read(lambda c: list(c.execute(select(column)).scalars()))


class TestSubjectAccess:
    async def test_the_draft_holds_everything_of_this_person_and_nothing_of_another(
        self, world: World, tmp_path: Path
    ) -> None:
        await world.write(
            plan(), plan("P2"), plan("P3", nhs=None), plan("P4", nhs="9990000026"), plan("P5", given="Edwin", nhs=None)
        )
        ids = await world.ids()
        await world.withdraw("P2")
        as_json, as_words = await world.records.export(ids[0], tmp_path, GOVERNOR)
        draft = json.loads(as_json.read_text())
        assert draft["status"].startswith("DRAFT")
        assert sorted(each["source_id"] for each in draft["records"]) == ["P1", "P2", "P3"]
        (withdrawn,) = [each for each in draft["records"] if "withdrawn_at" in each]
        assert (withdrawn["source_id"], withdrawn["for_clinicians"]) == ("P2", "Zzdetail of P2.")
        words = as_words.read_text()
        assert words.startswith("# DRAFT")
        assert "Zzdetail of P1." in words
        for path in (as_json, as_words):
            assert stat.S_IMODE(path.stat().st_mode) == 0o600
            assert path.name.startswith("DRAFT-")
        assert sorted({what for what, _ in await world.audited()}) == ["exported"]
        assert len(await world.audited()) == 3

    @one_database
    async def test_of_somebody_without_an_nhs_number_only_their_own_records_are_read(
        self, world: World, tmp_path: Path
    ) -> None:
        await world.write(plan(nhs=None), plan("P2", nhs=None), plan("O1", nhs=None, given="Zzother"))
        (name_key,) = (keys.name_key for keys in SEALER.person_keys(plan(nhs=None).person))
        ids = await world.database.read(
            lambda c: c.execute(select(plans.c.id).where(plans.c.name_key == name_key)).scalars().all()
        )
        spoil = text("UPDATE plans SET valid_from = 'no date' WHERE name_key != :name")  # no row that can be read
        await world.database.write(lambda c: c.execute(spoil, {"name": name_key}))
        path, _ = await world.records.export(ids[0], tmp_path, GOVERNOR)
        assert sorted(each["source_id"] for each in json.loads(path.read_text())["records"]) == ["P1", "P2"]

    @one_database
    async def test_it_says_who_looked_as_what_and_when(self, world: World, tmp_path: Path) -> None:
        await world.write(plan())
        (plan_id,) = await world.ids()
        await world.plans.assert_birth_date(read_number(NUMBER), date(1938, 4, 12), "call-1")
        path, _ = await world.records.export(plan_id, tmp_path, GOVERNOR)
        (record,) = json.loads(path.read_text())["records"]
        assert [(each["role"], each["what"]) for each in record["seen"]] == [("caller", "checked_right")]

    @one_database
    async def test_nothing_is_written_that_cannot_be_recorded(self, world: World, tmp_path: Path) -> None:
        await world.write(plan())
        (plan_id,) = await world.ids()
        (tmp_path / "drafts").mkdir()
        refuse = "CREATE TRIGGER refuse BEFORE INSERT ON plan_audit BEGIN SELECT RAISE(ABORT, 'no'); END"
        await world.database.write(lambda c: c.execute(text(refuse)))
        with pytest.raises(PlanStoreFailed):
            await world.records.export(plan_id, tmp_path / "drafts", GOVERNOR)
        assert list((tmp_path / "drafts").iterdir()) == []

    @one_database
    async def test_a_plan_that_does_not_open_is_named_as_such(self, world: World, tmp_path: Path) -> None:
        await world.write(plan())
        (plan_id,) = await world.ids()
        await world.database.write(lambda c: c.execute(update(plans).values(person=b"broken")))
        path, _ = await world.records.export(plan_id, tmp_path, GOVERNOR)
        (record,) = json.loads(path.read_text())["records"]
        assert "does not open" in record["unreadable"]

    @one_database
    async def test_of_an_erased_plan_there_is_nothing_to_export(self, world: World, tmp_path: Path) -> None:
        await world.write(plan())
        ids = await world.ids()
        await world.records.erase(ids, WhyErased.REQUEST, GOVERNOR)
        with pytest.raises(NoSuchPlan):
            await world.records.export(ids[0], tmp_path, GOVERNOR)
