"""A plan that its source withdrew is found by nothing at once, and comes back by a newer version only."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime

import pytest
from sqlalchemy import Connection, select

from careplans.kinds import PlanKind
from careplans.model import Person, Plan
from careplans.sealing import Sealer
from careplans.store import ended_plans, plan_numbers, plans, plans_by_number
from careplans.withdrawing import Withdrawal, live_count, withdraw_plans
from careplans.writing import write_plans
from infra.crypto import KeyRing
from infra.sql import Database

SOURCE = "Universal Care Plan"
NUMBER = "+447700900101"
NOW = datetime(2026, 6, 15, 12, tzinfo=UTC)
SEALER = Sealer(KeyRing(b"m" * 32, b"i" * 32))
one_database = pytest.mark.parametrize("database_kind", ["sqlite"])
"""For what is told by our own comparisons: the statements are those of the other tests, which run on both."""
EDITH = Person("Edith", "Example", date(1938, 4, 12), "9990000018", (NUMBER,))


def plan(
    plan_id: str = "P1", version: int = 3, *, source: str = SOURCE, restricted: bool = False, person: Person = EDITH
) -> Plan:
    return Plan(
        plan_id, source, "Demo Hospice", PlanKind.END_OF_LIFE, person, "Line.", "Detail.", date(2026, 5, 4), None,
        version, restricted,
    )  # fmt: skip


class Store:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def write(self, *new: Plan) -> None:
        await self._database.write(lambda c: write_plans(c, SEALER, new, NOW))

    async def withdraw(self, *gone: Withdrawal, source: str = SOURCE) -> int:
        return await self._database.write(lambda c: withdraw_plans(c, SEALER, source, gone, NOW))

    async def found(self, number: str = NUMBER) -> list[str]:
        hashes = SEALER.number_hashes(number)
        return [each.id for each in await plans_by_number(self._database, hashes)]

    async def count(self, source: str = SOURCE) -> int:
        return await self._database.read(lambda c: live_count(c, source))

    async def ask(self, question: Callable[[Connection], object]) -> object:
        return await self._database.read(question)


@pytest.fixture
def store(database: Database) -> Store:
    return Store(database)


async def test_a_withdrawn_plan_leaves_every_look_up_and_a_tombstone_stays(store: Store) -> None:
    await store.write(plan("P1"), plan("P2"))
    assert await store.withdraw(Withdrawal("P1", 3)) == 1
    assert len(await store.found()) == await store.count() == 1
    assert await store.ask(lambda c: len(c.execute(select(plan_numbers)).all())) == 1
    (tombstone,) = await store.ask(lambda c: c.execute(select(ended_plans)).all())  # type: ignore[misc]
    assert (tombstone.version, tombstone.why, tombstone.ended_at) == (3, "withdrawn", NOW)
    kept = await store.ask(lambda c: c.execute(select(plans.c.id)).scalars().all())
    assert tombstone.id not in kept  # type: ignore[operator]


@one_database
@pytest.mark.parametrize(("version", "back"), [(2, 0), (3, 0), (4, 1)])
async def test_only_a_newer_version_brings_it_back(store: Store, version: int, back: int) -> None:
    await store.write(plan())
    (before,) = await store.found()
    await store.withdraw(Withdrawal("P1", 3))
    await store.write(plan(version=version))
    found = await store.found()
    assert found == [before] * back  # under the same id: who looked at it before is still known
    assert await store.ask(lambda c: len(c.execute(select(ended_plans)).all())) == 1 - back


@one_database
async def test_a_withdrawal_older_than_the_plan_changes_nothing(store: Store) -> None:
    await store.write(plan(version=5))
    assert await store.withdraw(Withdrawal("P1", 4)) == 0
    assert await store.count() == 1


async def test_a_withdrawal_that_comes_before_its_plan_holds(store: Store) -> None:
    assert await store.withdraw(Withdrawal("P1", 5)) == 0
    await store.write(plan(version=4))
    assert await store.found() == []
    await store.write(plan(version=6))
    assert len(await store.found()) == 1


async def test_withdrawn_again_by_a_newer_version_an_older_one_stays_out(store: Store) -> None:
    await store.write(plan(version=3))
    assert [await store.withdraw(Withdrawal("P1", version)) for version in (3, 7, 5)] == [1, 0, 0]
    await store.write(plan(version=7))
    assert await store.found() == []
    await store.write(plan(version=8))
    assert len(await store.found()) == 1


@one_database
async def test_the_same_withdrawal_twice_in_one_batch_ends_one_plan(store: Store) -> None:
    await store.write(plan())
    assert await store.withdraw(Withdrawal("P1", 3), Withdrawal("P1", 3)) == 1


@one_database
async def test_another_sources_plan_of_the_same_id_stays(store: Store) -> None:
    await store.write(plan(), plan(source="Demo Trust"))
    await store.withdraw(Withdrawal("P1", 3))
    assert (await store.count(), await store.count("Demo Trust")) == (0, 1)


async def test_a_plan_that_a_list_lacked_comes_back_with_the_next_list_that_has_it(store: Store) -> None:
    await store.write(plan())
    await store.withdraw(Withdrawal("P1", 3, absent=True))
    await store.write(plan(version=2))
    assert await store.found() == []
    await store.write(plan(version=3))
    assert len(await store.found()) == 1


async def test_a_restricted_plan_that_is_withdrawn_keeps_its_person_off_the_number(store: Store) -> None:
    await store.write(plan("P1", restricted=True), plan("P2", source="Demo Trust"))
    await store.withdraw(Withdrawal("P1", 3))
    await store.write(plan("P2", 4, source="Demo Trust"))
    assert await store.found() == []
    await store.write(plan("P1", 4))  # its source says: no longer restricted
    assert len(await store.found()) == 2


@one_database
async def test_a_withdrawal_that_fails_leaves_all_as_it_was(store: Store, database: Database) -> None:
    await store.write(plan())

    def fails(connection: Connection) -> None:
        withdraw_plans(connection, SEALER, SOURCE, [Withdrawal("P1", 3)], NOW)
        raise RuntimeError("the last moment")

    with pytest.raises(RuntimeError):
        await database.write(fails)
    assert len(await store.found()) == 1


def test_a_withdrawal_does_not_show_whose_plan_it_is() -> None:
    assert "9990000018" not in repr(Withdrawal("9990000018", 3))
