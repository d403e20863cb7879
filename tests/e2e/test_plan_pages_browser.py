"""The pages of plans in a browser: what a person sees and can do, by keyboard alone, on a desk and on a telephone."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from e2e_browser import SIZES, FindBarriers, OpenTab, Serve, Shoot
from fastapi import FastAPI
from playwright.sync_api import Page, expect

from careplans.store import metadata
from infra.sql import connect_database
from tests.plan_desk import CONTEXT, PlanDesk

CALL = f"/calls/{CONTEXT}"
DETAIL = "Medicines are in the house."


class Served:
    """The console over a store of its own; ``ref`` was passed on to London Ambulance."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "plans.db"
        self.ref = ""

    def app(self) -> FastAPI:
        database = connect_database(f"sqlite:///{self._file}")
        desk = PlanDesk(database)

        @asynccontextmanager
        async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
            await database.write(metadata.create_all)
            await desk.fill()
            self.ref = await desk.refer("London Ambulance")
            yield
            await database.close()

        return desk.app(lifespan)


@pytest.fixture
def served(tmp_path: Path, serve: Serve) -> Iterator[tuple[str, Served]]:
    house = Served(tmp_path)
    with serve(house.app()) as url:
        yield url, house


def sign_in(page: Page, name: str, role: str, organisation: str = "") -> None:
    page.get_by_label("Your name").fill(name)
    page.get_by_label("Your organisation (optional)").fill(organisation)
    page.get_by_label(role, exact=True).check()
    page.get_by_role("button", name="Sign in").click()


def type_patient(page: Page, number: str = "999 000 0018") -> None:
    page.get_by_label("NHS number").fill(number)
    for label, text in zip(("Day", "Month", "Year"), ("12", "4", "1938"), strict=True):
        page.get_by_label(label, exact=True).fill(text)


def tab_to(page: Page, element_id: str) -> None:
    for _ in range(40):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.id") == element_id:
            return
    pytest.fail(f"#{element_id} is not reached with the Tab key")


def test_two_plans_that_disagree_are_both_shown_newest_first_and_stale_is_said(
    served: tuple[str, Served], open_tab: OpenTab
) -> None:
    page = open_tab(served[0] + CALL)
    sign_in(page, "Clive", "Clinician")
    expect(page.get_by_role("heading", name="1 possible plan")).to_be_visible()
    assert DETAIL not in page.content()
    page.get_by_role("button", name="I have checked").click()
    expect(page.locator("#plan-title")).to_be_focused()
    expect(page.get_by_text("2 plans that are not the same, newest first.")).to_be_visible()
    lines = page.locator(".plan__line")
    expect(lines).to_have_text(["Offer the hospice line first.", "Never offer the hospice line."])
    stale = page.locator(".plan").nth(1)
    expect(stale).to_contain_text("Out of date: review was due 4 May 2025")
    for word in ("Demo Trust", "4 May 2024"):
        expect(stale).to_contain_text(word)
    assert "900101" not in page.locator(".plan").all_inner_texts()[0]
    assert kept_by(page) == {"local": "{}", "session": "{}", "databases": 0, "caches": 0}
    (cookie,) = page.context.cookies()
    said = str(cookie)
    assert cookie["httpOnly"]
    assert not [word for word in ("900101", "9990000018", "1938", "hospice line", DETAIL, "Example") if word in said]


def kept_by(page: Page) -> dict[str, object]:
    """What the browser would keep of a page beside its cookies (docs/safety/rules.md, 7)."""
    found: dict[str, object] = page.evaluate(
        """async () => ({
             local: JSON.stringify(localStorage), session: JSON.stringify(sessionStorage),
             databases: (await indexedDB.databases()).length,
             caches: window.caches ? (await caches.keys()).length : 0,
           })"""
    )
    return found


