"""Signing in through a provider of others' making, in a browser: there, back, and out again; and the crew's page."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import pytest
from console_world import CONTEXT, World
from e2e_browser import FindBarriers, OpenTab, Serve, Shoot
from fastapi import APIRouter
from playwright.sync_api import expect

from callrouter.handover import Role
from callrouter.plans.crew import CrewRefused, CrewText
from callrouter.texts.model import Purpose, State
from console.crew import add_crew
from console.sign_in_provider import OidcSettings, Provider
from console.web import Web, route_class
from infra.clock import SystemClock
from tests.oidc_provider import OidcProvider, oidc_provider
from tests.running import free_port

CALL = f"/calls/{CONTEXT}"
USERS = {
    "u-1001": {"name": "Sam Example", "roles": ["111-handler"]},
    "u-1003": {"name": "Kim Example", "roles": ["111-handler", "111-clinician"]},
}
ROLES = {"111-handler": Role.HANDLER, "111-clinician": Role.CLINICIAN}


@pytest.fixture(scope="module")
def provider(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OidcProvider]:
    with oidc_provider(tmp_path_factory.mktemp("oidc"), USERS) as running:
        yield running


def world_of(issuer: str, port: int) -> World:
    """The console at this port, whose people the provider knows."""
    agreed = OidcSettings(
        issuer=issuer, client_id="call-control", client_secret="s" * 40, address=f"http://127.0.0.1:{port}", roles=ROLES
    )
    return World(provider=Provider(agreed, SystemClock()))


def test_sign_in_at_the_provider_leads_back_to_the_call_and_out_again(
    serve: Serve, open_tab: OpenTab, provider: OidcProvider, shoot: Shoot, find_barriers: FindBarriers
) -> None:
    port = free_port()
    world = world_of(provider.issuer, port)
    with serve(world.app(), port=port) as url:
        page = open_tab(url + CALL)
        assert page.url.startswith(f"{provider.issuer}/oauth2/authorize")
        page.get_by_role("button", name="u-1001").click()
        page.wait_for_url(url + CALL)
        expect(page.get_by_role("heading", name="1 possible plan")).to_be_visible()
        expect(page.get_by_text("Sam Example (u-1001), call handler")).to_be_visible()
        page.get_by_role("button", name="Sign out").click()
        page.wait_for_url(f"{provider.issuer}/oauth2/end_session**")
        page.get_by_role("button", name="End session").click()
        page.wait_for_url(f"{url}/signed-out")
        expect(page.get_by_role("heading", name="You are signed out")).to_be_visible()
        assert find_barriers(page) == []
        shoot(page, "signed-out")
        page.goto(url + CALL)
        assert page.url.startswith(provider.issuer)
    assert [view.shown for view in world.desk.views] == ["Sam Example (u-1001)"]


@pytest.mark.slow
def test_who_has_two_roles_chooses_with_the_keyboard_alone(
    serve: Serve, open_tab: OpenTab, provider: OidcProvider, shoot: Shoot, find_barriers: FindBarriers
) -> None:
    port = free_port()
    world = world_of(provider.issuer, port)
    with serve(world.app(), port=port) as url:
        page = open_tab(url + CALL)
        page.get_by_role("button", name="u-1003").click()
        page.wait_for_url(f"{url}/sign-in/role")
        assert find_barriers(page) == []
        shoot(page, "sign-in-role")
        page.get_by_role("button", name="Continue").press("Enter")
        expect(page.locator(".nhsuk-error-summary")).to_be_visible()
        assert find_barriers(page) == []
        page.get_by_label("Clinician").press("Space")
        page.keyboard.press("Enter")
        page.wait_for_url(url + CALL)
    assert world.desk.views[0].role is Role.CLINICIAN


class CrewOfACall:
    """What the crew's page needs: one approved device, and nobody confirmed."""

    devices: ClassVar = {"las-a101": "london-ambulance"}

    async def requested(self, context: str, incident: str, device: str) -> bool:
        raise CrewRefused("not_confirmed")

    async def texts(self, context: str) -> list[CrewText]:
        return [CrewText(Purpose.CREW, State.DELIVERED)]


@pytest.mark.slow
def test_crew_page_has_no_barriers(
    serve: Serve, open_tab: OpenTab, shoot: Shoot, find_barriers: FindBarriers, tmp_path: Path
) -> None:
    world = World()
    app = world.app()
    web = Web(world.sessions)
    router = APIRouter(route_class=route_class(web))
    add_crew(router, web, CrewOfACall(), world.desk)  # type: ignore[arg-type]
    app.include_router(router)
    with serve(app) as url:
        page = open_tab(f"{url}{CALL}/crew")
        page.get_by_label("Your name").fill("Sam")
        page.get_by_label("Call handler").check()
        page.get_by_role("button", name="Sign in").click()
        expect(page.get_by_role("heading", name="Tell the ambulance crew")).to_be_visible()
        assert find_barriers(page) == []
        shoot(page, "crew")
        page.get_by_label("Incident number").fill("CAD 4711")
        page.get_by_label("Device of the crew").select_option("las-a101")
        page.get_by_role("button", name="Tell the crew", exact=True).click()
        expect(page.locator(".nhsuk-error-summary")).to_contain_text("check the date of birth first")
        assert find_barriers(page) == []
        shoot(page, "crew-refused")
