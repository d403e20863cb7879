"""The pages of plans over HTTP: the wrong person, the wrong role, another call, over time; and what never leaves."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI

from callrouter.handover import Role, SignedIn
from careplans.store import metadata
from console.session import Sessions
from infra.sql import connect_database
from tests.plan_desk import CONTEXT, OTHER_CONTEXT, PlanDesk

HOST = "http://console.test"
CALL = f"/calls/{CONTEXT}"
EDITH = {"nhs_number": "999 000 0018", "day": "12", "month": "4", "year": "1938"}
BORN = {name: EDITH[name] for name in ("day", "month", "year")}
REASON = {"reason": "Found confused in the street, no caller to ask"}
DETAIL = "Medicines are in the house."
CLIVE = SignedIn("Clive", Role.CLINICIAN, "s-clive", "London CAS")
HANNAH = SignedIn("Hannah", Role.HANDLER, "s-hannah")
INES = SignedIn("Ines", Role.INFORMATION_GOVERNANCE, "s-ines")
AMIRA = SignedIn("Amira", Role.AMBULANCE, "s-amira", "London Ambulance")


class Person:
    """Somebody at a browser."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self.client = client

    async def get(self, path: str) -> httpx.Response:
        return await self.client.get(path, follow_redirects=True)

    async def send(self, path: str, fields: dict[str, str], *, of: str = "") -> httpx.Response:
        token = re.search(r'name="token" value="([^"]+)"', (await self.client.get(of or path)).text)
        assert token is not None
        return await self.client.post(path, data={"token": token[1], **fields}, follow_redirects=True)


class House:
    """The pages over a real store, and browsers of the people in it."""

    def __init__(self, desk: PlanDesk) -> None:
        self.desk = desk
        self.app: FastAPI = desk.app()

    @asynccontextmanager
    async def person(self, who: SignedIn) -> AsyncIterator[Person]:
        sessions: Sessions = self.desk.sessions
        cookies = {sessions.cookie_name: sessions.sign(who)}
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(app=self.app), base_url=HOST, headers={"origin": HOST}, cookies=cookies
        ) as client:
            yield Person(client)


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    database = connect_database(f"sqlite:///{tmp_path}/plans.db")
    await database.write(metadata.create_all)
    desk = PlanDesk(database)
    await desk.fill()
    yield House(desk)
    await database.close()


async def test_a_clinician_says_i_have_checked_and_sees_the_plan(house: House) -> None:
    async with house.person(CLIVE) as clive:
        page = await clive.get(CALL)
        assert "I have checked" in page.text
        assert DETAIL not in page.text
        page = await clive.send(f"{CALL}/checked", {}, of=CALL)
    assert DETAIL in page.text
    assert "Universal Care Plan" in page.text
    assert "Demo Hospice" in page.text
    assert await house.desk.recorded() == ["opened", "opened"]  # two plans


async def test_a_handler_has_no_such_button_and_no_such_address(house: House) -> None:
    async with house.person(HANNAH) as hannah:
        assert "I have checked" not in (await hannah.get(CALL)).text
        page = await hannah.send(f"{CALL}/checked", {}, of=CALL)
        assert page.status_code == 403
        assert DETAIL not in page.text
        opened = await hannah.send(f"{CALL}/check", BORN, of=CALL)
    assert "Offer the hospice line first." in opened.text
    assert DETAIL not in opened.text


async def test_another_call_opens_nothing_of_this_patient(house: House) -> None:
    other = f"/calls/{OTHER_CONTEXT}"
    async with house.person(CLIVE) as clive:
        page = await clive.send(f"{other}/checked", {}, of=other)
        assert page.status_code == 409
        assert DETAIL not in page.text
        page = await clive.send(f"{other}/check", BORN, of=other)
    assert DETAIL not in page.text


async def test_an_hour_after_the_call_nothing_opens(house: House) -> None:
    house.desk.hang_up()
    house.desk.clock.at += timedelta(minutes=60, seconds=1)
    async with house.person(CLIVE) as clive:
        for path, fields in ((f"{CALL}/check", BORN), (f"{CALL}/checked", {})):
            page = await clive.send(path, fields, of=CALL)
            assert page.status_code == 409
            assert "ended more than an hour ago" in page.text
            assert DETAIL not in page.text


