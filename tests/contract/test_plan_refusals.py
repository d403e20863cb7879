"""A patient's refusal withdraws what its sender has stored of them, and nothing else; on SQLite and PostgreSQL."""

from __future__ import annotations

import pytest

from careplans.rows import Row
from careplans.service import CarePlans
from careplans.sources.model import Delivered, RunState, Sender
from careplans.sources.runs import PlanRuns
from infra.crypto import KeyRing
from infra.numbers import read_number
from infra.sql import Database
from tests.plan_world import SYSTEM, HandClock, Script, of, plan

KEYS = KeyRing(b"m" * 32, b"i" * 32)
ALL_MAY_GO = Sender("trust", SYSTEM, most_withdrawn=1.0)
NUMBER, OF_ANOTHER = "9990000018", "9990000026"


def refusal(*named: str, version: int = 1, nhs_number: str | None = NUMBER) -> Row:
    values = {"plan_id": "Consent/r1", "version": version, "refuses": list(named), "nhs_number": nhs_number}
    return Row(9, values, refusal=True)


@pytest.fixture
def world(database: Database) -> tuple[PlanRuns, CarePlans]:
    clock = HandClock()
    return PlanRuns(database, KEYS, clock), CarePlans(database, KEYS, clock)


async def give(runs: PlanRuns, *rows: Row, sender: Sender = ALL_MAY_GO, name: str | None = None) -> Delivered:
    (delivered,) = await runs.run(Sender(name or sender.name, sender.system, sender.most_withdrawn), Once(rows))
    return delivered


class Once(Script):
    """One delivery, whatever was read before."""

    def __init__(self, rows: tuple[Row, ...]) -> None:
        super().__init__([[list(rows)]])

    async def read(self, cursor: str):  # type: ignore[no-untyped-def]
        async for batch in super().read(""):
            yield batch


async def found(plans: CarePlans, *lines: int) -> list[bool]:
    return [bool((await plans.match_number(read_number(f"07700 900{line}"))).candidates) for line in lines]


async def test_it_withdraws_every_plan_of_that_number_from_its_sender_and_no_other(
    world: tuple[PlanRuns, CarePlans],
) -> None:
    runs, plans = world
    theirs = [plan(101, nhs_number=NUMBER, version=7), plan(102, nhs_number=NUMBER, version=1)]
    others = [plan(103, nhs_number=OF_ANOTHER), plan(104)]
    await give(runs, *theirs, *others)
    await give(runs, *of("Elsewhere", [plan(105, nhs_number=NUMBER)]), sender=Sender("other", "Elsewhere"))
    done = await give(runs, refusal(version=3))
    assert (done.run.state, done.run.withdrawn, done.run.refused) == (RunState.DONE, 2, 0)
    assert await found(plans, 101, 102, 103, 104, 105) == [False, False, True, True, True]
    again = await give(runs, refusal(version=3))
    assert (again.run.withdrawn, again.run.refused) == (0, 0)  # it was heeded: nobody needs to look


async def test_one_that_names_a_plan_withdraws_that_one_and_comes_before_it_too(
    world: tuple[PlanRuns, CarePlans],
) -> None:
    runs, plans = world
    await give(runs, plan(101, "one", nhs_number=NUMBER), plan(102, "two", nhs_number=NUMBER))
    await give(runs, refusal("one", "three", version=5, nhs_number=None))
    await give(runs, plan(103, "three", nhs_number=NUMBER, version=4))
    assert await found(plans, 101, 102, 103) == [False, True, False]


async def test_one_of_somebody_unknown_waits_for_a_person_and_leaves_when_it_meets_a_plan(
    world: tuple[PlanRuns, CarePlans],
) -> None:
    runs, plans = world
    alone = await give(runs, refusal())
    assert [(fault.field, fault.reason) for fault in alone.refused] == [
        ("row", "is a refusal, and no plan of its patient is known here: see to it by hand")
    ]
    assert len(await runs.quarantined()) == 1
    await give(runs, plan(101, nhs_number=NUMBER))
    await give(runs, refusal(version=2))
    assert (await runs.quarantined(), await found(plans, 101)) == ([], [False])


async def test_more_than_a_person_may_lose_at_once_are_held_for_a_person(world: tuple[PlanRuns, CarePlans]) -> None:
    runs, plans = world
    await give(runs, plan(101, nhs_number=NUMBER), plan(102))
    held = await give(runs, refusal(), sender=Sender("trust", SYSTEM))
    assert (held.run.state, held.run.why, await found(plans, 101)) == (RunState.HELD, "too_many", [True])
    await runs.release(held.run.id)
    assert await found(plans, 101, 102) == [False, True]


async def test_a_number_that_fails_its_check_matches_nobody(world: tuple[PlanRuns, CarePlans]) -> None:
    runs, plans = world
    await give(runs, plan(101, nhs_number="9990000019"))
    await give(runs, refusal(nhs_number="9990000019"))
    assert (await found(plans, 101), len(await runs.quarantined())) == ([True], 1)
