"""What opens, and to what: only a right birth date of one person, or a clinician who has checked; all recorded."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

import pytest
from plan_fixtures import Desk, HandClock, views

from careplans.access.on_call import PlansOnCall
from careplans.audit.trail import AuditTrail
from careplans.errors import PlanStoreFailed, PlanUnreadable
from careplans.model import Viewer
from careplans.rows import Row
from careplans.service import CarePlans
from careplans.store import plan_numbers
from careplans.store import plans as plan_rows
from infra.crypto import KeyRing
from infra.sql import Database

MakeRow = Callable[..., Row]
RIGHT, WRONG = date(1938, 4, 12), date(1938, 4, 13)


async def test_a_handler_opens_with_the_right_birth_date(
    plans: CarePlans, on_call: PlansOnCall, desk: Desk, row: MakeRow, handler: Viewer
) -> None:
    await plans.load([row()])
    (opened,) = await on_call.open_by_birth_date(await desk.ring(), RIGHT, handler)
    assert (opened.person, opened.handler_line) == ("Edith Example", "Offer the hospice line first.")
    assert (opened.source, opened.author_org, opened.kind) == (
        "Universal Care Plan", "Demo Hospice", "end_of_life_care_plan",
    )  # fmt: skip
    assert (opened.valid_from, opened.review_by, opened.stale) == (date(2026, 5, 4), date(2027, 5, 4), False)
    assert opened.detail is None


async def test_detail_is_for_clinicians(
    plans: CarePlans, on_call: PlansOnCall, desk: Desk, row: MakeRow, clinician: Viewer
) -> None:
    await plans.load([row()])
    (opened,) = await on_call.open_by_birth_date(await desk.ring(), RIGHT, clinician)
    assert opened.detail == "Medicines are in the house."


async def test_a_wrong_birth_date_opens_nothing(
    plans: CarePlans, on_call: PlansOnCall, desk: Desk, database: Database, row: MakeRow, handler: Viewer
) -> None:
    await plans.load([row()])
    call = await desk.ring()
    assert await on_call.open_by_birth_date(call, WRONG, handler) == ()
    assert [(view.what, view.plan) for view in await views(database)] == [("checked_wrong", desk.ids()[0])]


async def test_on_a_shared_line_only_the_match_opens(
    plans: CarePlans, on_call: PlansOnCall, desk: Desk, row: MakeRow, handler: Viewer
) -> None:
    farid = {"plan_id": "P2", "nhs_number": "9990000026", "given_name": "Farid", "date_of_birth": "1971-09-30"}
    await plans.load([row(2), row(3, **farid)])
    call = await desk.ring()
    assert len(desk.ids()) == 2
    assert [each.person for each in await on_call.open_by_birth_date(call, date(1971, 9, 30), handler)] == [
        "Farid Example"
    ]


async def test_two_persons_born_on_one_day_do_not_open(
    plans: CarePlans, on_call: PlansOnCall, desk: Desk, database: Database, row: MakeRow, handler: Viewer
) -> None:
    twin = {"plan_id": "P2", "nhs_number": "9990000026", "given_name": "Ethel"}
    await plans.load([row(2), row(3, **twin)])
    assert await on_call.open_by_birth_date(await desk.ring(), RIGHT, handler) == ()
    assert [view.what for view in await views(database)] == ["checked_wrong", "checked_wrong"]


async def test_two_plans_of_one_person_that_disagree_both_open_newest_first(
    plans: CarePlans, on_call: PlansOnCall, desk: Desk, row: MakeRow, handler: Viewer
) -> None:
    older = {"source": "Demo Trust", "valid_from": "2025-01-01", "handler_line": "Never offer the hospice line."}
    await plans.load([row(2, **older), row(3)])
    opened = await on_call.open_by_birth_date(await desk.ring(), RIGHT, handler)
    assert [each.handler_line for each in opened] == [
        "Offer the hospice line first.",
        "Never offer the hospice line.",
    ]


async def test_a_bad_nhs_number_joins_no_two_persons(
    plans: CarePlans, on_call: PlansOnCall, desk: Desk, row: MakeRow, handler: Viewer
) -> None:
    bad = {"nhs_number": "9990000019"}
    await plans.load([row(2, **bad), row(3, plan_id="P2", given_name="Ethel", **bad)])
    assert await on_call.open_by_birth_date(await desk.ring(), RIGHT, handler) == ()


async def test_a_stale_plan_opens_and_says_so(
    plans: CarePlans, on_call: PlansOnCall, desk: Desk, row: MakeRow, handler: Viewer, clock: HandClock
) -> None:
    await plans.load([row()])
    clock.move(days=400)
    (opened,) = await on_call.open_by_birth_date(await desk.ring(), RIGHT, handler)
    assert (opened.stale, opened.raises) == (True, True)


async def test_a_plan_restricted_during_the_call_no_longer_opens_by_birth_date(
    plans: CarePlans, on_call: PlansOnCall, desk: Desk, row: MakeRow, handler: Viewer
) -> None:
    await plans.load([row()])
    call = await desk.ring()
    await plans.load([row(version=4, restricted="yes")])
    assert await on_call.open_by_birth_date(call, RIGHT, handler) == ()


async def test_no_candidates_no_plan_but_a_record(
    plans: CarePlans, on_call: PlansOnCall, desk: Desk, database: Database, handler: Viewer
) -> None:
    assert await on_call.open_by_birth_date(await desk.ring(), RIGHT, handler) == ()
    assert [(view.what, view.plan) for view in await views(database)] == [("checked_wrong", None)]


async def test_the_record_names_nobody(
    plans: CarePlans,
    on_call: PlansOnCall,
    desk: Desk,
    database: Database,
    row: MakeRow,
    handler: Viewer,
    clock: HandClock,
) -> None:
    await plans.load([row()])
    call = await desk.ring()
    await on_call.open_by_birth_date(call, RIGHT, handler)
    (view,) = await views(database)
    assert (view.at, view.role, view.call_ref) == (clock.now(), "handler", "ref-call-1")
    assert (view.plan, view.what) == (desk.ids()[0], "checked_right")
    assert "hannah" not in repr(view)
    assert len(view.actor) == 64


async def test_plans_that_cannot_be_read_do_not_open(
    plans: CarePlans,
    on_call: PlansOnCall,
    desk: Desk,
    database: Database,
    row: MakeRow,
    handler: Viewer,
    clinician: Viewer,
) -> None:
    await plans.load([row()])
    call = await desk.ring()
    other_keys = KeyRing(b"w" * 32, b"i" * 32)
    stranger = PlansOnCall(database, other_keys, desk.clock, AuditTrail(database, other_keys, desk.clock), desk)
    with pytest.raises(PlanUnreadable):
        await stranger.open_by_birth_date(call, RIGHT, handler)
    await database.write(plan_numbers.drop)
    await database.write(plan_rows.drop)
    with pytest.raises(PlanStoreFailed):
        await on_call.open_by_birth_date(call, RIGHT, handler)
    with pytest.raises(PlanStoreFailed):
        await on_call.open_checked(call, clinician)


@pytest.mark.parametrize("column", ["person", "content", "wrapped_key"])
async def test_sealed_columns_cannot_be_swapped_between_plans(
    plans: CarePlans, on_call: PlansOnCall, desk: Desk, database: Database, row: MakeRow, clinician: Viewer, column: str
) -> None:
    await plans.load([row(2), row(3, plan_id="P2")])
    call = await desk.ring()
    swap = f"UPDATE plans SET {column} = (SELECT max({column}) FROM plans)"
    await database.write(lambda connection: connection.exec_driver_sql(swap))
    with pytest.raises(PlanUnreadable):
        await on_call.open_checked(call, clinician)
