"""The console's pages over HTTP: who may see what, and what never leaves."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import date, timedelta

import httpx
import pytest
from console_world import (
    BORN,
    CONTEXT,
    DETAIL,
    HANDLER_LINE,
    NOON,
    TRIES,
    Desk,
    World,
    call_page,
    plan,
)  # fmt: skip

from callrouter.errors import ConfigurationError
from callrouter.handover import PlanNotice, Role, SignedIn
from console.calls import NO_MATCH
from console.session import Sessions

HOST = "http://console.test"
CALL = f"/calls/{CONTEXT}"
DATE = {"day": str(BORN.day), "month": str(BORN.month), "year": str(BORN.year)}


@asynccontextmanager
async def browser(world: World, role: Role | None = None) -> AsyncIterator[httpx.AsyncClient]:
    """A client that keeps cookies and names its origin, as browsers do; signed in if a role is given."""
    transport = httpx.ASGITransport(app=world.app())
    headers = {"origin": HOST}
    async with httpx.AsyncClient(transport=transport, base_url=HOST, headers=headers) as client:
        if role is not None:
            client.cookies.set(world.sessions.cookie_name, world.sessions.sign(SignedIn("Sam", role)))
        yield client


def token_in(page: httpx.Response) -> str:
    found = re.search(r'name="token" value="([^"]+)"', page.text)
    assert found is not None
    return found[1]


async def check(client: httpx.AsyncClient, **fields: str) -> httpx.Response:
    """Open the call's page and send its form."""
    token = token_in(await client.get(CALL))
    return await client.post(f"{CALL}/check", data={"token": token, **fields})


@pytest.mark.parametrize("role", [Role.HANDLER, Role.CLINICIAN])
async def test_those_who_answer_see_the_call_and_each_view_is_recorded(role: Role) -> None:
    world = World()
    async with browser(world, role) as client:
        page = await client.get(CALL)
    assert page.status_code == 200
    assert "1 possible plan" in page.text
    assert "Mental health" in page.text
    assert "called 111 twice in the last four days" in page.text
    assert world.desk.views == [SignedIn("Sam", role)]


@pytest.mark.parametrize("role", sorted(set(Role) - {Role.HANDLER, Role.CLINICIAN}))
async def test_other_roles_are_told_who_may_open_a_call(role: Role) -> None:
    world = World()
    async with browser(world, role) as client:
        page = await client.get(CALL)
    assert page.status_code == 403
    assert "call handler or clinician" in page.text
    assert "07700" not in page.text
    assert world.desk.views == []


async def test_without_a_session_the_way_leads_to_sign_in_and_back() -> None:
    async with browser(World()) as client:
        sent = await client.get(CALL)
        assert (sent.status_code, sent.headers["location"]) == (303, f"/sign-in?next=%2Fcalls%2F{CONTEXT}")
        answer = await client.post("/sign-in", data={"name": "Sam", "role": "handler", "next": CALL})
        assert (answer.status_code, answer.headers["location"]) == (303, CALL)
        assert (await client.get(CALL)).status_code == 200


async def test_session_cookie_is_out_of_reach_of_scripts_and_other_sites() -> None:
    async with browser(World()) as client:
        answer = await client.post("/sign-in", data={"name": "Sam", "role": "handler"})
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=lax" in cookie


async def test_a_second_name_in_the_same_browser_stays_in_the_same_session() -> None:
    world = World()
    async with browser(world) as client:
        for name in ("Sam", "Alex"):
            await client.post("/sign-in", data={"name": name, "role": "handler"})
            await client.get(CALL)
    sam, alex = world.desk.views
    assert (sam.user, alex.user) == ("Sam", "Alex")
    assert sam.session == alex.session != ""


@pytest.mark.parametrize("path", ["//evil.example", "https://evil.example/", "/calls/../x", "/sign-out"])
async def test_sign_in_leads_to_no_other_site(path: str) -> None:
    async with browser(World()) as client:
        answer = await client.post("/sign-in", data={"name": "Sam", "role": "handler", "next": path})
    assert answer.headers["location"] == "/"


async def test_session_ends_after_twelve_hours() -> None:
    world = World()
    async with browser(world, Role.HANDLER) as client:
        world.clock.at = NOON + timedelta(hours=12)
        assert (await client.get(CALL)).status_code == 303


async def test_tampered_cookie_is_no_session() -> None:
    world = World()
    async with browser(world) as client:
        client.cookies.set(world.sessions.cookie_name, world.sessions.sign(SignedIn("Sam", Role.HANDLER)) + "x")
        assert (await client.get(CALL)).status_code == 303


async def test_production_has_no_development_sign_in() -> None:
    async with browser(World(production=True)) as client:
        assert (await client.get("/sign-in")).status_code == 404
        assert (await client.post("/sign-in", data={"name": "Sam", "role": "handler"})).status_code == 404
        page = await client.get(CALL)
    assert page.status_code == 401
    assert "Sign in first" in page.text


def test_production_settings_refuse_the_development_sign_in() -> None:
    with pytest.raises(ConfigurationError):
        Sessions("x" * 40, clock=World().clock, production=True, development_sign_in=True)


