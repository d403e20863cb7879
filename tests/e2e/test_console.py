"""The console in a browser, over the in-memory ports: what a person sees and can do."""

from __future__ import annotations

from dataclasses import replace
from urllib.parse import urlsplit

import pytest
from console_world import BORN, CONTEXT, HANDLER_LINE, World, scope
from e2e_browser import SIZES, FindBarriers, OpenTab, Serve, Shoot
from playwright.sync_api import Page, expect

CALL = f"/calls/{CONTEXT}"
STALE = "Out of date: review was due 11 March 2025"
WRONG = ("4", "5", "1948")
RIGHT = (str(BORN.day), str(BORN.month), str(BORN.year))


def sign_in(page: Page, role: str) -> None:
    page.get_by_label("Your name").fill("Sam")
    page.get_by_label(role, exact=True).check()
    page.get_by_role("button", name="Sign in").click()


def type_date(page: Page, date: tuple[str, str, str]) -> None:
    for label, text in zip(("Day", "Month", "Year"), date, strict=True):
        page.get_by_label(label, exact=True).fill(text)
    page.get_by_role("button", name="Check and open").click()


def tile(cell: str) -> str:
    return f'.board-tiles [data-cell="{cell}"]'


def test_wallboard_moves_without_reload(serve: Serve, open_tab: OpenTab) -> None:
    world = World(open_wallboard=True)
    with serve(world.app()) as url:
        page = open_tab(url)
        page.evaluate("window.sameDocument = true")
        waiting = page.locator(tile("waiting"))
        expect(waiting).to_have_text("9")
        world.board.set_total(waiting=42, longest_wait_s=3.0)
        expect(waiting).to_have_text("42")
        expect(page.locator(".board-tiles [data-late]")).to_be_hidden()
        assert page.evaluate("window.sameDocument") is True
        assert page.locator("#chart canvas").count() == 1
        page.context.close()


def test_wallboard_shows_a_provider_that_appears(serve: Serve, open_tab: OpenTab) -> None:
    world = World(open_wallboard=True)
    with serve(world.app()) as url:
        page = open_tab(url)
        assert world.board.now is not None
        late = scope("west", "West London", longest_wait_s=75.0)
        world.board.now = replace(world.board.now, providers=(late, *world.board.now.providers[:1]))
        rows = page.locator("#providers tr")
        expect(rows).to_have_count(2)
        expect(rows.first).to_contain_text("West London")
        expect(rows.first).to_contain_text("Over 60 s")
        page.context.close()


def test_wallboard_says_what_is_not_known(serve: Serve, open_tab: OpenTab) -> None:
    world = World(open_wallboard=True)
    with serve(world.app()) as url:
        page = open_tab(url)
        world.board.now = None
        expect(page.locator(tile("waiting"))).to_have_text("not known")
        page.context.close()


def test_lost_connection_is_said_and_found_again(serve: Serve, open_tab: OpenTab) -> None:
    world = World(open_wallboard=True)
    with serve(world.app()) as url:
        page = open_tab(url, offline_is_fine=True)
        expect(page.locator("#at")).to_have_text("12:00:00")
        expect(page.get_by_text("Connection lost")).to_be_hidden()
    expect(page.get_by_text("Connection lost — figures from 12:00:00")).to_be_visible()
    world.board.set_total(waiting=11)
    with serve(world.app(), port=urlsplit(url).port):
        expect(page.locator(tile("waiting"))).to_have_text("11", timeout=20_000)
        expect(page.get_by_text("Connection lost")).to_be_hidden()
        page.context.close()


def test_wallboard_is_complete_without_scripts(serve: Serve, open_tab: OpenTab) -> None:
    with serve(World(open_wallboard=True).app()) as url:
        page = open_tab(url, java_script_enabled=False)
        expect(page.locator("#providers tr")).to_have_count(4)
        page.get_by_text("The same numbers as a table").click()
        expect(page.locator("#minutes tr")).to_have_count(30)


def test_plan_opens_only_after_the_right_date(serve: Serve, open_tab: OpenTab) -> None:
    world = World()
    with serve(world.app()) as url:
        page = open_tab(url + CALL)
        sign_in(page, "Call handler")
        expect(page.get_by_role("heading", name="1 possible plan")).to_be_visible()
        assert not any(word in page.content() for word in (HANDLER_LINE, "Margaret", "Northgate"))
        type_date(page, WRONG)
        expect(page.locator(".nhsuk-error-summary")).to_be_focused()
        expect(page.locator(".nhsuk-error-summary")).to_contain_text("No plan on this line matches")
        assert not any(word in page.content() for word in (HANDLER_LINE, "Margaret", "Northgate"))
        type_date(page, RIGHT)
        expect(page.get_by_text(HANDLER_LINE)).to_be_visible()
        expect(page.get_by_text(STALE)).to_be_visible()
        assert "1948" not in page.url
        assert [born for born, _ in world.desk.tries][-1] == BORN
        page.goto(url + CALL)
        expect(page.get_by_text(HANDLER_LINE)).to_have_count(0)


def test_keyboard_alone_is_enough(serve: Serve, open_tab: OpenTab) -> None:
    with serve(World().app()) as url:
        page = open_tab(url + CALL)
        keys = page.keyboard
        _tab_to(page, "name")
        keys.type("Sam")
        _tab_to(page, "role")
        keys.press("Space")
        keys.press("Enter")
        expect(page.get_by_role("heading", name="1 possible plan")).to_be_visible()
        _tab_to(page, "born-day")
        keys.type(RIGHT[0])
        keys.press("Tab")
        keys.type(RIGHT[1])
        keys.press("Tab")
        keys.type(RIGHT[2])
        keys.press("Enter")
        expect(page.locator("#plan-title")).to_be_focused()
        expect(page.get_by_text(HANDLER_LINE)).to_be_visible()


def _tab_to(page: Page, element_id: str) -> None:
    for _ in range(30):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.id") == element_id:
            return
    pytest.fail(f"#{element_id} is not reached with the Tab key")


@SIZES
def test_every_page_is_accessible_and_fits(
    serve: Serve,
    open_tab: OpenTab,
    shoot: Shoot,
    find_barriers: FindBarriers,
    viewport: dict[str, int],
) -> None:
    def look(page: Page, name: str) -> None:
        shoot(page, f"{name}-{viewport['width']}")
        assert find_barriers(page) == []
        assert page.evaluate("document.documentElement.scrollWidth") <= viewport["width"], f"{name} is too wide"

    with serve(World().app()) as url:
        page = open_tab(url + CALL, viewport=viewport, reduced_motion="reduce")
        look(page, "sign-in")
        sign_in(page, "Clinician")
        look(page, "call-closed")
        type_date(page, WRONG)
        look(page, "call-wrong")
        type_date(page, RIGHT)
        look(page, "call-open")
        page.goto(url + "/calls/unknown")
        look(page, "no-such-call")
        page.context.close()
