"""Who may open plans on a call, how often, and until when."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

import pytest
from plan_fixtures import Desk, views

from careplans.access.on_call import PlansOnCall
from careplans.audit.trail import AuditTrail
from careplans.errors import NoRelationship, NotAllowed, SeveralPeople, TooManyTries
from careplans.model import Viewer
from careplans.rows import Row
from careplans.service import CarePlans
from infra.crypto import KeyRing
from infra.sql import Database

MakeRow = Callable[..., Row]
RIGHT, WRONG = date(1938, 4, 12), date(1938, 4, 13)


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
