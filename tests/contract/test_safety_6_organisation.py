"""docs/safety/rules.md, 6: a call that came to one organisation opens to nobody of another: neither plans nor page."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from functools import partial
from types import SimpleNamespace
from typing import cast

import pytest
from sqlalchemy import select

from callrouter import events as ev
from callrouter.call_backs.service import CallBackList, taken_back_by
from callrouter.calls import Calls
from callrouter.desk import Desk, NotYourCall
from callrouter.handover import Role, SignedIn
from callrouter.journal import Journal, seal
from callrouter.model import CallRecord
from callrouter.plans.matched_calls import JournalCalls
from callrouter.plans.pages import viewer_of
from callrouter.view import CallView
from callrouter.welfare.service import Left, Task, Welfare, taken_on_by
from careplans.access.on_call import PlansOnCall
from careplans.audit.tables import plan_audit
from careplans.audit.trail import AuditTrail
from careplans.errors import NoRelationship
from careplans.kinds import PlanKind
from careplans.model import Person, Plan
from careplans.sealing import Sealer
from careplans.store import plans
from careplans.writing import write_plans
from console.calls import add_calls
from infra.crypto import KeyRing
from infra.numbers import read_number
from infra.sql import Database
from tests.console_browser import Console
from tests.hand_clock import HandClock

KEYS = KeyRing(b"m" * 32, b"i" * 32)
NOON = datetime(2026, 6, 15, 12, tzinfo=UTC)
CONTEXT, BORN = "c" * 32, date(1938, 4, 12)
ORGANISATIONS = {"north": "Zznorth", "south": "Zzsouth", "clinicians": ""}
NINA = SignedIn("u-1", Role.CLINICIAN, "s-1", "Zznorth", "Nina")
SOL = SignedIn("u-2", Role.CLINICIAN, "s-2", "Zzsouth", "Sol")


async def told(_task: Task) -> bool:
    return True


class World:
    def __init__(self, database: Database) -> None:
        self.database = database
        clock = HandClock(NOON)
        self.journal = Journal(database, KEYS)
        looks_after = partial(taken_on_by, database), partial(taken_back_by, database)
        calls = JournalCalls(self.journal, ORGANISATIONS, *looks_after)
        self.on_call = PlansOnCall(database, KEYS, clock, AuditTrail(database, KEYS, clock), calls)
        self.noted: list[tuple[str, ev.Event]] = []
        self.desk = Desk(self.journal, cast(Calls, self), self.on_call, calls, {}, clock)
        self.call_backs = CallBackList(database, KEYS, clock)
        self.welfare = Welfare(database, KEYS, clock, told)

    async def call(self, *providers: str) -> None:
        """A call of which one plan is a candidate, put through to these, one after the other."""
        person = Person("Edith", "Example", BORN, "9990000018", ("+447700900101",))
        told = ("Zzline.", "Zzdetail.", date(2026, 5, 4), None, 1, False)
        plan = Plan("P1", "Demo", "Demo Hospice", PlanKind.CRISIS, person, *told)
        await self.database.write(lambda c: write_plans(c, Sealer(KEYS), [plan], NOON))
        (plan_id,) = await self.database.read(lambda c: c.execute(select(plans.c.id)).scalars().all())
        happened: list[ev.Event] = [
            ev.Offered(network="sip", dialled="111", cli_class="present", flow="f", flow_version="1", context=CONTEXT),
            ev.LookedUp(what="plan", gap="", took_ms=1.0, outcome="candidates", detail={"candidates": [plan_id]}),
            *(ev.LegStarted(provider=each, service="111", band="routine") for each in providers),
        ]
        key = KEYS.new_data_key()
        await self.journal.write([seal(each, "call", seq, NOON, key) for seq, each in enumerate(happened, 1)])

    async def opens(self, who: SignedIn) -> bool:
        try:
            return len(await self.on_call.open_by_birth_date(CONTEXT, BORN, viewer_of(who))) == 1
        except NoRelationship:
            return False

    async def note(self, call_ref: str, event: ev.Event) -> bool:
        """The door, as far as the page needs it."""
        self.noted.append((call_ref, event))
        return True

    async def sees_page(self, who: SignedIn) -> bool:
        try:
            return await self.desk.page(CONTEXT, who) is not None
        except NotYourCall:
            return False

    async def recorded(self) -> list[str]:
        query = select(plan_audit.c.what).order_by(plan_audit.c.seq)
        return [str(each) for each in await self.database.read(lambda c: c.execute(query).scalars().all())]


@pytest.fixture
def world(database: Database) -> World:
    return World(database)


one_database = pytest.mark.parametrize("database_kind", ["sqlite"])


async def test_a_plan_opens_to_whom_the_call_came_and_the_refusal_is_recorded(world: World) -> None:
    await world.call("north")
    assert await world.opens(NINA)
    assert not await world.opens(SOL)
    assert await world.recorded() == ["checked_right", "refused"]


async def test_its_page_opens_to_whom_the_call_came_and_counts_for_nobody_else(world: World) -> None:
    """An opened page is also a sign that somebody has the caller: of a stranger it would be a wrong one."""
    await world.call("north")
    assert await world.sees_page(NINA)
    assert not await world.sees_page(SOL)
    assert world.noted == [("call", ev.ContextOpened(role="clinician", user="u-1"))]
    assert await world.recorded() == ["refused"]


@one_database
async def test_a_stranger_reads_why_and_a_clinician_where_to_break_the_glass(world: World) -> None:
    await world.call("north")
    console = Console(HandClock(NOON), lambda router, web: add_calls(router, web, world.desk, HandClock(NOON)))
    for role in (Role.CLINICIAN, Role.HANDLER):
        async with console.browser(SignedIn("u-2", role, "s-2", "Zzsouth", "Sol")) as sol:
            page = await sol.client.get(f"/calls/{CONTEXT}")
            tried = await sol.send(f"/calls/{CONTEXT}/check", {"day": "12", "month": "4", "year": "1938"})
        assert (page.status_code, tried.status_code) == (403, 403)
        assert "did not come to your organisation" in page.text
        assert ("/plans/emergency" in page.text) == (role is Role.CLINICIAN)
        assert "900101" not in page.text
    async with console.browser(NINA) as nina:
        assert (await nina.client.get(f"/calls/{CONTEXT}")).status_code == 200


@one_database
@pytest.mark.parametrize(
    ("providers", "sol"),
    [
        (("north", "south"), True),  # passed on: both have it
        (("north", "clinicians"), True),  # nobody says of whom these clinicians are: no bar
        ((), True),  # it has come to nobody yet
        (("north", "unknown"), True),  # left the file since
        (("north", "north"), False),
    ],
)
async def test_where_nobody_says_whose_it_is_nobody_is_barred(
    world: World, providers: tuple[str, ...], sol: bool
) -> None:
    await world.call(*providers)
    assert await world.opens(SOL) is sol
    assert await world.sees_page(SOL) is sol


@one_database
async def test_who_has_taken_on_its_welfare_task_may_open_it(world: World) -> None:
    await world.call("north")
    await world.welfare.make(Left("call", CONTEXT, "choose", NOON, "+447700900101"))
    assert not await world.opens(SOL)
    (task,) = await world.welfare.tasks(SOL)
    await world.welfare.acknowledge(task.id, SOL)
    assert await world.opens(SOL)
    assert await world.sees_page(SOL)


@one_database
async def test_who_has_taken_on_the_call_back_may_open_it(world: World) -> None:
    await world.call("north")
    owed = SimpleNamespace(first="call", context=CONTEXT, number=read_number("07700 900101"), arrived_at=NOON)
    assert await world.call_backs.promise(cast(CallRecord, owed), "111")
    assert not await world.opens(SOL)
    await world.call_backs.call_ended(CallView("call", CONTEXT, "sip", None, "withheld", NOON, ended_at=NOON))
    (promised,) = await world.call_backs.listed(SOL)
    await world.call_backs.take(promised.id, SOL)
    for sol in (SOL, replace(SOL, name="Dr Sol Example")):  # the name may change from one sign-in to the next
        assert await world.opens(sol)
        assert await world.sees_page(sol)


@one_database
async def test_who_signs_in_without_an_organisation_is_of_none(world: World) -> None:
    await world.call("north")
    assert not await world.opens(SignedIn("u-3", Role.HANDLER, "s-3"))
