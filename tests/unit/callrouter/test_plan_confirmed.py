"""docs/safety/rules.md, 3: a plan is *confirmed* when a signed-in person checked it with the caller.

The call learns of it: its journal, its page, its facts.

The door, the store of plans, the audit, the journal and the page's desk are the real ones.
"""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from call_world import House, NewHouse
from structlog.testing import capture_logs

from callrouter import events as ev
from callrouter.cli.call import summary
from callrouter.desk import Desk
from callrouter.handover import Role, SignedIn
from callrouter.journal import seal
from callrouter.model import InputKind, Reply
from callrouter.plans.matched_calls import JournalCalls
from callrouter.plans.pathways import FoundPlans
from callrouter.timeline import in_words, rows
from callrouter.view import CallView, fold
from careplans.access.on_call import PlansOnCall
from careplans.audit.trail import AuditTrail
from careplans.service import CarePlans
from careplans.store import metadata
from ivr.engine import come_back
from ivr.model import Band
from tests.plan_house import BORN, row

HANDLER, CLINICIAN = SignedIn("u-1", Role.HANDLER, "s-1"), SignedIn("u-2", Role.CLINICIAN, "s-2")
WRONG = date(1938, 4, 13)
FARID = {"plan_id": "P9", "nhs_number": "9990000026", "given_name": "Farid", "date_of_birth": "1971-09-30"}


class World:
    """A house whose line 07700 900101 has plans, and the desk where the call's page is opened."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.trail = AuditTrail(house.database, house.keys, house.clock)
        self.plans = CarePlans(house.database, house.keys, house.clock, self.trail)
        house.facts.plan = FoundPlans(self.plans).find
        matched = JournalCalls(house.journal)
        on_call = PlansOnCall(house.database, house.keys, house.clock, self.trail, matched)
        self.desk = Desk(house.journal, house.door, on_call, matched, {}, house.clock)

    async def open(self, *others: dict[str, object]) -> None:
        await self.house.database.write(metadata.create_all)
        assert not (await self.plans.load([row(2), *(row(at, **each) for at, each in enumerate(others, 3))])).refused

    async def talk(self, call_ref: str = "call") -> Reply:
        """The caller presses 1 and is answered; the journal is written."""
        await self.house.press("1", await self.house.start(call_ref, number="07700 900101"))
        reply = await self.house.tell(InputKind.LEG_ANSWERED, call_ref=call_ref)
        await self.house.writer.drain()
        return reply

    async def view(self, call_ref: str = "call") -> CallView:
        view = fold(await self.house.recorded(call_ref))
        assert view is not None
        return view

    async def said(self, context: str) -> tuple[str, bool, bool]:
        """What the page says of plans, whether it knows since when, and of a later check that did not match."""
        await self.house.writer.drain()
        page = await self.desk.page(context, HANDLER)
        assert page is not None
        return page.plan.outcome, page.plan.confirmed_at is not None, page.plan.unmatched_at is not None

    async def fact(self) -> Any:
        record = await self.house.door.record("call")
        assert record is not None
        return record.session.facts["plan"], record.session.band


@pytest.fixture
async def world(new_house: NewHouse) -> World:
    made = World(await new_house())
    await made.open()
    return made


async def test_the_right_date_of_birth_confirms_in_journal_page_and_facts(world: World) -> None:
    reply = await world.talk()
    assert (await world.view()).plan_level == "candidates"
    assert await world.fact() == ("candidates", Band.RAISED)

    (shown,) = await world.desk.check_birth_date(reply.context, BORN, HANDLER)

    (event,) = await world.house.events(ev.PlanChecked)
    assert shown.person == "Edith O’Example-Jones"
    assert (event.role, event.by, event.outcome, event.raises, event.user) == (
        "handler", "birth_date", "confirmed", True, "u-1",
    )  # fmt: skip
    assert await world.house.events(ev.AgeBandKnown) == [ev.AgeBandKnown(by="plan", band="65+")]
    view = await world.view()
    assert event.plans == (found.candidates if (found := view.finding("plan")) else None)
    assert view.plan_level == "confirmed"
    assert await world.fact() == ("confirmed", Band.RAISED)
    page = await world.desk.page(reply.context, HANDLER)
    assert page is not None
    assert (page.plan.outcome, page.plan.reason) == ("confirmed", "birth_date")
    told = [each.text for each in rows(await world.house.recorded(), {})]
    assert "A handler checked the date of birth that the caller gave: confirmed" in told


async def test_a_clinician_who_has_checked_confirms(world: World) -> None:
    reply = await world.talk()
    assert len(await world.desk.open_checked(reply.context, CLINICIAN)) == 1
    (event,) = await world.house.events(ev.PlanChecked)
    assert (event.role, event.by, event.outcome) == ("clinician", "said", "confirmed")
    assert await world.house.events(ev.AgeBandKnown) == [ev.AgeBandKnown(by="plan", band="65+")]
    assert (await world.view()).plan_level == "confirmed"


async def test_a_wrong_date_of_birth_confirms_nothing_and_takes_nothing_back(world: World) -> None:
    reply = await world.talk()
    assert await world.desk.check_birth_date(reply.context, WRONG, HANDLER) == ()
    assert await world.house.events(ev.AgeBandKnown) == []
    assert (await world.view()).plan_level == "candidates"
    assert await world.fact() == ("candidates", Band.RAISED)
    await world.desk.check_birth_date(reply.context, BORN, HANDLER)
    assert await world.said(reply.context) == ("confirmed", True, False)
    await world.desk.check_birth_date(reply.context, WRONG, HANDLER)
    assert (await world.view()).plan_level == "confirmed"
    assert await world.said(reply.context) == ("confirmed", True, True)
    outcomes = [each.outcome for each in await world.house.events(ev.PlanChecked)]
    assert outcomes == ["candidates", "confirmed", "candidates"]


@pytest.mark.parametrize("away", ["state", "journal"])
async def test_a_call_that_cannot_be_told_of_a_check_keeps_no_plan_from_who_has_the_caller(
    world: World, monkeypatch: pytest.MonkeyPatch, away: str
) -> None:
    """The plan was opened and the audit says that it was seen: then it must be seen."""

    reply = await world.talk()
    answers = [await world.house.journal.call_of_context(reply.context)]

    async def fails(*_asked: object) -> str | None:
        if answers and away == "journal":
            return answers.pop()  # it goes away behind the check
        raise ConnectionError("Zzname 07700 900101")

    failing, method = (world.house.door, "note") if away == "state" else (world.house.journal, "call_of_context")
    monkeypatch.setattr(failing, method, fails)
    with capture_logs() as logs:
        (shown,) = await world.desk.check_birth_date(reply.context, BORN, HANDLER)
    assert shown.person == "Edith O’Example-Jones"
    noted = {"event": "plan_check_not_noted", "error": "ConnectionError", "log_level": "error"}
    assert [each for each in logs if each["event"] == "plan_check_not_noted"] == [noted]


@pytest.mark.parametrize(
    ("outcome", "told"),
    [("confirmed", ": confirmed"), ("candidates", ": it fits no plan here"), ("", "")],
)
def test_the_time_line_says_what_a_check_found_as_long_as_it_is_known(outcome: str, told: str) -> None:
    """Once a call's key is destroyed nobody knows it: then it must not say that nothing fitted."""
    checked = ev.PlanChecked(role="handler", by="birth_date", outcome=outcome)
    assert in_words(checked, {}) == f"A handler checked the date of birth that the caller gave{told}"


