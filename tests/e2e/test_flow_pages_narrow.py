"""Pages of flows and messages at 320 px, which is 400 % of a desktop, and at 200 %: nothing goes out at the side.

WCAG 2.2, 1.4.10 (reflow): wide tables scroll in themselves, never the page.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from e2e_browser import FindBarriers, OpenTab, Serve
from message_house import House
from playwright.sync_api import Page
from test_night_and_flows import open_as

from callrouter.handover import Role

pytestmark = pytest.mark.slow

OUT_AT_THE_SIDE = """() => {
  const wide = document.documentElement.clientWidth;
  if (document.documentElement.scrollWidth <= wide) return [];
  const clips = e => e && e !== document.body &&
    (getComputedStyle(e).overflowX !== 'visible' || clips(e.parentElement));
  const right = e => Math.round(e.getBoundingClientRect().right);
  return [...document.querySelectorAll('body *')]
    .filter(e => right(e) > wide + 1 && !clips(e.parentElement))
    .map(e => [e.tagName, e.className, right(e), e.textContent.trim().slice(0, 40)].join(' '))
    .slice(0, 5);
}"""


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


@pytest.mark.parametrize(
    "viewport", [{"width": 320, "height": 568}, {"width": 640, "height": 450}], ids=["320px", "200percent"]
)
def test_nothing_goes_out_at_the_side(
    serve: Serve, open_tab: OpenTab, house: House, find_barriers: FindBarriers, viewport: dict[str, int]
) -> None:
    found: dict[str, list[str]] = {}
    with serve(house.app) as url:
        page = open_as(open_tab, house, url, "/flows", "Ann", Role.COMMISSIONER, viewport=viewport)

        def look(name: str) -> None:
            if wrong := [*page.evaluate(OUT_AT_THE_SIDE), *find_barriers(page)]:
                found[name] = wrong

        look("flows")
        a_version(page, url, house, look)
        for path in ("/messages", "/messages/new"):
            page.goto(f"{url}{path}")
            look(path)
        page.goto(f"{url}/messages")
        page.get_by_role("link", name="Norovirus").first.click()
        look("template")
    assert found == {}


def a_version(page: Page, url: str, house: House, look: object) -> None:
    """Its page, who would go elsewhere, recorded calls, and the form in which it is written, with what is wrong."""
    assert callable(look)
    page.goto(f"{url}/flows/{house.new.version}")
    look("version")
    for link in ("See which callers would go elsewhere", "Play recorded calls through it"):
        page.get_by_role("link", name=link).click()
        look(link)
        page.get_by_role("link", name="Back to the version").click()
    page.goto(f"{url}/flows")
    page.get_by_role("button", name="Write a version").click()
    look("write")
    flow = page.get_by_label("The flow")
    flow.fill(flow.input_value().replace("[hello]", "[hello_that_has_a_long_name_which_nobody_has_recorded_yet]"))
    page.get_by_role("button", name="Check it").click()
    look("refused")
