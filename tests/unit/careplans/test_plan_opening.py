"""Who may open what: only a right birth date of one person, or a clinician who has checked; all recorded."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from plan_fixtures import Desk, HandClock
from sqlalchemy import select

from careplans.access.on_call import PlansOnCall
from careplans.audit.spool import AuditSpool
from careplans.audit.tables import plan_audit
from careplans.audit.trail import AuditTrail
from careplans.errors import NoRelationship, NotAllowed, PlanStoreFailed, PlanUnreadable, SeveralPeople, TooManyTries
from careplans.model import Viewer
from careplans.rows import Row
from careplans.service import CarePlans
from careplans.store import plan_numbers
from careplans.store import plans as plan_rows
from infra.crypto import KeyRing
from infra.sql import Database

MakeRow = Callable[..., Row]
RIGHT, WRONG = date(1938, 4, 12), date(1938, 4, 13)


async def views(database: Database) -> list[Any]:
    query = select(plan_audit).order_by(plan_audit.c.seq)
    return list(await database.read(lambda connection: connection.execute(query).all()))


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


class TestTries:
    """ "At most a set number of tries": the right date after too many wrong ones opens nothing."""

    async def test_the_sixth_is_refused_even_if_right(
        self, plans: CarePlans, on_call: PlansOnCall, desk: Desk, database: Database, row: MakeRow, handler: Viewer
    ) -> None:
        await plans.load([row()])
        call = await desk.ring()
        for _ in range(5):
            assert await on_call.open_by_birth_date(call, WRONG, handler) == ()
        with pytest.raises(TooManyTries):
            await on_call.open_by_birth_date(call, RIGHT, handler)
        assert [view.what for view in await views(database)] == ["checked_wrong"] * 5 + ["refused"]

    async def test_the_number_is_a_setting(
        self, database: Database, keyring: KeyRing, plans: CarePlans, trail: AuditTrail, desk: Desk, row: MakeRow,
        handler: Viewer,
    ) -> None:  # fmt: skip
        on_call = PlansOnCall(database, keyring, desk.clock, trail, desk, tries=1)
        await plans.load([row()])
        call = await desk.ring()
        await on_call.open_by_birth_date(call, WRONG, handler)
        with pytest.raises(TooManyTries):
            await on_call.open_by_birth_date(call, RIGHT, handler)

    async def test_one_try_on_a_shared_line_counts_once(
        self, database: Database, keyring: KeyRing, plans: CarePlans, trail: AuditTrail, desk: Desk, row: MakeRow,
        handler: Viewer,
    ) -> None:  # fmt: skip
        on_call = PlansOnCall(database, keyring, desk.clock, trail, desk, tries=2)
        await plans.load([row(at, plan_id=f"P{at}", nhs_number="", family_name=f"F{at}") for at in range(4)])
        call = await desk.ring()
        await on_call.open_by_birth_date(call, WRONG, handler)
        assert await on_call.open_by_birth_date(call, WRONG, handler) == ()

    async def test_a_change_of_the_index_key_gives_nobody_more(
        self, on_call: PlansOnCall, database: Database, plans: CarePlans, desk: Desk, row: MakeRow, handler: Viewer
    ) -> None:
        await plans.load([row()])
        call = await desk.ring()
        for _ in range(5):
            await on_call.open_by_birth_date(call, WRONG, handler)
        newer = KeyRing(b"n" * 32, b"j" * 32, [(b"m" * 32, b"i" * 32)])
        trail = AuditTrail(database, newer, desk.clock)
        with pytest.raises(TooManyTries):
            await PlansOnCall(database, newer, desk.clock, trail, desk).open_by_birth_date(call, RIGHT, handler)

    async def test_being_right_costs_no_try(
        self, plans: CarePlans, on_call: PlansOnCall, desk: Desk, row: MakeRow, handler: Viewer
    ) -> None:
        await plans.load([row()])
        call = await desk.ring()
        for _ in range(8):
            assert len(await on_call.open_by_birth_date(call, RIGHT, handler)) == 1

    @pytest.mark.parametrize(("other", "context"), [("harry", "call-1"), ("hannah", "call-2")])
    async def test_another_person_or_call_has_its_own(
        self,
        plans: CarePlans,
        on_call: PlansOnCall,
        desk: Desk,
        row: MakeRow,
        handler: Viewer,
        other: str,
        context: str,
    ) -> None:
        await plans.load([row()])
        call = await desk.ring()
        for _ in range(5):
            await on_call.open_by_birth_date(call, WRONG, handler)
        assert len(await on_call.open_by_birth_date(await desk.ring(context), RIGHT, Viewer(other, "handler"))) == 1


class TestRoles:
    @pytest.mark.parametrize(
        "role",
        ["ambulance", "public_health", "commissioner", "information_governance", "administrator", "", "Handler"],
    )
    async def test_who_takes_no_calls_opens_nothing(
        self, plans: CarePlans, on_call: PlansOnCall, desk: Desk, database: Database, row: MakeRow, role: str
    ) -> None:
        await plans.load([row()])
        call = await desk.ring()
        viewer = Viewer("walter", role)
        with pytest.raises(NotAllowed):
            await on_call.open_by_birth_date(call, RIGHT, viewer)
        with pytest.raises(NotAllowed):
            await on_call.open_checked(call, viewer)
        assert [view.what for view in await views(database)] == ["refused", "refused"]

    async def test_a_clinician_opens_with_i_have_checked(
        self, plans: CarePlans, on_call: PlansOnCall, desk: Desk, database: Database, row: MakeRow, clinician: Viewer
    ) -> None:
        await plans.load([row()])
        (opened,) = await on_call.open_checked(await desk.ring(), clinician)
        (plan,) = desk.ids()
        assert (opened.person, opened.detail) == ("Edith Example", "Medicines are in the house.")
        assert [(view.what, view.plan, view.role) for view in await views(database)] == [("opened", plan, "clinician")]

    async def test_a_handler_may_not_say_i_have_checked(
        self, plans: CarePlans, on_call: PlansOnCall, desk: Desk, row: MakeRow, handler: Viewer
    ) -> None:
        await plans.load([row()])
        with pytest.raises(NotAllowed):
            await on_call.open_checked(await desk.ring(), handler)

    async def test_on_a_shared_line_i_have_checked_does_not_say_whom(
        self, plans: CarePlans, on_call: PlansOnCall, desk: Desk, database: Database, row: MakeRow, clinician: Viewer
    ) -> None:
        await plans.load([row(2), row(3, plan_id="P2", nhs_number="9990000026", given_name="Ethel")])
        with pytest.raises(SeveralPeople):
            await on_call.open_checked(await desk.ring(), clinician)
        assert [view.what for view in await views(database)] == ["refused"]

    async def test_a_plan_restricted_during_the_call_does_not_open(
        self, plans: CarePlans, on_call: PlansOnCall, desk: Desk, row: MakeRow, clinician: Viewer
    ) -> None:
        await plans.load([row()])
        call = await desk.ring()
        await plans.load([row(version=4, restricted="yes")])
        assert await on_call.open_checked(call, clinician) == ()


class TestRelationship:
    """ "During a call matched to the plan and 60 min after." (docs/safety/rules.md, 6)"""

    async def test_a_call_that_nobody_handed_over_opens_nothing(
        self, on_call: PlansOnCall, database: Database, clinician: Viewer
    ) -> None:
        with pytest.raises(NoRelationship):
            await on_call.open_by_birth_date("call-9", RIGHT, clinician)
        with pytest.raises(NoRelationship):
            await on_call.open_checked("call-9", clinician)
        assert [view.what for view in await views(database)] == ["refused", "refused"]

    async def test_another_call_opens_only_its_own_plans(
        self, plans: CarePlans, on_call: PlansOnCall, desk: Desk, row: MakeRow, handler: Viewer, clinician: Viewer
    ) -> None:
        await plans.load([row()])
        other = await desk.ring("call-2", "07700 900199")
        assert await on_call.open_by_birth_date(other, RIGHT, handler) == ()
        assert await on_call.open_checked(other, clinician) == ()

    async def test_it_lasts_sixty_minutes_after_the_call(
        self, plans: CarePlans, on_call: PlansOnCall, desk: Desk, row: MakeRow, handler: Viewer, clinician: Viewer
    ) -> None:
        await plans.load([row()])
        call = await desk.ring()
        desk.hang_up()
        desk.clock.move(minutes=60)
        assert len(await on_call.open_by_birth_date(call, RIGHT, handler)) == 1
        desk.clock.move(seconds=1)
        with pytest.raises(NoRelationship):
            await on_call.open_by_birth_date(call, RIGHT, handler)
        with pytest.raises(NoRelationship):
            await on_call.open_checked(call, clinician)


class TestTheRecordCannotBeWritten:
    """ "Audit fails open for a plan on a live call (shown, entry spooled, alert)." (docs/safety/rules.md, 6)"""

    @pytest.fixture
    async def call(self, plans: CarePlans, desk: Desk, database: Database, row: MakeRow) -> str:
        await plans.load([row()])
        await database.write(plan_audit.drop)
        return await desk.ring()

    async def test_the_plan_is_shown_and_the_entry_kept(
        self, on_call: PlansOnCall, desk: Desk, call: str, handler: Viewer, clinician: Viewer,
        capfd: pytest.CaptureFixture[str],
    ) -> None:  # fmt: skip
        assert len(await on_call.open_by_birth_date(call, RIGHT, handler)) == 1
        (opened,) = await on_call.open_checked(call, clinician)
        assert opened.detail
        logged = capfd.readouterr().out
        assert logged.count("audit_entry_spooled") == 2
        assert desk.ids()[0] in logged
        assert "hannah" not in logged

    async def test_what_was_kept_is_entered_later_in_order_and_once(
        self, on_call: PlansOnCall, trail: AuditTrail, database: Database, call: str, handler: Viewer, clinician: Viewer
    ) -> None:
        await on_call.open_by_birth_date(call, WRONG, handler)
        await on_call.open_by_birth_date(call, RIGHT, handler)
        await database.write(plan_audit.create)
        await on_call.open_checked(call, clinician)  # what waits goes before it
        assert await trail.settle() == 0
        recorded = [(view.what, view.late) for view in await views(database)]
        assert recorded == [("checked_wrong", True), ("checked_right", True), ("opened", False)]

    async def test_what_a_dead_process_kept_is_entered_by_the_next(
        self, on_call: PlansOnCall, database: Database, call: str, handler: Viewer, keyring: KeyRing, clock: HandClock,
        spool: AuditSpool, tmp_path: Path,
    ) -> None:  # fmt: skip
        await on_call.open_by_birth_date(call, RIGHT, handler)
        await database.write(plan_audit.create)
        spool.close()  # as the system does for a process that dies
        heir = AuditTrail(database, keyring, clock, AuditSpool(tmp_path / "spool"))
        assert await heir.settle() == 1
        assert [(view.what, view.late) for view in await views(database)] == [("checked_right", True)]
        assert await AuditTrail(database, keyring, clock, AuditSpool(tmp_path / "spool")).settle() == 0

    async def test_tries_are_still_counted(self, on_call: PlansOnCall, call: str, handler: Viewer) -> None:
        for _ in range(5):
            assert await on_call.open_by_birth_date(call, WRONG, handler) == ()
        with pytest.raises(TooManyTries):
            await on_call.open_by_birth_date(call, RIGHT, handler)

    async def test_after_the_call_nothing_is_shown_without_its_record(
        self, on_call: PlansOnCall, desk: Desk, call: str, handler: Viewer, clinician: Viewer
    ) -> None:
        desk.hang_up()
        with pytest.raises(PlanStoreFailed):
            await on_call.open_by_birth_date(call, RIGHT, handler)
        with pytest.raises(PlanStoreFailed):
            await on_call.open_checked(call, clinician)


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