def test_production_cookie_is_for_tls_only() -> None:
    cookie = World(production=True).sessions.cookie()
    assert cookie["secure"] is True
    assert cookie["key"].startswith("__Host-")


async def test_right_date_opens_handler_line_source_and_stale_tag() -> None:
    async with browser(World(), Role.HANDLER) as client:
        closed = await client.get(CALL)
        page = await check(client, **DATE)
    assert HANDLER_LINE not in closed.text
    assert "Margaret" not in closed.text
    assert page.status_code == 200
    shown = ("Margaret Example", HANDLER_LINE, "Universal Care Plan", "Northgate Trust", "11 March 2024")
    assert all(each in page.text for each in shown)
    assert "Out of date: review was due 11 March 2025" in page.text


@pytest.mark.parametrize(("role", "sees"), [(Role.HANDLER, False), (Role.CLINICIAN, True)])
async def test_clinical_detail_is_for_clinicians_only(role: Role, sees: bool) -> None:
    async with browser(World(), role) as client:
        page = await check(client, **DATE)
    assert (DETAIL in page.text) is sees


async def test_several_plans_of_one_person_stand_newest_first() -> None:
    plans = (
        plan(valid_from=None, handler_line="undated"),
        plan(valid_from=date(2023, 1, 1), handler_line="older"),
        plan(valid_from=date(2025, 6, 1), handler_line="newer", stale=False),
    )
    async with browser(World(desk=Desk(plans={BORN: plans})), Role.HANDLER) as client:
        page = await check(client, **DATE)
    assert "3 plans for Margaret Example" in page.text
    assert re.findall(r'plan__line">(\w+)<', page.text) == ["newer", "older", "undated"]


async def test_wrong_date_and_line_without_plan_get_the_same_words() -> None:
    pages = []
    for desk in (Desk(), Desk(plans={})):
        async with browser(World(desk=desk), Role.HANDLER) as client:
            pages.append(await check(client, day="4", month="5", year="1948"))
    wrong, unknown = (re.sub(r'value="[^"]+"', "", page.text) for page in pages)
    assert NO_MATCH in wrong
    assert wrong == unknown
    assert [page.status_code for page in pages] == [200, 200]


async def test_limit_of_tries_says_what_to_do() -> None:
    desk = Desk()
    async with browser(World(desk=desk), Role.HANDLER) as client:
        for _ in range(TRIES):
            await check(client, day="4", month="5", year="1948")
        page = await check(client, **DATE)
    assert page.status_code == 429
    assert "ask a clinician" in page.text
    assert HANDLER_LINE not in page.text
    assert len(desk.tries) == TRIES


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({}, "Enter the date of birth"),
        ({**DATE, "year": ""}, "must include a year"),
        ({**DATE, "day": "", "month": " "}, "must include a day and month"),
        ({**DATE, "day": "³"}, "must be numbers"),
        ({**DATE, "year": "48"}, "must have 4 numbers"),
        ({"day": "31", "month": "2", "year": "1948"}, "must be a real date"),
        ({"day": "1", "month": "1", "year": "2027"}, "must be in the past"),
        ({"day": "1", "month": "1", "year": "1848"}, "must be 1896 or later"),
    ],
)
async def test_unusable_date_is_explained_and_not_tried(fields: dict[str, str], said: str) -> None:
    desk = Desk()
    async with browser(World(desk=desk), Role.HANDLER) as client:
        page = await check(client, **fields)
    assert page.status_code == 422
    assert said in page.text
    assert "There is a problem" in page.text
    assert desk.tries == []


@pytest.mark.parametrize("origin", [None, "null", "http://evil.example", f"{HOST}.evil.example"])
async def test_form_of_another_site_is_refused(origin: str | None) -> None:
    desk = Desk()
    async with browser(World(desk=desk), Role.HANDLER) as client:
        token = token_in(await client.get(CALL))
        del client.headers["origin"]
        headers = {"origin": origin} if origin else {}
        page = await client.post(f"{CALL}/check", data={"token": token, **DATE}, headers=headers)
    assert page.status_code == 403
    assert "not accepted" in page.text
    assert desk.tries == []


@pytest.mark.parametrize("path", [f"{CALL}/check", "/sign-out"])
async def test_form_needs_the_token_of_its_own_session(path: str) -> None:
    world = World()
    async with browser(world, Role.HANDLER) as other:
        foreign = token_in(await other.get(CALL))
    async with browser(world, Role.HANDLER) as client:
        for token in ("", "x", foreign):
            page = await client.post(path, data={"token": token, **DATE})
            assert page.status_code == 403
    assert world.desk.tries == []


async def test_sign_out_forgets_the_session() -> None:
    async with browser(World()) as client:
        await client.post("/sign-in", data={"name": "Sam", "role": "handler"})
        await client.post("/sign-out", data={"token": token_in(await client.get(CALL))})
        assert (await client.get(CALL)).status_code == 303


