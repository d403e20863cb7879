"""A night message that stops itself, and a flow from its check to its recall: through the browser, by a hand clock."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from e2e_browser import SIZES, FindBarriers, OpenTab, Serve, Shoot
from message_house import House
from playwright.sync_api import Page, expect

from callrouter.handover import Role, SignedIn
from tests.message_world import NIGHT


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


def open_as(open_tab: OpenTab, house: House, url: str, path: str, name: str, role: Role, **options: object) -> Page:
    """A private window of somebody who has signed in."""
    page = open_tab(f"{url}/sign-in", **options)
    cookie = house.sessions.sign(SignedIn(name, role))
    page.context.add_cookies([{"name": house.sessions.cookie_name, "value": cookie, "url": url}])
    page.goto(f"{url}{path}")
    return page


@pytest.mark.slow
def test_a_night_message_stops_itself_after_two_hours(
    serve: Serve, open_tab: OpenTab, house: House, shoot: Shoot, find_barriers: FindBarriers
) -> None:
    house.clock.time = NIGHT - timedelta(hours=13)  # in office hours; the lifespan makes and approves the template
    with serve(house.app) as url:
        house.clock.time = NIGHT
        page = open_as(open_tab, house, url, "/messages", "Dee", Role.PUBLIC_HEALTH)
        page.get_by_role("link", name="Norovirus").click()
        expect(page.get_by_label("Camden", exact=True)).to_have_count(0)
        shoot(page, "message-template")
        assert find_barriers(page) == []
        page.get_by_label("Bromley", exact=True).check()
        page.get_by_label("4 hours").check()
        page.get_by_role("button", name="Start it now").click()
        expect(page.get_by_role("heading", name="Needs a second person")).to_be_visible()
        shoot(page, "message-night")
        assert find_barriers(page) == []
        address = page.url
        assert page.request.get(f"{url}/heard").json() == ["norovirus"]
        expect(page.get_by_role("button", name="I have reviewed it")).to_have_count(0)
        house.clock.move(2 * 3600)
        assert page.request.get(f"{url}/heard").json() == []
        assert house.stopped_itself.wait(30)
        page.goto(address)
        expect(page.locator(".timeline")).to_contain_text("Stopped itself by the service")
        assert [each.kind for each in house.world.reviewers.heard] == ["needs_review", "stopped_itself"]


@SIZES
def test_a_flow_is_approved_published_and_recalled(
    serve: Serve,
    open_tab: OpenTab,
    house: House,
    shoot: Shoot,
    find_barriers: FindBarriers,
    viewport: dict[str, int],
) -> None:
    def look(page: Page, name: str) -> None:
        shoot(page, f"{name}-{viewport['width']}")
        assert find_barriers(page) == []
        assert page.evaluate("document.documentElement.scrollWidth") <= viewport["width"], f"{name} is too wide"

    with serve(house.app) as url:
        page = open_as(open_tab, house, url, "/flows", "Cleo", Role.CLINICAL_SAFETY, viewport=viewport)
        look(page, "flows")
        write_a_version(page, look)
        page.get_by_role("link", name="Shorter menu").click()
        expect(page.get_by_text("every path ends with a person")).to_be_visible()
        expect(page.get_by_text("Press 1.", exact=True)).to_be_visible()
        look(page, "flow")
        page.get_by_role("link", name="See which callers would go elsewhere").click()
        look(page, "flow-callers")
        page.get_by_role("link", name="Back to the version").click()
        page.get_by_role("link", name="Play recorded calls through it").click()
        page.get_by_label("Calls from").fill("24/3/2026 00:00")
        page.get_by_label("Calls until").fill("25/3/2026 00:00")
        page.get_by_role("button", name="Replay").click()
        expect(page.get_by_text("0 of 4 calls would have gone elsewhere")).to_be_visible()
        look(page, "flow-replay")
        page.get_by_role("link", name="Back to the version").click()
        sound = page.get_by_label("Hear it: hello_short, in this version")
        expect(sound).to_be_visible()
        assert page.request.get(f"{url}{sound.get_attribute('src')}").body()[:4] == b"RIFF"
        page.get_by_role("button", name="Approve what I have read").click()
        page.get_by_role("button", name="Put it live for all callers").click()
        expect(page.get_by_text("This is what callers meet now.")).to_be_visible()
        look(page, "flow-live")
        assert house.flows.for_dialled("111", "a-call").version == house.new.version
        page.get_by_label("Why (for the record)").last.fill("Callers with chest pain get lost")
        page.get_by_role("button", name="Recall it").click()
        expect(page.locator(".timeline")).to_contain_text("Recalled by Cleo, clinical safety: Callers with chest pain")
        look(page, "flow-recalled")
        assert house.flows.is_recalled(house.new.version)
        assert house.flows.for_dialled("111", "a-call").version == house.shipped.version


def write_a_version(page: Page, look: Callable[[Page, str], None]) -> None:
    """By the keyboard: change the text of the live version, see what is wrong, mend it, see what the check says."""
    page.get_by_role("button", name="Write a version").focus()
    page.keyboard.press("Enter")
    flow = page.get_by_label("The flow")
    written = flow.input_value()
    flow.fill(written.replace("[hello]", "[hello_calm]"))
    page.get_by_role("button", name="Check it").focus()
    page.keyboard.press("Enter")
    expect(page.locator(".nhsuk-error-summary")).to_contain_text("there is no prompt hello_calm")
    look(page, "flow-new-wrong")
    page.get_by_label("New prompts").fill("hello_calm: Take your time. Press 1 for the nurse.")
    page.get_by_role("button", name="Check it").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_text("every path ends with a person")).to_be_visible()
    look(page, "flow-new")
    page.get_by_role("link", name="All versions").click()


@pytest.mark.slow
def test_the_keyboard_alone_is_enough_to_stop_a_message(serve: Serve, open_tab: OpenTab, house: House) -> None:
    with serve(house.app) as url:
        house.clock.time = NIGHT
        page = open_as(open_tab, house, url, "/messages", "Dee", Role.PUBLIC_HEALTH)
        page.get_by_role("link", name="Norovirus").focus()
        page.keyboard.press("Enter")
        expect(page.get_by_role("button", name="Start it now")).to_be_visible()
        _tab_to(page, "areas-3")  # Bromley
        page.keyboard.press("Space")
        _tab_to(page, "hours")
        page.keyboard.press("Space")
        page.keyboard.press("Enter")
        expect(page.get_by_role("heading", name="Needs a second person")).to_be_visible()
        assert page.request.get(f"{url}/heard").json() == ["norovirus"]
        for _ in range(30):
            page.keyboard.press("Tab")
            if page.evaluate("document.activeElement.textContent.trim()") == "Stop it now":
                break
        page.keyboard.press("Enter")
        expect(page.locator(".nhsuk-tag", has_text="Stopped")).to_be_visible()
        assert page.request.get(f"{url}/heard").json() == []


def _tab_to(page: Page, element_id: str) -> None:
    for _ in range(60):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.id") == element_id:
            return
    pytest.fail(f"#{element_id} is not reached with the Tab key")
