"""The pages of figures in a browser: live pieces, a table beside each chart, barriers, sizes, and the big screen."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from console_world import Firing, World, scope
from e2e_browser import DESKTOP, FindBarriers, OpenTab, Serve, Shoot
from playwright.sync_api import Page, expect

from callrouter.handover import Role, SignedIn

pytestmark = pytest.mark.alone

SMALL_PHONE = {"width": 320, "height": 640}
"""Also what a window of 640 pixels shows at 200 %, and one of 1280 at 400 % (WCAG 2.2, 1.4.10)."""
WALL = {"width": 1920, "height": 1080}
PROJECTOR: Any = {"width": 1280, "height": 720}
TABLES_CUT_OFF = """[...document.querySelectorAll(".board-scroll")]
    .filter(each => each.scrollWidth > each.clientWidth).map(each => each.ariaLabel)"""
"""A column that has to be scrolled to is not seen: on a desktop every table has its room."""
SIZES = pytest.mark.parametrize(
    "viewport", [DESKTOP, pytest.param(SMALL_PHONE, marks=pytest.mark.slow)], ids=["desktop", "phone"]
)
CHARTS = {"/": 6, "/providers/south_east": 4, "/reports/daily/2026-02-02": 0}
"""Pages, and how many charts that are no tables themselves each has."""


def sign_in(world: World, page: Page, url: str) -> None:
    cookie = world.sessions.sign(SignedIn("Sam", Role.COMMISSIONER))
    page.context.add_cookies([{"name": world.sessions.cookie_name, "value": cookie, "url": url}])


@SIZES
def test_every_page_of_figures_is_accessible_and_fits(
    serve: Serve, open_tab: OpenTab, shoot: Shoot, find_barriers: FindBarriers, viewport: Any
) -> None:
    world = World()
    with serve(world.app()) as url:
        page = open_tab(url, viewport=viewport, reduced_motion="reduce")
        sign_in(world, page, url)
        for path, charts in CHARTS.items():
            page.goto(url + path)
            if viewport is SMALL_PHONE:  # by make test-all: axe takes seconds for hundreds of rows
                for each in page.locator("summary").all():
                    each.click()
            shoot(page, f"figures{path.replace('/', '-')}-{viewport['width']}")
            assert find_barriers(page) == [], path
            assert page.evaluate("document.documentElement.scrollWidth") <= viewport["width"], f"{path} is too wide"
            for desktop in (PROJECTOR, DESKTOP) if viewport is DESKTOP else ():
                page.set_viewport_size(desktop)
                assert page.evaluate(TABLES_CUT_OFF) == [], (path, desktop["width"])
            drawn = page.get_by_role("img", name=re.compile("The same numbers are in the table below"))
            assert drawn.count() == charts, path
        assert _moving(page) == []
        _prints_figures_alone(page)
        page.context.close()


@pytest.mark.slow
def test_the_big_screen_fits_a_wall_and_goes_on_by_itself(
    serve: Serve, open_tab: OpenTab, shoot: Shoot, find_barriers: FindBarriers
) -> None:
    world = World(open_wallboard=True)
    assert world.board.now is not None
    eight = tuple(scope(f"p{n}", f"Provider {n}", longest_wait_s=54.0 + n) for n in range(7))
    eight += (scope("clinical", "London clinical assessment service", answered=1160, answered_within_60=1101),)
    world.board.now = replace(world.board.now, providers=eight)
    world.alerts.now = (Firing(),) * 4
    with serve(world.app()) as url:
        page = open_tab(f"{url}/?screen=big", viewport=WALL)
        expect(page.get_by_text("and 2 more")).to_be_visible()
        shoot(page, "figures-big")
        assert find_barriers(page) == []
        whole = page.evaluate("[document.documentElement.scrollWidth, document.documentElement.scrollHeight]")
        assert whole == [WALL["width"], WALL["height"]]
        cut = "each => each.scrollWidth - each.clientWidth"
        assert page.locator(".board-scroll").evaluate(cut) <= 2, "nobody scrolls a wall; two pixels are the frame's"
        in_pixels = "found => found.map((each) => parseFloat(getComputedStyle(each).fontSize))"
        sizes = page.locator("td, th, dd").evaluate_all(in_pixels)
        assert min(sizes) >= 28, "read from five metres"
        page.set_viewport_size(PROJECTOR)
        whole = page.evaluate("[document.documentElement.scrollWidth, document.documentElement.scrollHeight]")
        assert whole == [PROJECTOR["width"], PROJECTOR["height"]]
        world.board.set_total(waiting=42)
        expect(page.locator('.board-tiles [data-cell="waiting"]')).to_have_text("42")
        page.context.close()


def test_pieces_of_a_page_are_renewed_without_losing_what_was_open(serve: Serve, open_tab: OpenTab) -> None:
    world = World(open_wallboard=True)
    with serve(world.app()) as url:
        page = open_tab(f"{url}/providers/south_east?window=15")
        page.evaluate("window.sameDocument = true")
        expect(page.locator(".trend__before").last).to_have_attribute("d", re.compile("M"))
        page.locator("#trends-table summary").press("Enter")
        expect(page.locator("#trends-table")).to_have_attribute("open", "")
        world.alerts.now = (Firing(title="The feed is dead"),)
        world.past.empty = True
        world.clock.at += timedelta(days=1)
        expect(page.locator("[data-part=firing]")).to_contain_text("The feed is dead")
        expect(page.locator(".trend__before").last).to_have_attribute("d", "")
        expect(page.locator("#trends-table")).to_have_attribute("open", "")
        expect(page.locator("#trends-table summary")).to_be_focused()
        assert page.evaluate("window.sameDocument") is True
        sign_in(world, page, url)  # other days are for who is
        page.get_by_role("link", name="60 minutes").press("Enter")
        expect(page.locator("#waits-title")).to_contain_text("in the last 60 minutes")
        page.get_by_label("From").fill("2026-01-05")
        page.get_by_label("to", exact=True).fill("2026-01-31")
        page.get_by_role("button", name="Show these days").press("Enter")
        expect(page.locator("#waits-title")).to_contain_text("from 5 January 2026 to 31 January 2026")
        page.context.close()


def _prints_figures_alone(page: Page) -> None:
    """The daily report on paper: its tables, and nothing that is there to be pressed."""
    assert page.get_by_role("navigation").count() > 0
    tables = page.locator("table")
    seen = tables.count()
    page.emulate_media(media="print")
    for to_press in ("navigation", "button", "banner", "contentinfo"):
        assert page.get_by_role(to_press).count() == 0, to_press
    assert seen > 3
    assert [each.is_visible() for each in tables.all()] == [True] * seen


def _moving(page: Page) -> list[str]:
    """Whatever moves by itself on a page whose reader asked for stillness."""
    found: list[str] = page.evaluate("document.getAnimations().map(each => each.constructor.name)")
    return found
