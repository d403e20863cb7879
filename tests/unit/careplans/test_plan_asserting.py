"""A date of birth keyed by the caller: whom it asserts, how often it may be tried, and that it opens nothing."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

from plan_fixtures import HandClock
from sqlalchemy import select

from careplans.audit.tables import plan_audit
from careplans.model import MatchLevel
from careplans.rows import Row
from careplans.service import DAILY_TRIES, CarePlans
from infra.numbers import read_number
from infra.sql import Database

MakeRow = Callable[..., Row]
NUMBER = read_number("07700 900101")
RIGHT, WRONG = date(1938, 4, 12), date(1938, 4, 13)


async def test_right_day_asserts_the_one_person(plans: CarePlans, row: MakeRow) -> None:
    await plans.load([row()])
    match = await plans.assert_birth_date(NUMBER, RIGHT, "call", keyed=True)

    assert (match.outcome, match.people) == (MatchLevel.ASSERTED, 1)
    assert [each.raises for each in match.candidates] == [True]


async def test_wrong_day_and_no_plan_say_what_the_number_says(plans: CarePlans, row: MakeRow) -> None:
    assert (await plans.assert_birth_date(NUMBER, RIGHT, "call", keyed=True)).outcome is MatchLevel.NONE
    await plans.load([row()])

    assert await plans.assert_birth_date(NUMBER, WRONG, "call", keyed=True) == await plans.match_number(NUMBER)


async def test_two_people_of_one_birthday_on_a_line_are_not_told_apart(plans: CarePlans, row: MakeRow) -> None:
    await plans.load([row(), row(3, plan_id="P2", nhs_number="9990000026", given_name="Other", family_name="Person")])

    assert (await plans.assert_birth_date(NUMBER, RIGHT, "call", keyed=True)).outcome is MatchLevel.CANDIDATES


async def test_after_five_wrong_ones_a_day_a_right_one_says_no_more(
    plans: CarePlans, row: MakeRow, clock: HandClock
) -> None:
    await plans.load([row()])
    for number in range(DAILY_TRIES):
        await plans.assert_birth_date(NUMBER, WRONG, f"call{number}", keyed=True)
    assert (await plans.assert_birth_date(NUMBER, RIGHT, "call", keyed=True)).outcome is MatchLevel.CANDIDATES

    clock.move(hours=25)
    assert (await plans.assert_birth_date(NUMBER, RIGHT, "call", keyed=True)).outcome is MatchLevel.ASSERTED


async def test_every_try_is_recorded_without_number_or_name(plans: CarePlans, row: MakeRow, database: Database) -> None:
    await plans.load([row()])
    await plans.assert_birth_date(NUMBER, WRONG, "call", keyed=True)
    await plans.assert_birth_date(NUMBER, RIGHT, "call", keyed=True)
    rows = await database.read(lambda connection: connection.execute(select(plan_audit)).mappings().all())

    assert [each["what"] for each in rows] == ["checked_wrong", "checked_right"]
    assert {each["role"] for each in rows} == {"caller"}
    assert "900101" not in repr(rows)
    assert "Edith" not in repr(rows)


async def test_failing_store_asserts_nothing(broken_plans: CarePlans) -> None:
    assert (await broken_plans.assert_birth_date(NUMBER, RIGHT, "call", keyed=True)).outcome is MatchLevel.UNAVAILABLE
