"""Call-backs in a browser: taken on and told by keyboard alone, on a desk and on a telephone, without barriers."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from console_world import NOON, Desk, SetAlerts, SetBoard, SetClock, SetPast, call_page
from e2e_browser import SIZES, FindBarriers, OpenTab, Serve, Shoot
from fastapi import FastAPI
from playwright.sync_api import Page, expect

from callrouter.call_backs.service import CallBackList
from callrouter.call_backs.tables import metadata
from callrouter.model import CallRecord
from callrouter.view import CallView
from console.routes import Figures, console_router, mount_static
from console.session import Sessions
from infra.crypto import KeyRing
from infra.numbers import read_number
from infra.sql import connect_database
from ivr.model import GoneWait, Session

SECRET = "a-secret-of-the-tests-and-of-nothing-else"


def record(call_ref: str, number: str) -> CallRecord:
    """A call as the door has it when it promises."""
    session = Session("f", "1", "ring", {}, {}, {}, GoneWait("ring"), ())
    return CallRecord(
        call_ref=call_ref, context=f"{call_ref:0>32}", network="sip", number=read_number(number), dialled="111",
        offered_at=NOON, arrived_at=NOON, session=session, epoch=1, step=1, seq=1, wait_id="1.1", replies={},
    )  # fmt: skip


@pytest.fixture
def url(tmp_path: Path, serve: Serve) -> Iterator[str]:
    clock = SetClock(NOON)
    database = connect_database(f"sqlite:///{tmp_path}/call-backs.db")
    call_backs = CallBackList(database, KeyRing(b"m" * 32, b"i" * 32), clock)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        await database.write(metadata.create_all)
        assert await call_backs.promise(record("one", "07700 900123"), "111")
        clock.at = NOON + timedelta(minutes=3)
        assert await call_backs.promise(record("two", "07700 900124"), "111")
        for call_ref in ("one", "two"):
            await call_backs.call_ended(CallView(call_ref, ended_at=clock.at))
        clock.at = NOON + timedelta(minutes=22)
        yield
        await database.close()

    sessions = Sessions(SECRET, clock=clock, development_sign_in=True)
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None, lifespan=lifespan)
    figures = Figures(SetBoard(), SetPast(), SetAlerts())
    desk = Desk(page_of_call=call_page())
    app.include_router(
        console_router(figures=figures, pages=desk, sessions=sessions, clock=clock, call_backs=call_backs)
    )
    mount_static(app)
    with serve(app) as address:
        yield address


def sign_in(page: Page) -> None:
    page.get_by_label("Your name").fill("Hana")
    page.get_by_label("Call handler", exact=True).check()
    page.get_by_role("button", name="Sign in").click()


@pytest.mark.slow
@SIZES
def test_a_handler_takes_a_call_back_on_and_tells_what_came_of_it_by_keyboard(
    url: str, open_tab: OpenTab, shoot: Shoot, find_barriers: FindBarriers, viewport: dict[str, int]
) -> None:
    page = open_tab(f"{url}/call-backs", viewport=viewport)
    sign_in(page)
    rows = page.locator("[data-row]")
    expect(rows).to_have_count(2)
    expect(rows.first).to_contain_text("2 min late")
    expect(rows.last).to_contain_text("in 1 min")
    expect(page.locator("body")).not_to_contain_text("07700 900")
    assert find_barriers(page) == []
    shoot(page, f"call-backs-{viewport['width']}")
    rows.first.get_by_role("button").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Ring 07700 900123")).to_be_visible()
    expect(page.get_by_text("Somebody else may answer.")).to_be_visible()
    assert find_barriers(page) == []
    shoot(page, f"call-back-{viewport['width']}")
    page.get_by_role("button", name="No answer").focus()
    page.keyboard.press("Enter")
    expect(rows).to_have_count(2)
    expect(rows.last).to_contain_text("1, next at")
    expect(rows.last).to_contain_text("Nobody")
    rows.first.get_by_role("button").focus()
    page.keyboard.press("Enter")
    page.get_by_role("button", name="I speak with the caller").focus()
    page.keyboard.press("Enter")
    expect(rows).to_have_count(1)
    expect(page.get_by_text("Over in the last two hours")).to_be_visible()
    assert find_barriers(page) == []


@pytest.mark.slow
def test_a_list_that_renews_itself_leaves_the_keyboard_where_it_was(url: str, open_tab: OpenTab) -> None:
    page = open_tab(f"{url}/call-backs")
    page.clock.install()
    sign_in(page)
    rows = page.locator("[data-row]")
    rows.first.get_by_role("button").focus()
    other = page.context.new_page()  # the second window of the same person takes one on
    other.goto(f"{url}/call-backs")
    other.locator("[data-row]").last.get_by_role("button").click()
    expect(other.get_by_role("heading", name="Ring 07700 900")).to_be_visible()
    page.clock.run_for(30_000)
    expect(rows.last.get_by_role("link")).to_be_visible()
    expect(rows.first.get_by_role("button")).to_be_focused()
