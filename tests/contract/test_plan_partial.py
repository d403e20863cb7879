"""A telephone number that cannot be read: what is loaded without it, what waits, and how nothing of it is lost."""

from __future__ import annotations

from dataclasses import replace

import pytest

from careplans.kinds import PlanKind
from careplans.model import MatchLevel, Viewer
from careplans.service import CarePlans
from careplans.sources.discards import WhyDiscarded
from careplans.sources.model import Sender
from careplans.sources.partial import KEPT
from careplans.sources.runs import PlanRuns
from infra.crypto import KeyRing
from infra.numbers import read_number
from infra.sql import Database
from tests.plan_world import SYSTEM, HandClock, Script, plan

KEYS = KeyRing(b"m" * 32, b"i" * 32)
GOOD, OTHER = "07700 900101", "020 7946 0101"
HALF = f"{GOOD};ask the daughter"
LEFT_OUT = ("phones", "number 2 is not a telephone number: it is left out")
NONE_LEFT = (("phones", "number 1 is not a telephone number: it is left out"), ("phones", KEPT))


class House:
    def __init__(self, database: Database) -> None:
        clock = HandClock()
        self.runs = PlanRuns(database, KEYS, clock)
        self.store = CarePlans(database, KEYS, clock)
        self.given: list[list[list[object]]] = []

    async def gets(self, *phones: str, version: int = 3, **changes: object) -> list[str]:
        """One delivery of plan P1 with these numbers; what its report says was odd or refused."""
        self.given.append([[plan(1, phones=each, version=version, **changes) for each in phones]])
        (done,) = await self.runs.run(Sender("trust", SYSTEM), Script(self.given))  # type: ignore[arg-type]
        self.run = done.run
        return [f"{each.line}: {each.field}: {each.reason}" for each in (*done.refused, *done.odd)]

    async def waiting(self) -> list[tuple[tuple[tuple[str, str], ...], bool]]:
        return [(each.faults, each.loaded) for each in await self.runs.quarantined()]

    async def kinds(self, number: str) -> list[PlanKind]:
        return [each.kind for each in (await self.store.match_number(read_number(number))).candidates]

    async def finds(self, number: str) -> bool:
        return (await self.store.match_number(read_number(number))).outcome is MatchLevel.CANDIDATES


@pytest.fixture
def house(database: Database) -> House:
    return House(database)


async def test_the_plan_is_found_by_the_others_and_the_bad_one_is_told_and_kept(house: House) -> None:
    assert await house.gets(HALF) == ["1: phones: number 2 is not a telephone number: it is left out"]
    assert (house.run.imported, house.run.refused, house.run.warnings) == (1, 0, 1)
    assert await house.finds(GOOD)
    assert await house.waiting() == [((LEFT_OUT,), True)]
    await house.gets(HALF)
    assert (house.run.unchanged, [each.times for each in await house.runs.quarantined()]) == (1, [2])


@pytest.mark.parametrize("version", [3, 4], ids=["in the same version", "in a newer one"])
async def test_corrected_it_is_found_by_both_and_nothing_waits(house: House, version: int) -> None:
    await house.gets(HALF)
    await house.gets(f"{GOOD};{OTHER}", version=version)
    assert (house.run.updated, await house.finds(GOOD), await house.finds(OTHER)) == (1, True, True)
    assert await house.waiting() == []


async def test_one_of_two_mended_in_the_same_version_is_taken_and_the_other_waits(house: House) -> None:
    await house.gets(f"{GOOD};ask the daughter;or the son")
    await house.gets(f"{GOOD};{OTHER};or the son")
    assert (house.run.updated, await house.finds(GOOD), await house.finds(OTHER)) == (1, True, True)
    assert [loaded for _, loaded in await house.waiting()] == [True]


@pytest.mark.parametrize("restricted", ["", "yes"], ids=["open", "restricted"])
async def test_corrected_after_it_was_discarded_it_is_taken_once(house: House, restricted: str) -> None:
    await house.gets(HALF, restricted=restricted)
    (waits,) = await house.runs.quarantined()
    assert await house.runs.discard(waits.id, WhyDiscarded.CORRECTED, Viewer("governor", "administrator"))
    for updated in (1, 0):
        await house.gets(f"{GOOD};{OTHER}", restricted=restricted)
        assert (house.run.updated, await house.finds(OTHER)) == (updated, not restricted)
    await house.gets(GOOD, restricted=restricted)
    assert (house.run.unchanged, await house.waiting()) == (1, [])


async def test_with_no_number_that_can_be_read_it_is_found_otherwise(house: House) -> None:
    await house.gets("ask the daughter", nhs_number="9990000018")
    assert (await house.store.find_by_nhs_number("9990000018")).people == 1
    assert [loaded for _, loaded in await house.waiting()] == [True]