async def test_on_a_shared_line_another_person_may_still_be_checked(new_house: NewHouse) -> None:
    world = World(await new_house())
    await world.open(FARID)
    reply = await world.talk()
    (edith,) = await world.desk.check_birth_date(reply.context, BORN, HANDLER)
    (farid,) = await world.desk.check_birth_date(reply.context, date(1971, 9, 30), HANDLER)
    assert (edith.person, farid.person) == ("Edith O’Example-Jones", "Farid O’Example-Jones")
    await world.house.writer.drain()
    page = await world.desk.page(reply.context, HANDLER)
    assert page is not None
    assert (page.plan.outcome, page.plan.count) == ("confirmed", 2)


async def test_in_the_journal_only_that_somebody_checked_stands_in_clear(world: World) -> None:
    reply = await world.talk()
    await world.desk.check_birth_date(reply.context, BORN, HANDLER)
    (event,) = await world.house.events(ev.PlanChecked)
    entry = seal(event, "call", 1, world.house.clock.now(), world.house.keys.new_data_key())
    assert entry.facts == {"role": "handler", "by": "birth_date"}


async def test_who_rings_back_after_a_drop_is_not_confirmed(world: World) -> None:
    """It may be somebody else of the household."""
    reply = await world.talk()
    await world.desk.check_birth_date(reply.context, BORN, HANDLER)
    record = await world.house.door.record("call")
    assert record is not None
    back = come_back(world.house.flow, record.session)
    assert back.session.facts["plan"] == "candidates"
    assert back.session.node == record.session.node


@pytest.mark.parametrize(("personal", "told"), [(True, True), (False, False)])
async def test_call_show_tells_the_level_to_who_may_read_what_is_personal(
    world: World, personal: bool, told: bool
) -> None:
    reply = await world.talk()
    await world.desk.check_birth_date(reply.context, BORN, HANDLER)
    assert ("plan confirmed" in summary(await world.view(), personal)) is told
