"""From a surge in the counts to a message that the next caller hears: the whole service, two people, few actions."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest
from dialling import TerminalCall
from e2e_browser import FindBarriers, OpenTab, Shoot
from playwright.sync_api import Page, expect

from infra.sql import connect_database
from tests.running import RunningService
from tests.surge_past import MENU, write_past

WORDS = "Rest, drink plenty, and ask a pharmacist what can help you."
MOST_ACTIONS = 12


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    """The shipped flow, on five weeks of counts that end in four hours of a surge among all callers."""
    service = RunningService(tmp_path_factory.mktemp("surges"))
    assert service.run("db", "upgrade").returncode == 0
    asyncio.run(_write_past(service))
    with service:
        yield service


async def _write_past(service: RunningService) -> None:
    database = connect_database(f"sqlite:///{service.folder}/data/callrouter.db")
    now = datetime.now(UTC) + timedelta(minutes=15)
    await database.write(lambda connection: write_past(connection, now, surge={"unknown": 8.0}))
    await database.close()


def _counted(service: RunningService) -> int:
    """Callers with a cold or flu whom the service itself has counted, under the version of the shipped flow."""
    with closing(sqlite3.connect(service.folder / "data" / "callrouter.db")) as database:
        query = "SELECT sum(demand) FROM surge_counts WHERE signal = 'cold_or_flu' AND version != ?"
        return database.execute(query, (MENU,)).fetchone()[0] or 0


class Actions:
    """Everything that people do, counted: a click, a page opened, a field filled in."""

    def __init__(self) -> None:
        self.count = 0

    def click(self, page: Page, role: str, name: str) -> None:
        self.count += 1
        page.get_by_role(role, name=name).click()  # type: ignore[arg-type]

    def open(self, page: Page, address: str) -> None:
        self.count += 1
        page.goto(address)


def sign_in(page: Page, name: str, role: str) -> None:
    page.get_by_label("Your name").fill(name)
    page.get_by_label(role, exact=True).check()
    page.get_by_role("button", name="Sign in").click()


@pytest.mark.slow  # tests/integration/test_surge_pages.py shows the same without browser and telephone
@pytest.mark.timeout(240)  # a service, its look and two calls, on whatever machine
def test_a_surge_is_answered(
    service: RunningService, open_tab: OpenTab, shoot: Shoot, find_barriers: FindBarriers
) -> None:
    pia = open_tab(f"{service.url}/surges")
    sign_in(pia, "Pia", "Public health")
    until = datetime.now(UTC) + timedelta(seconds=90)
    while not pia.get_by_role("link", name="Cold or flu: All callers").count():  # the first look, after the start
        assert datetime.now(UTC) < until, "no surge was proposed"
        pia.wait_for_timeout(500)
        pia.reload()
    shoot(pia, "surges")
    assert find_barriers(pia) == []
    assert WORDS not in _call(service, "+442079460321")

    actions = Actions()
    actions.click(pia, "link", "Cold or flu: All callers")
    expect(pia.get_by_text("Far above anything usual")).to_be_visible()
    shoot(pia, "surge")
    assert find_barriers(pia) == []
    actions.click(pia, "button", "Draft the message")
    expect(pia.get_by_text(WORDS)).to_be_visible()
    address = pia.url

    cleo = open_tab(f"{service.url}/messages")
    sign_in(cleo, "Cleo", "Clinical safety")
    actions.click(cleo, "link", "Many callers with a cold or flu: All callers")
    actions.click(cleo, "button", "Approve what I see and hear")
    expect(cleo.get_by_text("Cleo", exact=True)).to_be_visible()

    actions.open(pia, address)
    actions.click(pia, "button", "Put it live")
    expect(pia.locator(".nhsuk-tag", has_text="Live")).to_be_visible()
    assert actions.count == 6
    assert actions.count <= MOST_ACTIONS
    assert WORDS in _call(service, "+442079460322")
    until = datetime.now(UTC) + timedelta(seconds=20)
    while _counted(service) < 2:  # the reader is some tenths of a second behind
        assert datetime.now(UTC) < until, "the two calls were not counted"
        pia.wait_for_timeout(200)
    log = service.log.read_text()
    assert "surges_screened" in log
    assert "Pia" not in log


def _call(service: RunningService, number: str) -> str:
    """What a caller hears who asks about a cold or flu."""
    with TerminalCall(service, number) as telephone:
        telephone.wait("For anything else")
        telephone.type("4")
        telephone.wait("pharmacist")
        telephone.wait("press")
        heard = telephone.heard
        telephone.hang_up()
    return heard