async def test_emergency_access_from_the_question_to_the_review(house: House) -> None:
    async with house.person(CLIVE) as clive, house.person(INES) as ines:
        page = await clive.send("/plans/emergency", {**EDITH, **REASON})
        assert DETAIL in page.text
        assert re.fullmatch(r"http://console.test/plans/emergency/[0-9a-f]{32}", str(page.url))
        assert [each.kind for each in house.desk.told.notices] == ["broke_glass"]
        listed = await ines.get("/plans/reviews")
        assert "Clive" in listed.text
        assert "Found confused" in listed.text
        path = re.findall(r'href="(/plans/reviews/[0-9a-f]{32})"', listed.text)[0]
        assert "Choose whether" in (await ines.send(path, {"words": "ok"})).text
        assert "Say why" in (await ines.send(path, {"verdict": "accepted"})).text
        done = await ines.send(path, {"verdict": "not_accepted", "words": "There was a call"})
        assert "Not accepted" in done.text
        assert "There was a call" in (await ines.get(path)).text


async def test_emergency_access_of_somebody_else_or_over_is_shut(house: House) -> None:
    async with house.person(CLIVE) as clive, house.person(SignedIn("Clara", Role.CLINICIAN, "s-clara")) as clara:
        path = str((await clive.send("/plans/emergency", {**EDITH, **REASON})).url).removeprefix(HOST)
        for person, wait in ((clara, timedelta()), (clive, timedelta(minutes=30))):
            house.desk.clock.at += wait
            page = await person.get(path)
            assert page.status_code == 422
            assert DETAIL not in page.text
            assert "Edith" not in page.text


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"reason": "urgent"}, "Say why"),
        ({"nhs_number": "9990000026"}, "not exactly one patient"),
        ({"nhs_number": ""}, "either the NHS number or the family name"),
        ({"family_name": "Example"}, "either the NHS number or the family name"),
        ({"day": "31", "month": "2"}, "must be a real date"),
    ],
    ids=["no reason", "nobody", "neither", "both", "no date"],
)
async def test_a_form_that_finds_nobody_says_what_to_change(house: House, changes: dict[str, str], said: str) -> None:
    async with house.person(CLIVE) as clive:
        page = await clive.send("/plans/emergency", {**EDITH, **REASON, **changes})
    assert page.status_code == 422
    assert said in page.text
    assert house.desk.told.notices == []


async def test_a_reference_opens_for_its_organisation_only(house: House) -> None:
    ref = await house.desk.refer(AMIRA.organisation)
    async with house.person(AMIRA) as amira:
        assert DETAIL in (await amira.send("/plans/reference", {"ref": f" {ref[:5]} {ref[5:].lower()}"})).text
    async with house.person(CLIVE) as clive:
        page = await clive.send("/plans/reference", {"ref": ref})
    assert "opens nothing for your organisation" in page.text
    assert DETAIL not in page.text


async def test_who_a_call_was_passed_on_to_opens_the_confirmed_plans_by_reference(house: House) -> None:
    """ "When call or incident was passed to one's organisation: by opaque reference and own sign-in" (rules.md, 6)."""
    passed = {"organisation": "Demo GP out-of-hours"}
    gp = SignedIn("Gill", Role.CLINICIAN, "s-gill", passed["organisation"])
    async with house.person(HANNAH) as hannah, house.person(gp) as gill, house.person(CLIVE) as clive:
        assert f"{CALL}/pass-on" in (await hannah.get(CALL)).text
        before = await hannah.send(f"{CALL}/pass-on", passed)
        assert (before.status_code, "check the date of birth first" in before.text) == (409, True)
        await hannah.send(f"{CALL}/check", BORN, of=CALL)
        page = await hannah.send(f"{CALL}/pass-on", passed)
        ref = re.search(r"Reference for Demo GP out-of-hours: (\w{5} \w{5})\.", page.text)
        assert ref is not None
        assert DETAIL not in page.text
        assert DETAIL in (await gill.send("/plans/reference", {"ref": ref[1]})).text
        assert DETAIL not in (await clive.send("/plans/reference", {"ref": ref[1]})).text
    done = await house.desk.recorded()
    assert done[-5:] == ["passed_on", "passed_on", "opened_reference", "opened_reference", "refused"]


