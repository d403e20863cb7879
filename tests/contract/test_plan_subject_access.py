"""Drafts for subject-access requests: all of one person, nothing of another, recorded."""

from __future__ import annotations

import json
import stat
from datetime import date
from pathlib import Path

import pytest
from sqlalchemy import select, text, update

from careplans.erasing import WhyErased
from careplans.errors import NoSuchPlan, PlanStoreFailed
from careplans.store import plans
from infra.numbers import read_number
from infra.sql import Database
from tests.plan_records_world import GOVERNOR, NUMBER, SEALER, World, one_database, plan


@pytest.fixture
def world(database: Database) -> World:
    return World(database)


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
        await world.plans.assert_birth_date(read_number(NUMBER), date(1938, 4, 12), "call-1", keyed=True)
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