@pytest.mark.parametrize("context", ["f" * 32, "A" * 32, "0" * 31, CONTEXT + "0", "<script>"])
async def test_unknown_and_malformed_calls_get_the_same_page(context: str) -> None:
    async with browser(World(), Role.HANDLER) as client:
        page = await client.get(f"/calls/{context}")
    assert page.status_code == 404
    assert "There is no such call" in page.text
    assert "<script>" not in page.text


async def test_no_page_is_stored_framed_or_told_to_other_hosts() -> None:
    async with browser(World(), Role.HANDLER) as client:
        pages = [await client.get("/"), await client.get(CALL), await check(client, **DATE)]
        pages += [await client.get("/sign-in"), await client.get("/calls/unknown")]
        pages += [await client.post(f"{CALL}/check")]
    for page in pages:
        assert page.headers["cache-control"] == "no-store"
        assert page.headers["referrer-policy"] == "same-origin"
        policy = page.headers["content-security-policy"]
        assert "default-src 'self'" in policy
        assert "unsafe-inline" not in policy
        outside = re.findall(r'(?:src|href|action)="(https?:|//)', page.text)
        assert outside == []
        assert not re.search(r"<script(?![^>]*src=)|<style|\sstyle=|\son\w+=", page.text)


async def test_personal_data_is_in_no_address() -> None:
    async with browser(World(), Role.HANDLER) as client:
        pages = [await client.get(CALL), await check(client, **DATE)]
    for page in pages:
        assert page.history == []
        assert "location" not in page.headers
        addresses = " ".join(re.findall(r'(?:href|action|src)="([^"]*)"', page.text))
        title = re.search(r"<title>(.*?)</title>", page.text, re.S)
        assert title is not None
        for word in ("1948", "Margaret", "7700", "900123", "Sam"):
            assert word not in addresses + str(page.url) + title[1]


async def test_hostile_values_stay_text() -> None:
    evil = "<script>alert(1)</script>\"'><img src=x>"
    page = call_page(call={"number": evil, "band": evil, "service": evil}, repeat=evil)
    opened = plan(person=evil, handler_line=evil, source=evil, author_org=evil, kind=evil, detail=evil)
    desk = Desk(page_of_call=page, plans={BORN: (opened,)})
    world = World(desk=desk)
    async with browser(world) as client:
        client.cookies.set(world.sessions.cookie_name, world.sessions.sign(SignedIn(evil, Role.CLINICIAN)))
        pages = [await client.get(CALL), await check(client, **DATE)]
        pages.append(await check(client, day=evil, month=evil, year=evil))
        pages.append(await client.post("/sign-in", data={"name": evil * 3, "role": evil, "next": evil}))
    for answer in pages:
        assert "<script>alert" not in answer.text
        assert "<img" not in answer.text
        assert "&lt;script&gt;alert(1)" in answer.text


@pytest.mark.parametrize(
    ("notice", "said", "form"),
    [
        (PlanNotice("candidates", "", 1), "1 possible plan", True),
        (PlanNotice("asserted", "", 1), "1 possible plan", True),
        (PlanNotice("candidates", "shared_line", 3), "3 possible people on this line", True),
        (PlanNotice("confirmed", "birth_date", 1, NOON), "Plan confirmed at 12:00:00<", True),
        (
            PlanNotice("confirmed", "birth_date", 1, NOON, NOON + timedelta(minutes=2)),
            "Plan confirmed at 12:00:00; a later check did not match<",
            True,
        ),
        (PlanNotice("none", "", 0), "No plan found for this line", False),
        (PlanNotice("none", "withheld", 0), "nobody looked. There may be one: ask the caller", False),
        (
            PlanNotice("unavailable", "timed_out", 0),
            "checked: the store did not answer in time. There",
            False,
        ),
        (PlanNotice("unavailable", "skipped", 0), "checked: the store did not answer. There may be one", False),
        (PlanNotice("unavailable", "store_failed", 0), "checked: the store failed. There may be one: ask", False),
        (PlanNotice("unavailable", "keys_do_not_fit", 0), "checked: the service has not got the keys of stored", False),
    ],
)
async def test_before_the_check_only_a_count_is_shown(notice: PlanNotice, said: str, form: bool) -> None:
    async with browser(World(desk=Desk(page_of_call=call_page(plan=notice))), Role.HANDLER) as client:
        page = await client.get(CALL)
    assert said in page.text
    assert ("Check and open" in page.text) is form


@pytest.mark.parametrize(
    ("outcome", "said", "asks"),
    [
        ("RC", "Repeat caller", False),
        ("PRC", "Possible repeat caller", True),
        ("IIQ", "Not enough to tell", True),
        ("ER", "Could not be checked", True),
        ("NRC", "Not a repeat caller", False),
        ("", "Not checked", True),
    ],
)
async def test_repeat_outcome_in_words(outcome: str, said: str, asks: bool) -> None:
    async with browser(World(desk=Desk(page_of_call=call_page(repeat=outcome))), Role.HANDLER) as client:
        page = await client.get(CALL)
    assert said in page.text
    assert ("have you, or has someone" in page.text.lower()) is asks