async def test_who_is_found_by_number_is_not_lost_by_a_spelling_and_the_newest_words_are_told(house: House) -> None:
    await house.gets(GOOD, kind="crisis plan")
    await house.gets("ask the daughter", version=4, kind="contingency plan")
    assert (house.run.refused, house.run.updated, await house.kinds(GOOD)) == (0, 1, [PlanKind.CONTINGENCY])
    assert await house.waiting() == [(NONE_LEFT, True)]
    await house.gets("ask the son", version=5)
    assert (house.run.updated, await house.finds(GOOD)) == (1, True)


async def test_the_number_kept_goes_when_its_own_can_be_read_also_after_it_was_discarded(house: House) -> None:
    await house.gets(GOOD)
    await house.gets("ask the daughter", version=4)
    (waits,) = await house.runs.quarantined()
    assert await house.runs.discard(waits.id, WhyDiscarded.CORRECTED, Viewer("governor", "administrator"))
    await house.gets(OTHER, version=4)
    assert (house.run.updated, await house.finds(GOOD), await house.finds(OTHER)) == (1, False, True)
    assert await house.waiting() == []


async def test_of_two_versions_that_come_together_the_newer_keeps_the_numbers_of_the_other(house: House) -> None:
    together = [plan(1, "P1", phones=GOOD, version=3), plan(1, "P1", phones="ask the daughter", version=4)]
    house.given.append([[replace(each, line=at) for at, each in enumerate(together, start=1)]])
    await house.runs.run(Sender("trust", SYSTEM), Script(house.given))  # type: ignore[arg-type]
    assert await house.finds(GOOD)


@pytest.mark.parametrize("order", [1, -1], ids=["the older first", "the newer first"])
async def test_of_two_newer_versions_that_come_together_with_no_number_the_last_is_found_as_before(
    house: House, order: int
) -> None:
    await house.gets(GOOD, version=3)
    together = [plan(1, "P1", phones="ask the daughter", version=each) for each in (4, 5)][::order]
    house.given.append([[replace(each, line=at) for at, each in enumerate(together, start=1)]])
    await house.runs.run(Sender("trust", SYSTEM), Script(house.given))  # type: ignore[arg-type]
    assert await house.finds(GOOD)


@pytest.mark.parametrize(
    "correction",
    [{"nhs_number": "9990000026"}, {"family_name": "Zzmarried"}],
    ids=["the NHS number", "the name"],
)
async def test_a_correction_with_no_number_that_can_be_read_is_taken_and_found_by_the_numbers_before(
    house: House, correction: dict[str, str]
) -> None:
    await house.gets(GOOD, nhs_number="9990000018")
    right = {"nhs_number": "9990000018"} | correction
    await house.gets("ask the daughter", version=4, **right)
    assert (house.run.updated, await house.finds(GOOD)) == (1, True)
    assert (await house.store.find_by_nhs_number("9990000018")).people == int(right["nhs_number"] == "9990000018")
    assert (await house.store.find_by_nhs_number(right["nhs_number"])).people == 1
    assert await house.waiting() == [(NONE_LEFT, True)]


async def test_a_kept_number_finds_nobody_while_they_are_restricted_and_again_when_they_are_not(house: House) -> None:
    await house.gets(GOOD)
    await house.gets("ask the daughter", version=4, restricted="yes")
    assert not await house.finds(GOOD)
    await house.gets("ask the daughter", version=5)
    assert await house.finds(GOOD)


async def test_the_wrong_patients_number_finds_a_corrected_plan_no_longer(house: House) -> None:
    await house.gets(GOOD)
    right = {"nhs_number": "9990000018", "family_name": "Zzother", "date_of_birth": "1950-01-01"}
    await house.gets("ask the daughter", version=4, **right)
    assert (house.run.updated, await house.finds(GOOD)) == (1, False)
    assert (await house.store.find_by_nhs_number("9990000018")).people == 1
    assert await house.waiting() == [((NONE_LEFT[0],), True)]


async def test_who_becomes_restricted_in_it_leaves_the_number(house: House) -> None:
    await house.gets(GOOD)
    await house.gets("ask the daughter", version=4, restricted="yes")
    assert (house.run.updated, await house.finds(GOOD)) == (1, False)


async def test_one_that_comes_late_says_nothing_of_what_is_stored(house: House) -> None:
    await house.gets(GOOD, version=5)
    await house.gets(HALF, version=4)
    assert (house.run.unchanged, await house.waiting()) == (1, [])


async def test_a_late_record_does_not_take_the_place_of_a_newer_one_that_waits(house: House) -> None:
    await house.gets(GOOD, version=7, kind="?")
    await house.gets(HALF, version=4)
    ((faults, loaded),) = await house.waiting()
    assert (faults[0][0], loaded) == ("kind", False)
