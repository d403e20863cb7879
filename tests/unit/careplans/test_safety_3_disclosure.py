"""docs/safety/rules.md, 3 (plans: match levels and disclosure), sentence by sentence, as far as the store keeps it.

What callers hear is in tests/flows/test_safety_3_what_callers_hear.py; what pages show in tests/unit/console.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from datetime import date

import pytest
from plan_fixtures import Desk
from sqlalchemy import select

from careplans.access.on_call import PlansOnCall
from careplans.audit.tables import plan_audit
from careplans.errors import NotAllowed, TooManyTries
from careplans.model import Candidate, Match, MatchLevel, Viewer
from careplans.rows import Row
from careplans.service import DAILY_TRIES, CarePlans
from infra.numbers import read_number
from infra.sql import Database

MakeRow = Callable[..., Row]
NUMBER = read_number("07700 900101")
RIGHT, WRONG = date(1938, 4, 12), date(1938, 4, 13)
FARID = {"plan_id": "P2", "nhs_number": "9990000026", "given_name": "Farid", "date_of_birth": "1971-09-30"}
TWIN = {"plan_id": "P2", "nhs_number": "9990000026", "given_name": "Ethel"}


def test_the_levels_are_none_candidates_asserted_confirmed_unavailable() -> None:
    assert [*MatchLevel] == ["none", "candidates", "asserted", "confirmed", "unavailable"]


@pytest.mark.parametrize("others", [[], [FARID], [TWIN]], ids=["one person", "two people", "twins"])
async def test_a_number_alone_gives_candidates_never_more(
    plans: CarePlans, row: MakeRow, others: list[dict[str, object]]
) -> None:
    await plans.load([row(), *(row(at, **each) for at, each in enumerate(others, 3))])
    assert (await plans.match_number(NUMBER)).outcome is MatchLevel.CANDIDATES


async def test_asserted_is_a_birth_date_that_equals_that_of_exactly_one_candidate(
    plans: CarePlans, row: MakeRow
) -> None:
    await plans.load([row(), row(3, **FARID)])
    match = await plans.assert_birth_date(NUMBER, date(1971, 9, 30), "call", keyed=True)
    assert (match.outcome, match.people, len(match.candidates)) == (MatchLevel.ASSERTED, 1, 1)


async def test_asserted_is_nobody_where_two_candidates_have_that_birth_date(plans: CarePlans, row: MakeRow) -> None:
    await plans.load([row(), row(3, **TWIN)])
    assert (await plans.assert_birth_date(NUMBER, RIGHT, "call", keyed=True)).outcome is MatchLevel.CANDIDATES


def test_neither_level_says_who_is_speaking_or_makes_an_nhs_number_verified() -> None:
    carried = {each.name for kind in (Match, Candidate) for each in fields(kind)}
    assert not carried & {
        "person",
        "name",
        "given_name",
        "family_name",
        "nhs_number",
        "nhs_key",
        "birth_date",
        "phones",
    }


async def test_confirmed_needs_a_signed_in_person_who_checked_with_the_caller(
    plans: CarePlans, on_call: PlansOnCall, desk: Desk, row: MakeRow, database: Database, handler: Viewer
) -> None:
    """The witness of a confirmation is the audit: who, as what, in which call, of which plan. A caller is none."""
    await plans.load([row()])
    await plans.assert_birth_date(NUMBER, RIGHT, "ref-call-1", keyed=True)
    await on_call.open_by_birth_date(await desk.ring(), RIGHT, handler)
    query = select(plan_audit.c.role, plan_audit.c.what, plan_audit.c.call_ref, plan_audit.c.plan)
    rows = await database.read(lambda connection: [tuple(each) for each in connection.execute(query)])
    (plan,) = desk.ids()
    assert rows == [(role, "checked_right", "ref-call-1", plan) for role in ("caller", "handler")]


async def test_five_a_day_for_a_number_then_right_and_wrong_answer_alike(plans: CarePlans, row: MakeRow) -> None:
    await plans.load([row()])
    for number in range(DAILY_TRIES):
        await plans.assert_birth_date(NUMBER, WRONG, f"call {number}", keyed=True)
    answers = [await plans.assert_birth_date(NUMBER, born, "call", keyed=True) for born in (RIGHT, WRONG)]
    assert answers[0] == answers[1] == await plans.match_number(NUMBER)
    assert DAILY_TRIES == 5


async def test_wrong_is_answered_as_a_line_is_answered_that_was_not_asked(plans: CarePlans, row: MakeRow) -> None:
    await plans.load([row()])
    for number in (NUMBER, read_number("07700 900199")):
        assert await plans.assert_birth_date(number, WRONG, "call", keyed=True) == await plans.match_number(number)


async def test_until_confirmed_a_handler_sees_a_count_and_only_the_match_opens(
    plans: CarePlans, on_call: PlansOnCall, desk: Desk, row: MakeRow, handler: Viewer
) -> None:
    await plans.load([row(), row(3, **FARID), row(4, plan_id="P3", nhs_number="9990000034", family_name="Third",
                                                 date_of_birth="1990-01-01")])  # fmt: skip
    match = await plans.match_number(NUMBER)
    assert (match.people, match.reason) == (3, "shared_line")
    assert not any(word in repr(match) for word in ("Edith", "Farid", "hospice", "1938"))
    assert await on_call.open_by_birth_date(await desk.ring(), WRONG, handler) == ()
    opened = await on_call.open_by_birth_date("call-1", date(1971, 9, 30), handler)
    assert [each.person for each in opened] == ["Farid Example"]


async def test_wrong_and_no_plan_look_the_same_to_who_types(
    plans: CarePlans, on_call: PlansOnCall, desk: Desk, row: MakeRow, handler: Viewer
) -> None:
    await plans.load([row()])
    wrong = await on_call.open_by_birth_date(await desk.ring(), WRONG, handler)
    nobody = await on_call.open_by_birth_date(await desk.ring("call-2", "07700 900199"), RIGHT, handler)
    assert wrong == nobody == ()


async def test_who_types_has_five_wrong_dates_in_a_call(
    plans: CarePlans, on_call: PlansOnCall, desk: Desk, row: MakeRow, handler: Viewer
) -> None:
    await plans.load([row()])
    call = await desk.ring()
    for day in range(1, 6):
        await on_call.open_by_birth_date(call, date(1938, 1, day), handler)
    with pytest.raises(TooManyTries):
        await on_call.open_by_birth_date(call, RIGHT, handler)


async def test_a_clinician_opens_with_i_have_checked_and_it_is_recorded(
    plans: CarePlans, on_call: PlansOnCall, desk: Desk, row: MakeRow, database: Database, clinician: Viewer,
    handler: Viewer,
) -> None:  # fmt: skip
    await plans.load([row()])
    assert len(await on_call.open_checked(await desk.ring(), clinician)) == 1
    with pytest.raises(NotAllowed):
        await on_call.open_checked("call-1", handler)
    query = select(plan_audit.c.what, plan_audit.c.role).order_by(plan_audit.c.seq)
    rows = await database.read(lambda connection: [tuple(each) for each in connection.execute(query)])
    assert rows == [("opened", "clinician"), ("refused", "handler")]


async def test_unavailable_is_never_none(broken_plans: CarePlans) -> None:
    assert (await broken_plans.match_number(NUMBER)).outcome is MatchLevel.UNAVAILABLE
    assert (await broken_plans.assert_birth_date(NUMBER, RIGHT, "call", keyed=True)).outcome is MatchLevel.UNAVAILABLE


async def test_restricted_patients_are_never_found_by_number_at_any_level(plans: CarePlans, row: MakeRow) -> None:
    await plans.load([row(restricted="yes")])
    assert (await plans.match_number(NUMBER)).outcome is MatchLevel.NONE
    assert (await plans.assert_birth_date(NUMBER, RIGHT, "call", keyed=True)).outcome is MatchLevel.NONE
