"""Welfare tasks and earlier calls in a browser: by keyboard alone, on a desk and on a telephone, without barriers."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from console_world import CONTEXT, NOON, Desk, SetAlerts, SetBoard, SetClock, SetPast, call_page
from e2e_browser import SIZES, FindBarriers, OpenTab, Serve, Shoot
from fastapi import FastAPI
from playwright.sync_api import Page, expect

from callrouter.view import Finding
from callrouter.welfare.service import Left, Task, Welfare
from callrouter.welfare.tables import metadata
from console.routes import Figures, console_router, mount_static
from console.session import Sessions
from infra.crypto import KeyRing
from infra.sql import connect_database

SECRET = "a-secret-of-the-tests-and-of-nothing-else"
DISTRESS = Finding(NOON, "PRC", "by_number", 3.0, {"distress": True}, raises=True)


async def duty_manager(_task: Task) -> bool:
    """Takes every notice, and does nothing."""
    return True


@pytest.fixture
def url(tmp_path: Path, serve: Serve) -> Iterator[str]:
    clock = SetClock(NOON)
    database = connect_database(f"sqlite:///{tmp_path}/welfare.db")
    welfare = Welfare(database, KeyRing(b"m" * 32, b"i" * 32), clock, duty_manager)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        await database.write(metadata.create_all)
        left = Left("one", CONTEXT, "choose_service", NOON - timedelta(minutes=3), "+447700900123")
        await welfare.make(left)
        await welfare.make(replace(left, call_ref="two", left_at=NOON - timedelta(minutes=1), number=None))
        clock.at = NOON + timedelta(minutes=2)
        await welfare.look_after()
        yield
        await database.close()

    page = call_page()
    desk = Desk(page_of_call=replace(page, call=replace(page.call, findings=(("repeat", DISTRESS),))))
    sessions = Sessions(SECRET, clock=clock, development_sign_in=True)
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None, lifespan=lifespan)
    figures = Figures(SetBoard(), SetPast(), SetAlerts())
    app.include_router(console_router(figures=figures, pages=desk, sessions=sessions, clock=clock, welfare=welfare))
    mount_static(app)

    @app.post("/one-more")
    async def one_more() -> None:
        await welfare.make(Left("three", CONTEXT, "choose_service", clock.at, "+447700900124"))

    with serve(app) as address:
        yield address


def sign_in(page: Page) -> None:
    page.get_by_label("Your name").fill("Nina")
    page.get_by_label("Clinician", exact=True).check()
    page.get_by_role("button", name="Sign in").click()


@pytest.mark.slow
@SIZES
def test_a_clinician_takes_a_task_on_by_keyboard(
    url: str, open_tab: OpenTab, shoot: Shoot, find_barriers: FindBarriers, viewport: dict[str, int]
) -> None:
    page = open_tab(f"{url}/welfare", viewport=viewport)
    sign_in(page)
    rows = page.locator("[data-row]")
    expect(rows).to_have_count(2)
    expect(rows.first).to_contain_text("07700 900123")
    expect(rows.first).to_contain_text("Duty manager told")
    assert find_barriers(page) == []
    shoot(page, f"welfare-{viewport['width']}")
    page.get_by_role("button", name="Take on the caller on 07700 900123").focus()
    page.keyboard.press("Enter")
    expect(rows).to_have_count(1)
    expect(page.get_by_role("status")).to_contain_text("Nina took on the task of the caller on 07700 900123")
    assert find_barriers(page) == []


@pytest.mark.slow
def test_the_list_renews_itself_and_says_so_when_it_cannot(
    url: str, open_tab: OpenTab, find_barriers: FindBarriers
) -> None:
    page = open_tab(f"{url}/welfare", offline_is_fine=True)
    page.clock.install()
    sign_in(page)
    rows = page.locator("[data-row]")
    expect(rows).to_have_count(2)
    page.get_by_role("button", name="Take on the caller on 07700 900123").focus()
    httpx.post(f"{url}/one-more")
    page.clock.run_for(30_000)
    expect(rows).to_have_count(3)
    expect(page.locator("[data-again-said]")).to_have_text("3 callers to look after")
    expect(page.get_by_role("button", name="Take on the caller on 07700 900123")).to_be_focused()
    assert find_barriers(page) == []
    warning = page.get_by_text("This list may be out of date")
    expect(warning).to_be_hidden()
    page.context.set_offline(True)
    page.clock.run_for(30_000)
    expect(warning).to_be_visible()
    page.context.set_offline(False)
    page.clock.run_for(30_000)
    expect(warning).to_be_hidden()
    page.context.clear_cookies()
    page.clock.run_for(30_000)
    expect(page.get_by_label("Your name")).to_be_visible()


@pytest.mark.slow
@SIZES
def test_the_page_of_a_call_says_distress_and_asks_about_earlier_calls(
    url: str, open_tab: OpenTab, shoot: Shoot, find_barriers: FindBarriers, viewport: dict[str, int]
) -> None:
    page = open_tab(f"{url}/calls/{CONTEXT}", viewport=viewport)
    sign_in(page)
    expect(page.get_by_text("Distress flag")).to_be_visible()
    expect(page.get_by_text("called 111 twice in the last four days?")).to_be_visible()
    page.locator("summary", has_text="Look again").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_label("Home postcode")).to_be_visible()
    assert find_barriers(page) == []
    shoot(page, f"earlier-calls-{viewport['width']}")