async def test_a_wrong_date_after_a_right_one_gives_no_reference_to_the_other_persons_plans(house: House) -> None:
    """A line of two: the brother's date was checked first, then the patient's, which fits no plan."""
    passed = {"organisation": "Demo GP out-of-hours"}
    async with house.person(HANNAH) as hannah, house.person(CLIVE) as clive:
        await hannah.send(f"{CALL}/check", BORN, of=CALL)
        await clive.send(f"{CALL}/check", {**BORN, "year": "1971"}, of=CALL)
        page = await hannah.send(f"{CALL}/pass-on", passed)
        assert (page.status_code, "The last check in this call confirmed no patient" in page.text) == (409, True)
        assert "Reference for" not in page.text
        await hannah.send(f"{CALL}/check", BORN, of=CALL)
        assert "Reference for" in (await hannah.send(f"{CALL}/pass-on", passed)).text


@pytest.mark.parametrize("organisation", ["", "Another GP", "demo gp out-of-hours"])
async def test_a_call_is_passed_on_to_no_other_organisation(house: House, organisation: str) -> None:
    async with house.person(HANNAH) as hannah:
        await hannah.send(f"{CALL}/check", BORN, of=CALL)
        page = await hannah.send(f"{CALL}/pass-on", {"organisation": organisation})
    assert (page.status_code, "Choose the organisation" in page.text, "Reference for" in page.text) == (
        409,
        True,
        False,
    )
    assert "passed_on" not in await house.desk.recorded()


async def test_an_hour_after_the_call_nothing_is_passed_on(house: House) -> None:
    async with house.person(HANNAH) as hannah:
        await hannah.send(f"{CALL}/check", BORN, of=CALL)
        house.desk.hang_up()
        house.desk.clock.at += timedelta(minutes=61)
        page = await hannah.send(f"{CALL}/pass-on", {"organisation": "Demo GP out-of-hours"})
    assert (page.status_code, "closed to you" in page.text) == (409, True)


async def test_who_saw_names_people_and_records_the_look(house: House) -> None:
    async with house.person(CLIVE) as clive, house.person(INES) as ines:
        await clive.send(f"{CALL}/checked", {}, of=CALL)
        page = await ines.send("/plans/seen", EDITH)
    assert "Clive" in page.text
    assert "Opened, having checked who it is" in page.text
    assert "Looked who had seen it" in page.text
    assert DETAIL not in page.text
    assert (await house.desk.recorded())[-3:] == ["searched", "views_read", "views_read"]


MAY_OPEN = {
    "/plans/emergency": {Role.CLINICIAN},
    "/plans/reference": {Role.CLINICIAN, Role.AMBULANCE},
    "/plans/reviews": {Role.INFORMATION_GOVERNANCE},
    "/plans/seen": {Role.INFORMATION_GOVERNANCE},
    CALL: {Role.CLINICIAN, Role.HANDLER},
    f"{CALL}/pass-on": {Role.CLINICIAN, Role.HANDLER},
}


@pytest.mark.parametrize("path", MAY_OPEN)
@pytest.mark.parametrize("role", list(Role))
async def test_each_page_opens_to_its_roles_and_to_no_other(house: House, path: str, role: Role) -> None:
    async with house.person(SignedIn("Sam", role)) as sam:
        assert (await sam.get(path)).status_code == (200 if role in MAY_OPEN[path] else 403)


async def test_nothing_personal_stands_in_an_address(house: House) -> None:
    async with house.person(CLIVE) as clive, house.person(INES) as ines:
        pages = [
            await clive.send("/plans/emergency", {**EDITH, **REASON}), await ines.send("/plans/seen", EDITH),
            await ines.get("/plans/reviews"),
        ]  # fmt: skip
    for page in pages:
        addresses = " ".join(re.findall(r'(?:href|action|src)="([^"]*)"', page.text)) + str(page.url)
        title = re.search(r"<title>(.*?)</title>", page.text, re.S)
        assert title is not None
        for word in ("9990000018", "999 000", "12/4/1938", "Edith", "confused", "Clive"):
            assert word not in addresses + title[1]
        assert page.headers["cache-control"] == "no-store"
