"""A page that breaks, and an address that is none: words for whoever looks, and nothing personal in the log."""

from __future__ import annotations

import httpx
import pytest
from console_world import CONTEXT, Desk, World
from structlog.testing import capture_logs

from callrouter.handover import CallPage, Role, SignedIn

HOST = "http://console.test"
NUMBER = "07700 900123"


class BrokenDesk(Desk):
    """A defect whose words hold what no log may."""

    async def page(self, context: str, who: SignedIn) -> CallPage | None:
        del context, who
        raise ValueError(f"no room for {NUMBER}")


async def get(world: World, path: str, accept: str = "text/html,*/*") -> httpx.Response:
    """What a handler's browser gets."""
    transport = httpx.ASGITransport(app=world.app())
    async with httpx.AsyncClient(transport=transport, base_url=HOST, headers={"accept": accept}) as client:
        client.cookies.set(world.sessions.cookie_name, world.sessions.sign(SignedIn("Sam", Role.HANDLER)))
        return await client.get(path)


async def test_a_page_that_breaks_says_to_carry_on_with_the_call_and_logs_no_words_of_the_failure() -> None:
    with capture_logs() as logged:
        page = await get(World(desk=BrokenDesk()), f"/calls/{CONTEXT}")
    assert page.status_code == 500
    assert "If you are on a call, carry on with it" in page.text
    assert page.headers["cache-control"] == "no-store"
    assert [(each["event"], each["page"], each["error"]) for each in logged] == [
        ("page_failed", "/calls/{context}", "ValueError")
    ]
    assert NUMBER not in page.text + str(logged)


@pytest.mark.parametrize("path", ["/nowhere", "/calls/x/y/z", "/reports/no-day"])
async def test_an_address_that_is_none_is_said_in_words_with_a_way_back(path: str) -> None:
    page = await get(World(), path)
    assert page.status_code == 404
    assert "There is no such page" in page.text
    assert 'href="/"' in page.text
    assert "Sam" in page.text


async def test_a_program_that_asks_for_an_address_that_is_none_gets_no_page() -> None:
    answer = await get(World(), "/nowhere", accept="application/json")
    assert (answer.status_code, answer.json()) == (404, {"detail": "Not Found"})
