"""A crew is told from the page of a call and by the legacy feed: who may, what is said, and what is kept."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI

from callrouter import events as ev
from callrouter.handover import CallPage, PlanNotice, Role, SignedIn
from callrouter.plans.crew import Crew
from callrouter.plans.crew_routes import crew_router
from callrouter.texts.outbox import Outbox
from callrouter.view import CallView
from careplans.access.on_call import PlansOnCall
from careplans.access.ports import MatchedCall
from careplans.audit.spool import AuditSpool
from careplans.audit.trail import AuditTrail
from careplans.crew import CrewNotices
from careplans.crew_devices import CrewDevice
from careplans.model import Viewer
from careplans.rows import Row
from careplans.service import CarePlans
from console.crew import add_crew
from infra.crypto import KeyRing
from infra.migrate import upgrade_database
from infra.numbers import read_number
from infra.sql import connect_database
from tests.console_browser import Console
from tests.hand_clock import HandClock

CONTEXT, REF = "0123456789abcdef0123456789abcdef", "ref-of-the-call"
PAGE = f"/calls/{CONTEXT}/crew"
KEY = "a-key-of-the-feed-and-of-nothing-else-at-all"
HANNAH = SignedIn("Hannah", Role.HANDLER, "s-1")
ROW = {
    "plan_id": "P1", "source": "UCP", "author_org": "Hospice", "kind": "end of life care plan",
    "given_name": "Edith", "family_name": "Example", "date_of_birth": "1938-04-12", "phones": "07700 900101",
    "handler_line": "Line", "detail": "Detail", "valid_from": "2026-02-04", "version": "1",
    "restricted": "no", "withdrawn": "no",
}  # fmt: skip


@dataclass
class Noted:
    """The door, as far as it is needed: what is noted of a call."""

    events: list[ev.Event]

    async def note(self, call_ref: str, event: ev.Event) -> bool:
        assert call_ref == REF
        self.events.append(event)
        return True


@dataclass
class House:
    """One call with a plan, its page, the feed's interface, and the outbox."""

    on_call: PlansOnCall
    crew: Crew
    console: Console
    outbox: Outbox
    noted: list[ev.Event]

    async def confirm(self) -> None:
        await self.on_call.open_by_birth_date(CONTEXT, date(1938, 4, 12), Viewer("Hannah", "handler"))


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    database = connect_database(f"sqlite:///{tmp_path}/crew.db")
    await upgrade_database(database)
    clock, keys, noted = HandClock(), KeyRing(os.urandom(32), os.urandom(32)), Noted([])
    trail = AuditTrail(database, keys, clock, AuditSpool(tmp_path / "spool"))
    plans, outbox = CarePlans(database, keys, clock, trail), Outbox(database, keys, clock)
    await plans.load([Row(2, dict(ROW))])

    class Calls:
        async def by_context(self, context: str) -> MatchedCall | None:
            found = await plans.match_number(read_number("07700 900101"))
            ids = tuple(each.plan_id for each in found.candidates)
            return MatchedCall(REF, ids, None) if context == CONTEXT else None

    devices = {"las-a101": CrewDevice("las-a101", "london-ambulance", "+447700900777")}
    notices = CrewNotices(database, keys, clock, outbox, devices, "UCP viewer")
    crew = Crew(notices, devices, outbox, Calls(), noted, clock)  # type: ignore[arg-type]
    view = CallView(REF, CONTEXT, "sip", None, "withheld", clock.now())

    class Pages:
        async def page(self, context: str, _who: SignedIn) -> CallPage | None:
            return CallPage(view, PlanNotice("candidates", "", 1), "NRC", ()) if context == CONTEXT else None

    console = Console(clock, lambda router, web: add_crew(router, web, crew, Pages()))  # type: ignore[arg-type]
    on_call = PlansOnCall(database, keys, clock, trail, Calls())
    yield House(on_call, crew, console, outbox, noted.events)
    await database.close()


async def test_the_page_tells_the_crew_once_and_takes_it_back(house: House) -> None:
    await house.confirm()
    tell = {"incident": "CAD 4711", "device": "las-a101", "do": "tell"}
    async with house.console.browser(HANNAH) as hannah:
        assert "The crew is told." in (await hannah.send(PAGE, tell)).text
        again = await hannah.send(PAGE, tell)
        assert "told before: nothing was sent" in again.text
        assert "The notice is about to be sent" in again.text
        back = await hannah.send(PAGE, {"incident": "CAD4711", "do": "correct"})
        assert "told to disregard" in back.text
        assert "The correction is about to be sent" in back.text
        assert "No notice of this incident" in (await hannah.send(PAGE, {"incident": "CAD4711", "do": "correct"})).text
    assert house.noted == [ev.AmbulanceRequested(device="las-a101", incident="CAD 4711")]
    assert len(await house.outbox.of_call(REF)) == 2


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"incident": "", "device": "las-a101"}, "letters and digits"),
        ({"incident": "1", "device": ""}, "not on the list"),
        ({"incident": "1", "device": "las-a101"}, "check the date of birth first"),
    ],
)
async def test_the_page_says_why_nobody_was_told(house: House, fields: dict[str, str], said: str) -> None:
    async with house.console.browser(HANNAH) as hannah:
        page = await hannah.send(PAGE, {**fields, "do": "tell"})
    assert page.status_code == 409
    assert "Nobody was told" in page.text
    assert said in page.text
    assert await house.outbox.of_call(REF) == []


@pytest.mark.parametrize("role", sorted(set(Role) - {Role.HANDLER, Role.CLINICIAN}))
async def test_only_who_takes_calls_may_tell_a_crew(house: House, role: Role) -> None:
    await house.confirm()
    async with house.console.browser(SignedIn("Other", role, "s-2")) as other:
        sent = await other.send(PAGE, {"incident": "1", "device": "las-a101", "do": "tell"})
    assert sent.status_code == 403
    assert await house.outbox.of_call(REF) == []


async def test_the_feed_tells_with_its_key_and_not_without(house: House) -> None:
    await house.confirm()
    app = FastAPI()
    app.include_router(crew_router(house.crew, KEY))
    body = {"context": CONTEXT, "incident": "4711", "device": "las-a101"}
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://feed.test") as feed:
        for headers in ({}, {"authorization": "Bearer "}, {"authorization": "Bearer wrong"}):
            assert (await feed.post("/api/ambulance-requests", json=body, headers=headers)).status_code == 401
        feed.headers["authorization"] = f"Bearer {KEY}"
        first = await feed.post("/api/ambulance-requests", json=body)
        again = await feed.post("/api/ambulance-requests", json=body)
        assert (first.status_code, again.status_code, again.json()) == (201, 200, {"told": True, "again": True})
        for wrong in ({}, {**body, "name": "Edith"}, {**body, "incident": 4711}):
            assert (await feed.post("/api/ambulance-requests", json=wrong)).status_code == 422
        unknown = await feed.post("/api/ambulance-requests", json={**body, "context": "f" * 32, "incident": "2"})
        assert (unknown.status_code, unknown.json()["error_id"]) == (409, "crew_notice_refused")
        undo = {"context": CONTEXT, "incident": "4711"}
        undone = [await feed.post("/api/ambulance-requests/corrections", json=undo) for _ in range(2)]
        assert [each.status_code for each in undone] == [200, 404]