def test_emergency_access_by_keyboard_alone(served: tuple[str, Served], open_tab: OpenTab) -> None:
    page = open_tab(served[0] + "/plans/emergency")
    sign_in(page, "Clive", "Clinician")
    keys = page.keyboard
    for field, text in (("nhs-number", "9990000018"), ("born-day", "12"), ("born-month", "4"), ("born-year", "1938")):
        tab_to(page, field)
        keys.type(text)
    tab_to(page, "reason")
    keys.type("short")
    keys.press("Tab")
    keys.press("Enter")
    expect(page.locator(".nhsuk-error-summary")).to_be_focused()
    keys.press("Tab")
    keys.press("Enter")
    expect(page.locator("#reason")).to_be_focused()
    keys.type(" of everything, found alone and confused")
    keys.press("Tab")
    keys.press("Enter")
    expect(page.locator("#plan-title")).to_be_focused()
    expect(page.get_by_text(DETAIL)).to_be_visible()


@pytest.mark.slow
@SIZES
def test_every_page_of_plans_is_accessible_and_fits(
    served: tuple[str, Served], open_tab: OpenTab, shoot: Shoot, find_barriers: FindBarriers, viewport: dict[str, int]
) -> None:
    url, house = served

    def look(page: Page, name: str) -> None:
        shoot(page, f"plans-{name}-{viewport['width']}")
        assert find_barriers(page) == []
        assert page.evaluate("document.documentElement.scrollWidth") <= viewport["width"], f"{name} is too wide"

    clive = open_tab(url + CALL, viewport=viewport, reduced_motion="reduce")
    sign_in(clive, "Clive", "Clinician")
    look(clive, "call-closed")
    clive.get_by_role("button", name="I have checked").click()
    look(clive, "call-opened")
    clive.goto(url + CALL + "/pass-on")
    clive.get_by_label("Passed on to").select_option("Demo GP out-of-hours")
    clive.get_by_role("button", name="Give a reference").click()
    expect(clive.get_by_text("Reference for Demo GP out-of-hours")).to_be_visible()
    look(clive, "call-passed-on")
    clive.goto(url + "/plans")
    look(clive, "reference-or-emergency")
    clive.goto(url + "/plans/emergency")
    type_patient(clive)
    look(clive, "emergency-asked")
    clive.get_by_role("button", name="Open the plan").click()
    look(clive, "emergency-no-reason")
    clive.get_by_label("Why do you need it now?").fill("Found confused in the street")
    clive.get_by_role("button", name="Open the plan").click()
    expect(clive.get_by_text(DETAIL)).to_be_visible()
    look(clive, "emergency-opened")
    amira = open_tab(url + "/plans", viewport=viewport, reduced_motion="reduce")
    sign_in(amira, "Amira", "Ambulance", "London Ambulance")
    amira.get_by_label("Reference").fill("AAAAA BBBBB")
    amira.get_by_role("button", name="Open").click()
    look(amira, "reference-wrong")
    amira.get_by_label("Reference").fill(house.ref)
    amira.get_by_role("button", name="Open").click()
    expect(amira.get_by_text(DETAIL)).to_be_visible()
    look(amira, "reference-opened")
    ines = open_tab(url + "/plans", viewport=viewport, reduced_motion="reduce")
    sign_in(ines, "Ines", "Information governance")
    look(ines, "reviews")
    ines.get_by_role("link", name="2026").first.click()
    look(ines, "review")
    ines.get_by_label("No, not accepted").check()
    ines.get_by_label("Why?").fill("There was a call")
    ines.get_by_role("button", name="Close the review").click()
    expect(ines.get_by_text("Not accepted")).to_be_visible()
    look(ines, "reviewed")
    ines.get_by_role("link", name="Who saw a plan").click()
    type_patient(ines)
    look(ines, "seen-asked")
    ines.get_by_role("button", name="Show who saw them").click()
    expect(ines.get_by_text("Clive").first).to_be_visible()
    look(ines, "seen")
