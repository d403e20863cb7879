"""A night message and its review, and a flow from its draft to its recall: through the browser, by a hand clock."""

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

pytestmark = pytest.mark.alone


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


def test_a_night_message_is_reviewed_in_the_morning_and_goes_on(
    serve: Serve, open_tab: OpenTab, house: House, shoot: Shoot, find_barriers: FindBarriers
) -> None:
    house.clock.time = NIGHT - timedelta(hours=13)
    with serve(house.app) as url:
        house.clock.time = NIGHT + timedelta(hours=7, minutes=30)
        dee = open_as(open_tab, house, url, "/messages", "Dee", Role.PUBLIC_HEALTH)
        dee.get_by_role("link", name="Norovirus").click()
        dee.get_by_label("Bromley", exact=True).check()
        dee.get_by_label("4 hours").check()
        dee.get_by_role("button", name="Start it now").click()
        expect(dee.get_by_text("it stops itself at Wed 25 March 2026, 08:30")).to_be_visible()
        expect(dee.get_by_role("button", name="I have reviewed it")).to_have_count(0)  # nobody reviews their own work
        assert [each.kind for each in house.world.reviewers.heard] == ["needs_review"]
        house.clock.move(95 * 60)  # the morning's first at work
        pat = open_as(open_tab, house, url, "/messages", "Pat", Role.COMMISSIONER)
        expect(pat.get_by_role("row", name="Norovirus Bromley")).to_contain_text("Needs review")
        shoot(pat, "messages-needs-review")
        assert find_barriers(pat) == []
        pat.get_by_role("row", name="Norovirus Bromley").get_by_role("link").click()
        expect(pat.locator(".timeline")).to_contain_text("Started at night by Dee, public health")
        expect(pat.get_by_text("once it is reviewed Wed 25 March 2026, 10:30")).to_be_visible()
        expect(pat.get_by_role("link", name="a template that two people approved")).to_be_visible()
        shoot(pat, "message-review")
        assert find_barriers(pat) == []
        _tab_to_text(pat, "I have reviewed it: let it go on")
        pat.keyboard.press("Enter")
        expect(pat.locator(".timeline")).to_contain_text("Reviewed by Pat, commissioner")
        expect(pat.get_by_role("heading", name="Needs a second person")).to_have_count(0)
        house.clock.move(3600)
        assert pat.request.get(f"{url}/heard").json() == ["norovirus"]  # past the two hours
        house.clock.move(2 * 3600)
        assert pat.request.get(f"{url}/heard").json() == []  # its own end
        pat.reload()
        expect(pat.locator(".nhsuk-tag", has_text="Expired")).to_be_visible()


