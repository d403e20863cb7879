"""What an import changes: newer versions only, all or nothing, and the number index in step."""

from __future__ import annotations

from collections.abc import Callable
from itertools import permutations

import pytest

from careplans.errors import PlanStoreFailed
from careplans.model import ImportReport, MatchLevel
from careplans.rows import Row
from careplans.service import CarePlans
from infra.numbers import read_number

MakeRow = Callable[..., Row]
NUMBER = read_number("07700 900101")
OTHER = read_number("020 7946 0101")


async def found(plans: CarePlans, number: str = "07700 900101") -> list[str]:
    match = await plans.match_number(read_number(number))
    assert match.outcome is not MatchLevel.UNAVAILABLE
    return [candidate.source for candidate in match.candidates]


async def test_the_same_file_again_changes_nothing(plans: CarePlans, row: MakeRow) -> None:
    rows = [row(2), row(3, plan_id="P2")]
    assert await plans.load(rows) == ImportReport(imported=2)
    before = await plans.match_number(NUMBER)
    assert await plans.load(rows) == ImportReport(unchanged=2)
    assert await plans.match_number(NUMBER) == before


async def test_a_newer_version_replaces_and_keeps_its_id(plans: CarePlans, row: MakeRow) -> None:
    await plans.load([row(version=3)])
    (before,) = (await plans.match_number(NUMBER)).candidates
    assert await plans.load([row(version=4, kind="crisis plan", phones="020 7946 0101")]) == ImportReport(updated=1)
    (after,) = (await plans.match_number(OTHER)).candidates
    assert (after.plan_id, after.kind) == (before.plan_id, "crisis_plan")
    assert await found(plans) == []


@pytest.mark.parametrize("version", [2, 3])
async def test_an_older_or_equal_version_changes_nothing(plans: CarePlans, row: MakeRow, version: int) -> None:
    await plans.load([row(version=3)])
    assert await plans.load([row(version=version, phones="020 7946 0101")]) == ImportReport(unchanged=1)
    assert (await found(plans), await found(plans, "020 7946 0101")) == (["Universal Care Plan"], [])


@pytest.mark.parametrize("order", list(permutations((1, 2, 3))))
async def test_whatever_the_order_in_a_file_the_newest_wins(
    plans: CarePlans, row: MakeRow, order: tuple[int, ...]
) -> None:
    numbers = {1: "07700 900101", 2: "07700 900102", 3: "07700 900103"}
    report = await plans.load([row(at, version=at, phones=numbers[at]) for at in order])
    assert (report.imported, report.updated + report.unchanged) == (1, 2)
    assert [await found(plans, number) for number in numbers.values()] == [[], [], ["Universal Care Plan"]]


async def test_one_id_in_two_sources_is_two_plans(plans: CarePlans, row: MakeRow) -> None:
    assert await plans.load([row(2), row(3, source="Demo Trust")]) == ImportReport(imported=2)


async def test_a_copied_row_with_other_content_is_refused(plans: CarePlans, row: MakeRow) -> None:
    report = await plans.load([row(2), row(3, given_name="Farid", nhs_number="9990000026")])
    assert report.imported == 1
    assert [(f.line, f.field, f.reason) for f in report.refused] == [
        (3, "plan_id", "the same version of it stands on line 2")
    ]


async def test_more_plans_than_a_batch(plans: CarePlans, row: MakeRow) -> None:
    rows = [row(at, plan_id=f"P{at}", nhs_number="", family_name=f"F{at}") for at in range(450)]
    assert await plans.load(rows) == ImportReport(imported=450)
    assert (await plans.match_number(NUMBER)).people == 450


async def test_a_failing_store_refuses_the_whole_import(broken_plans: CarePlans, row: MakeRow) -> None:
    with pytest.raises(PlanStoreFailed):
        await broken_plans.load([row()])


class TestRestricted:
    """ "A patient who becomes restricted leaves the number index in the same transaction." (docs/safety/rules.md, 7)"""

    async def test_a_restricted_plan_is_not_found_by_number(self, plans: CarePlans, row: MakeRow) -> None:
        assert await plans.load([row(restricted="yes")]) == ImportReport(imported=1)
        assert await found(plans) == []

    async def test_becoming_restricted_takes_all_plans_of_the_person_out(self, plans: CarePlans, row: MakeRow) -> None:
        await plans.load([row(2), row(3, source="Demo Trust")])
        await plans.load([row(version=4, restricted="yes")])
        assert await found(plans) == []

    async def test_a_new_plan_of_a_restricted_person_stays_out(self, plans: CarePlans, row: MakeRow) -> None:
        await plans.load([row(restricted="yes")])
        await plans.load([row(source="Demo Trust", nhs_number="")])
        assert await found(plans) == []

    async def test_others_on_the_line_stay_in(self, plans: CarePlans, row: MakeRow) -> None:
        await plans.load([row(2), row(3, source="Demo Trust", nhs_number="9990000026")])
        await plans.load([row(version=4, restricted="yes")])
        assert await found(plans) == ["Demo Trust"]

    async def test_no_longer_restricted_all_come_back(self, plans: CarePlans, row: MakeRow) -> None:
        await plans.load([row(2, restricted="yes"), row(3, source="Demo Trust", detail="Other words.")])
        await plans.load([row(version=4, restricted="no")])
        assert sorted(await found(plans)) == ["Demo Trust", "Universal Care Plan"]

    async def test_a_plan_moved_to_its_right_person_frees_the_wrong_one(self, plans: CarePlans, row: MakeRow) -> None:
        await plans.load([row(2, restricted="yes"), row(3, source="Demo Trust")])
        await plans.load([row(version=4, restricted="yes", nhs_number="9990000026", given_name="Farid")])
        assert await found(plans) == ["Demo Trust"]
