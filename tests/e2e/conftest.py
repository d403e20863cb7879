"""A real browser against a real server on the loopback address; nothing may call another host.

The fixtures are synchronous (Playwright's own loop runs beside), so a module that uses ``chromium`` holds no
``async def`` tests.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from e2e_browser import (
    AXE,
    DESKTOP,
    QUIET,
    ROOT,
    FindBarriers,
    OpenTab,
    Serve,
    Shoot,
    note_complaint,
    note_stranger,
    running,
)
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

# The in-memory world of the console's unit tests serves here, too.
sys.path.insert(0, str(ROOT / "tests" / "unit" / "console"))


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """The distribution's Chromium, headless; the tests are skipped, saying so, where it is missing."""
    found = shutil.which("chromium") or shutil.which("chromium-browser")
    if found is None:
        pytest.skip("NO BROWSER: `chromium` is not on the PATH, so the pages were not tried in one")
    if not (ROOT / "console" / "static" / "vendor" / "nhsuk-frontend.min.css").is_file():
        pytest.skip("NO STATIC FILES: run infra/assets/fetch.py first")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, headless=True, args=QUIET)
        yield browser
        browser.close()


@pytest.fixture
def serve() -> Serve:
    """``with serve(app) as url``: the application under uvicorn, on a free port unless ``port`` is given."""
    return running


@pytest.fixture
def open_tab(chromium: Browser) -> Iterator[OpenTab]:
    """``open_tab(url, viewport=…)``: a fresh private window. Afterwards: no other host, no broken page.

    ``offline_is_fine`` lets the browser complain about a server that the test itself stops.
    """
    contexts: list[BrowserContext] = []
    strangers: list[str] = []
    complaints: list[str] = []

    def open_(url: str, *, offline_is_fine: bool = False, **options: Any) -> Page:
        context = chromium.new_context(**{"viewport": DESKTOP, **options})
        contexts.append(context)
        context.set_default_timeout(30_000)
        context.on("request", lambda request: note_stranger(request.url, strangers))
        if not offline_is_fine:
            context.on("weberror", lambda error: complaints.append(str(error.error)))
            context.on("console", lambda said: note_complaint(said.type, said.text, complaints))
        page = context.new_page()
        page.goto(url)
        return page

    yield open_
    for context in contexts:
        context.close()
    assert strangers == [], "a page called another host"
    assert complaints == [], "a page has errors (a script, or something that its security policy forbids)"


@pytest.fixture
def shoot() -> Shoot:
    """``shoot(page, "name")``: a screenshot, if ``CALLROUTER_SCREENSHOTS`` names a folder."""
    folder = os.environ.get("CALLROUTER_SCREENSHOTS")

    def take(page: Page, name: str) -> None:
        if folder is not None:
            page.screenshot(path=Path(folder) / f"{name}.png", full_page=True)

    return take


@pytest.fixture
def find_barriers() -> FindBarriers:
    """What axe finds on a page, WCAG 2.2 AA and best practice; skipped, saying so, where axe is missing."""
    if not AXE.is_file():
        pytest.skip("NO AXE: run infra/assets/fetch.py --with-dev for the accessibility check")
    source = AXE.read_text(encoding="utf-8")

    def find(page: Page) -> list[str]:
        page.evaluate(source)
        found = page.evaluate("() => axe.run()")
        return [
            f"{each['id']}: {each['help']} at {node['target']}"
            for each in found["violations"]
            for node in each["nodes"]
        ]

    return find
