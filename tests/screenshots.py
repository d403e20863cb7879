"""Takes the pictures in docs/images from the running service: ``make screenshots``."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

from tests.running import ROOT, RunningService

sys.path.insert(0, str(ROOT / "tests/e2e"))
sys.path.insert(0, str(ROOT / "tests/unit/console"))
from console_world import World
from dialling import TerminalCall
from e2e_browser import DESKTOP, QUIET, running
from message_house import House

from alerts.life.store import metadata
from callrouter.handover import Role, SignedIn
from console.routes import mount_static
from infra.migrate import upgrade_database
from infra.sql import connect_database
from tests.console_browser import Console
from tests.integration.test_alert_pages import PAGE
from tests.integration.test_alert_pages import House as AlertHouse
from tests.integration.test_surge_pages import surge_house
from tests.message_world import NIGHT, TUESDAY
from tests.surge_past import write_past

IMAGES = ROOT / "docs/images"
NUMBER = "+441632960120"  # the demo's stale plan
AS_THE_DEMO = {"OPEN_WALLBOARD": "true", "SMALL_COUNTS_OF_PROVIDERS": "shown"}
LIVELY_S = 70
UPPER_PART = {"width": DESKTOP["width"], "height": 1640}  # below it, this service has no past to show
FIGURES = (
    ("city", "/", DESKTOP),
    ("provider", "/providers/south_east", DESKTOP),
    ("big-screen", "/?screen=big", {"width": 1920, "height": 1080}),
    ("daily-report", "/reports/daily/2026-02-02", {"width": 1000, "height": 1400}),
)


def main() -> int:
    """Call, look, shoot; returns an exit status."""
    browser_path = shutil.which("chromium")
    if browser_path is None:
        sys.stderr.write("screenshots: as root, apt-get install chromium\n")
        return 1
    IMAGES.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=browser_path, headless=True, args=QUIET)
        with RunningService(Path(folder), AS_THE_DEMO) as service:
            service.run("plan", "import", str(ROOT / "careplans/demo.csv"))
            simulate = [sys.executable, "-m", "callrouter", "simulate", "--calls", "400", "--rate", "4", "--json"]
            callers = subprocess.Popen(simulate, env=service.environment, cwd=ROOT, stdout=subprocess.DEVNULL)
            page = browser.new_page(viewport=DESKTOP)
            page.goto(service.url)
            time.sleep(LIVELY_S)  # the chart wants more than one minute of calls
            page.screenshot(path=IMAGES / "wallboard.png", full_page=True, clip={"x": 0, "y": 0, **UPPER_PART})
            callers.terminate()  # the next call is the newest of the list
            callers.wait(20)
            _shoot_call_page(page, service)
        _shoot_figures(browser)
        _shoot_messages_and_flows(browser, Path(folder) / "house")
        _shoot_alerts_and_surges(browser, Path(folder))
        browser.close()
    return 0


def _shoot_call_page(page: Page, service: RunningService) -> None:
    page.goto(f"{service.url}/sign-in")
    page.get_by_label("Your name").fill("Robin")
    page.get_by_label("Call handler", exact=True).check()
    page.get_by_role("button", name="Sign in").click()
    with TerminalCall(service, NUMBER, speed=5) as call:
        call.wait("stay on the line")
        call.type("1")
        call.wait("connected to")
        page.goto(f"{service.url}/calls/{_context_of(service)}")
        page.screenshot(path=IMAGES / "call-closed.png", full_page=True)
        for label, value in (("Day", "5"), ("Month", "5"), ("Year", "1962")):
            page.get_by_label(label, exact=True).fill(value)
        page.get_by_role("button", name="Check and open").click()
        page.screenshot(path=IMAGES / "call-open.png", full_page=True)
        call.hang_up()


def _shoot_figures(browser: Browser) -> None:
    """Of a made-up service that has run for eight weeks: the real one of these pictures has run for a minute."""
    world = World(open_wallboard=True)
    with running(world.app()) as url:
        for name, path, viewport in FIGURES:
            page = browser.new_page(viewport=viewport)
            cookie = world.sessions.sign(SignedIn("Robin", Role.COMMISSIONER))
            page.context.add_cookies([{"name": world.sessions.cookie_name, "value": cookie, "url": url}])
            page.goto(url + path)
            page.screenshot(path=IMAGES / f"{name}.png", full_page=name != "big-screen")
            page.close()


def _shoot_messages_and_flows(browser: Browser, folder: Path) -> None:
    folder.mkdir()
    house = House(folder)
    with running(house.app) as url:
        house.clock.time = NIGHT
        page = _signed_in(browser, house, url, "Dee", Role.PUBLIC_HEALTH)
        page.goto(f"{url}/messages")
        page.get_by_role("link", name="Norovirus").click()
        page.get_by_label("Bromley", exact=True).check()
        page.get_by_label("4 hours").check()
        page.get_by_role("button", name="Start it now").click()
        page.screenshot(path=IMAGES / "message-night.png", full_page=True)
        page.goto(f"{url}/messages")
        page.screenshot(path=IMAGES / "messages.png", full_page=True)
        page = _signed_in(browser, house, url, "Cleo", Role.CLINICAL_SAFETY)
        page.goto(f"{url}/flows/{house.new.version}")
        page.screenshot(path=IMAGES / "flow.png", full_page=True)
        page.goto(f"{url}/flows/new")
        page.get_by_label("The flow").fill(
            page.get_by_label("The flow").input_value().replace("[hello]", "[hello_calm]")
        )
        page.get_by_role("button", name="Check it").click()
        page.screenshot(path=IMAGES / "flow-new.png", full_page=True)
        page.goto(f"{url}/flows/{house.new.version}/replay?from=24/3/2026+00:00&to=25/3/2026+00:00")
        page.screenshot(path=IMAGES / "flow-replay.png", full_page=True)


def _shoot_alerts_and_surges(browser: Browser, folder: Path) -> None:
    with ThreadPoolExecutor(1) as thread:  # Playwright has a loop of its own in this one
        alerts = thread.submit(asyncio.run, _firing(folder)).result()
        surges = thread.submit(asyncio.run, _surge(folder)).result()
    for console, role, pages in (
        (alerts, Role.COMMISSIONER, {"alerts": "/alerts", "alert": PAGE}),
        (surges[0], Role.PUBLIC_HEALTH, {"surge": f"/surges/{surges[1]}"}),
    ):
        mount_static(console.app)
        with running(console.app) as url:
            for name, path in pages.items():
                page = browser.new_page(viewport=DESKTOP)
                cookie = console.sessions.sign(SignedIn("Robin", role))
                page.context.add_cookies([{"name": console.sessions.cookie_name, "value": cookie, "url": url}])
                page.goto(url + path)
                page.screenshot(path=IMAGES / f"{name}.png", full_page=True)
                page.close()


async def _firing(folder: Path) -> Console:
    database = connect_database(f"sqlite:///{folder}/alerts.db")
    await database.write(metadata.create_all)
    house = AlertHouse(database)
    await house.wait(750)
    return house.console()


async def _surge(folder: Path) -> tuple[Console, str]:
    database = connect_database(f"sqlite:///{folder}/surges.db")
    await upgrade_database(database)
    await database.write(lambda connection: write_past(connection, TUESDAY, surge={"bromley": 5.0}))
    house = await surge_house(database, folder)
    return house.console(), house.id


def _signed_in(browser: Browser, house: House, url: str, name: str, role: Role) -> Page:
    page = browser.new_page(viewport=DESKTOP)
    cookie = house.sessions.sign(SignedIn(name, role))
    page.context.add_cookies([{"name": house.sessions.cookie_name, "value": cookie, "url": url}])
    return page


def _context_of(service: RunningService) -> str:
    """The page of the call from the number with the plan, among the newest: some of the others have just ended."""
    for line in service.run("call", "list", "--limit", "10").stdout.splitlines():
        context, call_ref = line.split()[-1], line.split()[2]
        offered = next(iter(service.events(call_ref)), {})
        if offered.get("number") == NUMBER:
            return context
    raise AssertionError("the call is not in the journal")


if __name__ == "__main__":
    sys.exit(main())