@SIZES
def test_a_flow_from_its_draft_to_its_recall(
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
        ann = open_as(open_tab, house, url, "/flows", "Ann", Role.COMMISSIONER, viewport=viewport)
        look(ann, "flows")
        write_a_version(ann, look)
        says(ann, "Checked", "Drafted by Ann, commissioner: A calmer menu")
        hear_it_and_see_what_it_changes(ann, url, look)
        expect(ann.get_by_text("Somebody who did not write it has to approve it.")).to_be_visible()
        expect(ann.get_by_text("somebody else: clinical safety, commissioner")).to_be_visible()
        expect(ann.get_by_role("button", name="Approve what I have read")).to_have_count(0)
        calmer = ann.url

        cleo = open_as(open_tab, house, url, calmer.removeprefix(url), "Cleo", Role.CLINICAL_SAFETY, viewport=viewport)
        _tab_to_text(cleo, "Approve what I have read")
        cleo.keyboard.press("Enter")
        says(cleo, "Approved", "Approved by Cleo, clinical safety")

        ann.goto(calmer)
        ann.get_by_label("Share of calls").select_option("10%")
        ann.get_by_role("button", name="Try it on some calls").click()
        says(ann, "Staged", "Staged by Ann, commissioner: for 10% of calls")
        expect(ann.get_by_text("Too few calls to tell yet.")).to_be_visible()
        for number, (version, answered) in enumerate((("new", "yes"), ("new", "no"), ("live", "yes"), ("live", "yes"))):
            of = calmer.rpartition("/")[2] if version == "new" else house.shipped.version
            assert ann.request.get(f"{url}/called/{of}/{answered}?call_ref=call-{number}").ok
        ann.reload()
        expect(ann.get_by_role("row", name="This version")).to_contain_text("1 (50%)")
        expect(ann.get_by_role("row", name="The live version")).to_contain_text("2 (100%)")
        look(ann, "flow-staged")
        ann.get_by_role("button", name="Stop it").click()
        says(ann, "Rolled back", "Stopped by Ann, commissioner")
        goes_live_by_a_schedule_and_is_taken_back(cleo, house, url, look)


def says(page: Page, state: str, record: str) -> None:
    """The page of a version says in which state it is, and who did what."""
    expect(page.locator(".nhsuk-tag").first).to_have_text(state)
    expect(page.locator(".timeline")).to_contain_text(record)


def hear_it_and_see_what_it_changes(page: Page, url: str, look: Callable[[Page, str], None]) -> None:
    """On the page of a version: the check, the words and their sound, who would go elsewhere, recorded calls."""
    expect(page.get_by_text("every path ends with a person")).to_be_visible()
    expect(page.get_by_text("2 differences from the live version")).to_be_visible()
    expect(page.get_by_text("Take your time. Press 1 for the nurse.", exact=True)).to_be_visible()
    sound = page.get_by_label("Hear it: hello_calm, in this version")
    assert page.request.get(f"{url}{sound.get_attribute('src')}").body()[:4] == b"RIFF"
    look(page, "flow")
    page.get_by_role("link", name="See which callers would go elsewhere").click()
    expect(page.get_by_role("row", name="silence").first).to_be_visible()
    look(page, "flow-callers")
    page.get_by_role("link", name="Back to the version").click()
    page.get_by_role("link", name="Play recorded calls through it").click()
    page.get_by_label("Calls from").fill("24/3/2026 00:00")
    page.get_by_label("Calls until").fill("25/3/2026 00:00")
    page.get_by_role("button", name="Replay").click()
    expect(page.get_by_text("0 of 4 calls would have gone elsewhere")).to_be_visible()
    look(page, "flow-replay")
    page.get_by_role("link", name="Back to the version").click()


def goes_live_by_a_schedule_and_is_taken_back(
    cleo: Page, house: House, url: str, look: Callable[[Page, str], None]
) -> None:
    """Another version: approved, scheduled, live by itself, rolled back, recalled; and what the next call meets."""

    def met() -> str:
        return house.flows.for_dialled("111", "a-call").version

    cleo.goto(f"{url}/flows/{house.new.version}")
    cleo.get_by_role("button", name="Approve what I have read").click()
    cleo.get_by_label("From").fill("24/3/2026 18:00")
    cleo.get_by_role("button", name="Schedule it").click()
    says(cleo, "Scheduled", "Scheduled by Cleo, clinical safety: for Tue 24 March 2026, 18:00")
    look(cleo, "flow-scheduled")
    assert met() == house.shipped.version
    house.clock.move(8 * 3600)
    assert met() == house.new.version  # by the clock, whoever has written it down
    assert house.went_live.wait(30)
    cleo.reload()
    says(cleo, "Live", "Live by schedule by the service")
    expect(cleo.get_by_text("This is what callers meet now.")).to_be_visible()
    look(cleo, "flow-live")
    cleo.get_by_label("Why (for the record)").first.fill("Callers get lost")
    cleo.get_by_role("button", name="Roll back").click()
    says(cleo, "Rolled back", "Rolled back by Cleo, clinical safety: Callers get lost")
    assert met() == house.shipped.version
    assert not house.flows.is_recalled(house.new.version)  # calls in progress finish
    cleo.get_by_label("Why (for the record)").last.fill("Callers with chest pain get lost")
    cleo.get_by_role("button", name="Recall it").click()
    says(cleo, "Recalled", "Recalled by Cleo, clinical safety: Callers with chest pain")
    look(cleo, "flow-recalled")
    assert house.flows.is_recalled(house.new.version)


def write_a_version(page: Page, look: Callable[[Page, str], None]) -> None:
    """By the keyboard: change the text of the live version, see what is wrong, mend it, check it, save it."""
    page.get_by_role("button", name="Write a version").focus()
    page.keyboard.press("Enter")
    flow = page.get_by_label("The flow")
    written = flow.input_value()
    flow.fill(written.replace("[hello]", "[hello_calm]"))
    page.get_by_role("button", name="Check it").focus()
    page.keyboard.press("Enter")
    expect(page.locator(".nhsuk-error-summary")).to_contain_text("there is no prompt hello_calm")
    look(page, "flow-new-wrong")
    page.get_by_label("What it is for").fill("A calmer menu")
    page.get_by_label("New prompts").fill("hello_calm: Take your time. Press 1 for the nurse.")
    page.get_by_role("button", name="Check it").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_text("every path ends with a person")).to_be_visible()
    look(page, "flow-new")
    _tab_to_text(page, "Save as draft")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="A calmer menu")).to_be_visible()


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
        _tab_to_text(page, "Stop it now")
        page.keyboard.press("Enter")
        expect(page.locator(".nhsuk-tag", has_text="Stopped")).to_be_visible()
        assert page.request.get(f"{url}/heard").json() == []


def _tab_to(page: Page, element_id: str) -> None:
    for _ in range(60):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.id") == element_id:
            return
    pytest.fail(f"#{element_id} is not reached with the Tab key")


def _tab_to_text(page: Page, words: str) -> None:
    for _ in range(60):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.textContent.trim()") == words:
            return
    pytest.fail(f"{words!r} is not reached with the Tab key")
