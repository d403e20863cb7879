"""Who may open what: only a right birth date of one person, or a clinician who has checked; all recorded."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

import pytest
from plan_fixtures import HandClock
from sqlalchemy import select

from careplans.errors import NoSuchPlan, NotAllowed, PlanStoreFailed, PlanUnreadable, TooManyTries
from careplans.model import Viewer
from careplans.rows import Row
from careplans.service import CarePlans
from careplans.store import plan_numbers, plan_views
from careplans.store import plans as plan_rows
from infra.crypto import KeyRing
from infra.numbers import read_number
from infra.sql import Database

MakeRow = Callable[..., Row]
RIGHT, WRONG = date(1938, 4, 12), date(1938, 4, 13)


async def candidates(plans: CarePlans, number: str = "07700 900101") -> list[str]:
    return [each.plan_id for each in (await plans.match_number(read_number(number))).candidates]


async def views(database: Database) -> list[Any]:
    query = select(plan_views).order_by(plan_views.c.id)
    return list(await database.read(lambda connection: connection.execute(query).all()))


async def test_a_handler_opens_with_the_right_birth_date(plans: CarePlans, row: MakeRow, handler: Viewer) -> None:
    await plans.load([row()])
    (opened,) = await plans.open_by_birth_date(await candidates(plans), RIGHT, handler)
    assert (opened.person, opened.handler_line) == ("Edith Example", "Offer the hospice line first.")
    assert (opened.source, opened.author_org, opened.kind) == (
        "Universal Care Plan", "Demo Hospice", "end_of_life_care_plan",
    )  # fmt: skip
    assert (opened.valid_from, opened.review_by, opened.stale) == (date(2026, 5, 4), date(2027, 5, 4), False)
    assert opened.detail is None


async def test_detail_is_for_clinicians(plans: CarePlans, row: MakeRow, clinician: Viewer) -> None:
    await plans.load([row()])
    (opened,) = await plans.open_by_birth_date(await candidates(plans), RIGHT, clinician)
    assert opened.detail == "Medicines are in the house."


async def test_a_wrong_birth_date_opens_nothing(
    plans: CarePlans, database: Database, row: MakeRow, handler: Viewer
) -> None:
    await plans.load([row()])
    ids = await candidates(plans)
    assert await plans.open_by_birth_date(ids, WRONG, handler) == ()
    assert [(view.what, view.plan) for view in await views(database)] == [("checked_wrong", ids[0])]


async def test_on_a_shared_line_only_the_match_opens(plans: CarePlans, row: MakeRow, handler: Viewer) -> None:
    farid = {"plan_id": "P2", "nhs_number": "9990000026", "given_name": "Farid", "date_of_birth": "1971-09-30"}
    await plans.load([row(2), row(3, **farid)])
    ids = await candidates(plans)
    assert len(ids) == 2
    assert [each.person for each in await plans.open_by_birth_date(ids, date(1971, 9, 30), handler)] == [
        "Farid Example"
    ]


async def test_two_persons_born_on_one_day_do_not_open(
    plans: CarePlans, database: Database, row: MakeRow, handler: Viewer
) -> None:
    twin = {"plan_id": "P2", "nhs_number": "9990000026", "given_name": "Ethel"}
    await plans.load([row(2), row(3, **twin)])
    assert await plans.open_by_birth_date(await candidates(plans), RIGHT, handler) == ()
    assert [view.what for view in await views(database)] == ["checked_wrong", "checked_wrong"]


async def test_two_plans_of_one_person_that_disagree_both_open_newest_first(
    plans: CarePlans, row: MakeRow, handler: Viewer
) -> None:
    older = {"source": "Demo Trust", "valid_from": "2025-01-01", "handler_line": "Never offer the hospice line."}
    await plans.load([row(2, **older), row(3)])
    opened = await plans.open_by_birth_date(await candidates(plans), RIGHT, handler)
    assert [each.handler_line for each in opened] == [
        "Offer the hospice line first.",
        "Never offer the hospice line.",
    ]


async def test_a_bad_nhs_number_joins_no_two_persons(plans: CarePlans, row: MakeRow, handler: Viewer) -> None:
    bad = {"nhs_number": "9990000019"}
    await plans.load([row(2, **bad), row(3, plan_id="P2", given_name="Ethel", **bad)])
    assert await plans.open_by_birth_date(await candidates(plans), RIGHT, handler) == ()


async def test_a_stale_plan_opens_and_says_so(
    plans: CarePlans, row: MakeRow, handler: Viewer, clock: HandClock
) -> None:
    await plans.load([row()])
    clock.move(days=400)
    (opened,) = await plans.open_by_birth_date(await candidates(plans), RIGHT, handler)
    assert (opened.stale, opened.raises) == (True, True)


async def test_a_plan_restricted_during_the_call_no_longer_opens_by_birth_date(
    plans: CarePlans, row: MakeRow, handler: Viewer
) -> None:
    await plans.load([row()])
    ids = await candidates(plans)
    await plans.load([row(version=4, restricted="yes")])
    assert await plans.open_by_birth_date(ids, RIGHT, handler) == ()


async def test_no_candidates_no_plan_but_a_record(plans: CarePlans, database: Database, handler: Viewer) -> None:
    assert await plans.open_by_birth_date([], RIGHT, handler) == ()
    assert await plans.open_by_birth_date(["Edith Example"], RIGHT, handler) == ()
    assert [(view.what, view.plan) for view in await views(database)] == [("checked_wrong", None)] * 2


async def test_the_record_names_nobody(
    plans: CarePlans, database: Database, row: MakeRow, handler: Viewer, clock: HandClock
) -> None:
    await plans.load([row()])
    ids = await candidates(plans)
    await plans.open_by_birth_date(ids, RIGHT, handler)
    (view,) = await views(database)
    assert (view.at, view.role, view.call_ref) == (clock.now(), "handler", "call-1")
    assert (view.plan, view.what) == (ids[0], "checked_right")
    assert "hannah" not in repr(view)
    assert len(view.viewer) == 64


class TestTries:
    """ "At most a set number of tries": the right date after too many wrong ones opens nothing."""

    async def test_the_sixth_is_refused_even_if_right(
        self, plans: CarePlans, database: Database, row: MakeRow, handler: Viewer
    ) -> None:
        await plans.load([row()])
        ids = await candidates(plans)
        for _ in range(5):
            assert await plans.open_by_birth_date(ids, WRONG, handler) == ()
        with pytest.raises(TooManyTries):
            await plans.open_by_birth_date(ids, RIGHT, handler)
        assert [view.what for view in await views(database)] == ["checked_wrong"] * 5 + ["refused"]

    async def test_the_number_is_a_setting(
        self, database: Database, keyring: KeyRing, clock: HandClock, row: MakeRow, handler: Viewer
    ) -> None:
        plans = CarePlans(database, keyring, clock, tries=1)
        await plans.load([row()])
        ids = await candidates(plans)
        await plans.open_by_birth_date(ids, WRONG, handler)
        with pytest.raises(TooManyTries):
            await plans.open_by_birth_date(ids, RIGHT, handler)

    async def test_one_try_on_a_shared_line_counts_once(
        self, database: Database, keyring: KeyRing, clock: HandClock, row: MakeRow, handler: Viewer
    ) -> None:
        plans = CarePlans(database, keyring, clock, tries=2)
        await plans.load([row(at, plan_id=f"P{at}", nhs_number="", family_name=f"F{at}") for at in range(4)])
        ids = await candidates(plans)
        await plans.open_by_birth_date(ids, WRONG, handler)
        assert await plans.open_by_birth_date(ids, WRONG, handler) == ()

    async def test_being_right_costs_no_try(self, plans: CarePlans, row: MakeRow, handler: Viewer) -> None:
        await plans.load([row()])
        ids = await candidates(plans)
        for _ in range(8):
            assert len(await plans.open_by_birth_date(ids, RIGHT, handler)) == 1

    @pytest.mark.parametrize("other", [Viewer("harry", "handler", "call-1"), Viewer("hannah", "handler", "call-2")])
    async def test_another_person_or_call_has_its_own(
        self, plans: CarePlans, row: MakeRow, handler: Viewer, other: Viewer
    ) -> None:
        await plans.load([row()])
        ids = await candidates(plans)
        for _ in range(5):
            await plans.open_by_birth_date(ids, WRONG, handler)
        assert len(await plans.open_by_birth_date(ids, RIGHT, other)) == 1


class TestRoles:
    @pytest.mark.parametrize(
        "role",
        ["ambulance", "public_health", "commissioner", "information_governance", "administrator", "", "Handler"],
    )
    async def test_who_takes_no_calls_opens_nothing(
        self, plans: CarePlans, database: Database, row: MakeRow, role: str
    ) -> None:
        await plans.load([row()])
        ids = await candidates(plans)
        viewer = Viewer("walter", role, "call-1")
        with pytest.raises(NotAllowed):
            await plans.open_by_birth_date(ids, RIGHT, viewer)
        with pytest.raises(NotAllowed):
            await plans.open_checked(ids[0], viewer)
        assert [view.what for view in await views(database)] == ["refused", "refused"]

    async def test_a_clinician_opens_with_i_have_checked(
        self, plans: CarePlans, database: Database, row: MakeRow, clinician: Viewer
    ) -> None:
        await plans.load([row()])
        (plan,) = await candidates(plans)
        opened = await plans.open_checked(plan, clinician)
        assert (opened.person, opened.detail) == ("Edith Example", "Medicines are in the house.")
        assert [(view.what, view.plan, view.role) for view in await views(database)] == [("opened", plan, "clinician")]

    async def test_a_handler_may_not_say_i_have_checked(self, plans: CarePlans, row: MakeRow, handler: Viewer) -> None:
        await plans.load([row()])
        with pytest.raises(NotAllowed):
            await plans.open_checked((await candidates(plans))[0], handler)

    async def test_an_unknown_plan_is_no_plan(self, plans: CarePlans, clinician: Viewer) -> None:
        with pytest.raises(NoSuchPlan):
            await plans.open_checked("0" * 32, clinician)


class TestTheRecordCannotBeWritten:
    """ "Audit fails open for a plan on a live call (shown, entry spooled, alert)." (docs/safety/rules.md, 6)"""

    @pytest.fixture
    async def ids(self, plans: CarePlans, database: Database, row: MakeRow) -> list[str]:
        await plans.load([row()])
        await database.write(plan_views.drop)
        return await candidates(plans)

    async def test_the_plan_is_shown_and_the_entry_kept(
        self,
        plans: CarePlans,
        ids: list[str],
        handler: Viewer,
        clinician: Viewer,
        capfd: pytest.CaptureFixture[str],
    ) -> None:
        assert len(await plans.open_by_birth_date(ids, RIGHT, handler)) == 1
        assert (await plans.open_checked(ids[0], clinician)).detail
        logged = capfd.readouterr().out
        assert logged.count("plan_view_unrecorded") == 2
        assert ids[0] in logged
        assert "hannah" not in logged

    async def test_tries_are_still_counted(self, plans: CarePlans, ids: list[str], handler: Viewer) -> None:
        for _ in range(5):
            assert await plans.open_by_birth_date(ids, WRONG, handler) == ()
        with pytest.raises(TooManyTries):
            await plans.open_by_birth_date(ids, RIGHT, handler)


async def test_plans_that_cannot_be_read_do_not_open(
    plans: CarePlans, database: Database, row: MakeRow, handler: Viewer, clinician: Viewer
) -> None:
    await plans.load([row()])
    ids = await candidates(plans)
    stranger = CarePlans(database, KeyRing(b"w" * 32, b"i" * 32), HandClock())
    with pytest.raises(PlanUnreadable):
        await stranger.open_by_birth_date(ids, RIGHT, handler)
    await database.write(plan_numbers.drop)
    await database.write(plan_rows.drop)
    with pytest.raises(PlanStoreFailed):
        await plans.open_by_birth_date(ids, RIGHT, handler)
    with pytest.raises(PlanStoreFailed):
        await plans.open_checked(ids[0], clinician)


@pytest.mark.parametrize("column", ["person", "content", "wrapped_key"])
async def test_sealed_columns_cannot_be_swapped_between_plans(
    plans: CarePlans, database: Database, row: MakeRow, clinician: Viewer, column: str
) -> None:
    await plans.load([row(2), row(3, plan_id="P2")])
    ids = await candidates(plans)
    swap = f"UPDATE plans SET {column} = (SELECT max({column}) FROM plans)"
    await database.write(lambda connection: connection.exec_driver_sql(swap))
    unreadable = 0
    for plan in ids:
        try:
            await plans.open_checked(plan, clinician)
        except PlanUnreadable:
            unreadable += 1
    assert unreadable == 1
