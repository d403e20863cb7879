"""Legal holds, each with its entry in the audit or not at all."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from careplans.erasing import WhyErased, WhyHeld
from careplans.errors import NoSuchPlan, PlanHeld
from careplans.tables import plan_held_versions
from infra.sql import Database
from tests.plan_records_world import GOVERNOR, NOON, World, one_database, plan, source_ids


@pytest.fixture
def world(database: Database) -> World:
    return World(database)


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
