"""A clinician's search, and one plan that two sources hold."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

import pytest
from plan_fixtures import Desk

from careplans.access.on_call import PlansOnCall
from careplans.model import MatchLevel, Viewer
from careplans.rows import Row
from careplans.sealing import plain
from careplans.service import CarePlans
from infra.numbers import read_number

MakeRow = Callable[..., Row]
BORN = date(1938, 4, 12)
NUMBER = read_number("07700 900101")
OTHER_NUMBER = "9990000026"


@pytest.mark.parametrize("written", ["9990000018", "999 000 0018", "999-000-0018"])
async def test_by_nhs_number_however_it_is_written(plans: CarePlans, row: MakeRow, written: str) -> None:
    await plans.load([row(), row(3, plan_id="P2", nhs_number="", family_name="Other")])
    match = await plans.find_by_nhs_number(written)
    assert (match.outcome, match.reason, match.people, len(match.candidates)) == ("candidates", "by_nhs_number", 1, 1)


@pytest.mark.parametrize("wrong", ["9990000019", "0000000000", "999000001", "", "Example", "٩٩٩٠٠٠٠٠١٨"])
async def test_a_number_that_fails_its_check_is_never_looked_up(plans: CarePlans, row: MakeRow, wrong: str) -> None:
    await plans.load([row(nhs_number="9990000019")])
    match = await plans.find_by_nhs_number(wrong)
    assert (match.outcome, match.reason) == (MatchLevel.NONE, "not_an_nhs_number")


@pytest.mark.parametrize(
    ("stored", "asked"),
    [
        ("O'Neill", "oneill"), ("Müller", "MULLER"), ("Strauß", "strauss"), ("Łukasz", "lukasz"), ("Ørsted", "Orsted"),
        ("Nguyễn", "nguyen"), ("Smith-Jones", "smith jones"), ("Иванов", "иванов"), ("محمّد", "محمد"), ("陳", "陳"),
        ("ﬁsher", "Fisher"), ("Example\u0301", "Exampl\u00e9"),
    ],
)  # fmt: skip
async def test_by_family_name_in_any_spelling_and_script(
    plans: CarePlans, row: MakeRow, stored: str, asked: str
) -> None:
    await plans.load([row(family_name=stored)])
    assert (await plans.find_by_name(asked, BORN)).people == 1
    assert (await plans.find_by_name(asked, date(1938, 4, 13))).outcome is MatchLevel.NONE


def test_vowel_signs_are_part_of_a_name() -> None:
    assert plain("कुमार") != plain("कमर")
    assert plain("José") == plain("Jose") == "jose"


async def test_two_people_of_one_name_and_birth_date_are_two(plans: CarePlans, row: MakeRow) -> None:
    await plans.load([row(), row(3, plan_id="P2", nhs_number=OTHER_NUMBER, given_name="Edwin")])
    assert (await plans.find_by_name("Example", BORN)).people == 2


async def test_a_name_without_letters_finds_nothing(plans: CarePlans, row: MakeRow) -> None:
    await plans.load([row(family_name="-")])
    match = await plans.find_by_name("-", BORN)
    assert (match.outcome, match.reason) == (MatchLevel.NONE, "no_name")


async def test_somebody_restricted_is_found_by_a_search_and_never_by_number(plans: CarePlans, row: MakeRow) -> None:
    await plans.load([row(restricted="yes")])
    assert (await plans.match_number(NUMBER)).outcome is MatchLevel.NONE
    for match in (await plans.find_by_nhs_number("9990000018"), await plans.find_by_name("Example", BORN)):
        assert [each.restricted for each in match.candidates] == [True]


async def test_a_search_that_the_store_does_not_answer_is_unavailable_never_none(broken_plans: CarePlans) -> None:
    for match in (
        await broken_plans.find_by_nhs_number("9990000018"),
        await broken_plans.find_by_name("Example", BORN),
    ):
        assert (match.outcome, match.reason) == (MatchLevel.UNAVAILABLE, "store_failed")


class TestOnePlanFromTwoSources:
    async def test_it_is_shown_once_with_both(
        self, plans: CarePlans, row: MakeRow, on_call: PlansOnCall, desk: Desk, handler: Viewer, clinician: Viewer
    ) -> None:
        await plans.load([row(), row(3, source="Demo Trust", plan_id="other", nhs_number="")])
        (candidate,) = (await plans.match_number(NUMBER)).candidates
        assert (candidate.source, candidate.also_in) == ("Demo Trust", ("Universal Care Plan",))
        call = await desk.ring()
        (by_birth,) = await on_call.open_by_birth_date(call, BORN, handler)
        assert (by_birth.source, by_birth.also_in) == ("Demo Trust", ("Universal Care Plan",))
        (checked,) = await on_call.open_checked(call, clinician)
        assert checked.also_in == ("Universal Care Plan",)
        (asserted,) = (await plans.assert_birth_date(NUMBER, BORN, "call-1", keyed=True)).candidates
        assert asserted.also_in == ("Universal Care Plan",)

    @pytest.mark.parametrize(
        "change",
        [
            {"detail": "Medicines are in the car."}, {"handler_line": "Offer nothing."}, {"valid_from": "2026-05-05"},
            {"kind": "crisis plan"}, {"author_org": "Another Hospice"}, {"review_by": "2028-01-01"},
            {"given_name": "Edwin", "nhs_number": ""},
        ],
    )  # fmt: skip
    async def test_whatever_differs_keeps_both(self, plans: CarePlans, row: MakeRow, change: dict[str, str]) -> None:
        await plans.load([row(), row(3, source="Demo Trust", **change)])
        found = (await plans.match_number(NUMBER)).candidates
        assert [each.also_in for each in found] == [(), ()]

    async def test_two_that_disagree_are_both_opened_newest_first(
        self, plans: CarePlans, row: MakeRow, on_call: PlansOnCall, desk: Desk, handler: Viewer
    ) -> None:
        await plans.load([row(), row(3, source="Demo Trust", valid_from="2026-06-01", handler_line="Not the hospice.")])
        opened = await on_call.open_by_birth_date(await desk.ring(), BORN, handler)
        assert [each.handler_line for each in opened] == ["Not the hospice.", "Offer the hospice line first."]

    async def test_two_of_one_source_stay_two(self, plans: CarePlans, row: MakeRow) -> None:
        await plans.load([row(), row(3, plan_id="P2")])
        assert len((await plans.match_number(NUMBER)).candidates) == 2

    async def test_a_plan_that_its_source_changes_is_no_longer_the_same(self, plans: CarePlans, row: MakeRow) -> None:
        await plans.load([row(), row(3, source="Demo Trust")])
        await plans.load([row(version=4, detail="Changed.")])
        assert len((await plans.match_number(NUMBER)).candidates) == 2
