"""A message's whole life through the browser, and what telephones hear of it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from dialling import TerminalCall
from e2e_browser import FindBarriers, OpenTab, Shoot
from playwright.sync_api import Page, expect

from console.moments import type_moment
from tests.running import RunningService

WORDS = "The walk-in centre in Croydon is closed this afternoon."
MARKER = "walk-in-centre-closed"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    """The shipped flow, which tells of messages once the caller has said what they need."""
    with RunningService(tmp_path_factory.mktemp("messages")) as running:
        yield running


def sign_in(page: Page, name: str, role: str) -> None:
    page.get_by_label("Your name").fill(name)
    page.get_by_label(role, exact=True).check()
    page.get_by_role("button", name="Sign in").click()


NUMBERS = (f"+44207946{number:04}" for number in range(123, 200))


def call(service: RunningService) -> str:
    """What a caller hears who presses 1 and waits for a person; never a repeat caller, who would hear no message."""
    with TerminalCall(service, next(NUMBERS)) as telephone:
        telephone.wait("For anything else")
        telephone.type("1")
        telephone.wait("connected to")
        heard = telephone.heard
        telephone.hang_up()
    return heard


@pytest.mark.timeout(300)  # four calls by processes of their own, on whatever machine
@pytest.mark.slow
def test_a_whole_life(service: RunningService, open_tab: OpenTab, shoot: Shoot, find_barriers: FindBarriers) -> None:
    ann = open_tab(f"{service.url}/messages")
    sign_in(ann, "Ann", "Commissioner")
    expect(ann.get_by_text("No message is live.")).to_be_visible()
    ann.get_by_role("link", name="Write a message", exact=True).click()
    ann.get_by_label("Name of the message").fill("Walk-in centre closed")
    ann.get_by_role("button", name="Save").click()
    expect(ann.locator(".nhsuk-error-summary")).to_be_focused()
    shoot(ann, "message-form-wrong")
    assert find_barriers(ann) == []
    ann.get_by_label("Message", exact=True).fill(WORDS)
    ann.get_by_label("London", exact=True).check()
    ann.get_by_label("Ends", exact=True).fill(type_moment(datetime.now(UTC) + timedelta(days=1)))
    shoot(ann, "message-form")
    ann.get_by_role("button", name="Save").click()
    expect(ann.get_by_role("heading", name="Walk-in centre closed")).to_be_visible()
    address = ann.url
    _hears_it(ann)
    assert find_barriers(ann) == []
    expect(ann.get_by_text("somebody else: clinical safety, commissioner, public health")).to_be_visible()
    expect(ann.get_by_role("button", name="Approve what I see and hear")).to_have_count(0)
    shoot(ann, "message-own")

    cleo = open_tab(address)
    sign_in(cleo, "Cleo", "Clinical safety")
    cleo.get_by_role("button", name="Approve what I see and hear").click()
    expect(cleo.get_by_text("Cleo", exact=True)).to_be_visible()
    shoot(cleo, "message-approved")
    assert find_barriers(cleo) == []
    assert WORDS not in call(service)

    ann.goto(address)
    ann.get_by_role("button", name="Put it live").click()
    expect(ann.locator(".nhsuk-tag", has_text="Live")).to_be_visible()
    shoot(ann, "message-live")
    assert WORDS in call(service)

    cleo.goto(f"{service.url}/messages")
    shoot(cleo, "messages")
    assert find_barriers(cleo) == []
    cleo.get_by_role("button", name="Stop Walk-in centre closed").click()
    expect(cleo.locator(".nhsuk-tag", has_text="Stopped")).to_be_visible()
    expect(cleo.locator(".timeline")).to_contain_text("Stopped by Cleo, clinical safety")
    assert WORDS not in call(service)
    assert _heard_before_last(service) == [MARKER]


def _hears_it(page: Page) -> None:
    """The browser has the sound, if this machine has a voice; else the page says so."""
    if page.get_by_text("there is no voice").count():
        return
    seconds = page.evaluate(
        """async () => {
            const audio = document.querySelector("audio");
            audio.preload = "auto";
            audio.load();
            await new Promise((done, fail) => { audio.oncanplaythrough = done; audio.onerror = fail; });
            return audio.duration;
        }"""
    )
    assert 1 < seconds < 20


def _heard_before_last(service: RunningService) -> list[str]:
    """What the journal says that the last caller but one heard to its end."""
    lines = service.run("call", "list", "--limit", "2").stdout.splitlines()
    events = service.events(lines[1].split()[2])
    return [event["marker"] for event in events if event["kind"] == "message_heard"]


@pytest.mark.slow
def test_nothing_personal_stands_on_the_pages_or_in_the_log(service: RunningService) -> None:
    log = Path(service.log).read_text()
    assert "946012" not in log
    assert "Ann" not in log
    assert WORDS not in log
