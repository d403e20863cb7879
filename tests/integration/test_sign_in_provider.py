"""Signing in through a real OpenID Connect provider on loopback: in, out, with new keys, and while it is away."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from fastapi import APIRouter, FastAPI, Request, Response

from callrouter.doctor.sign_in import check_sign_in
from callrouter.errors import ConfigurationError
from callrouter.settings import Settings
from callrouter.sign_in import openid_of
from console.routes import mount_static
from console.session import Sessions
from console.sign_in import add_sign_in
from console.web import Web, route_class
from infra.clock import SystemClock
from tests.oidc_provider import OidcProvider, oidc_provider

OURS = "http://127.0.0.1:8111"
USERS = {
    "u-1001": {"name": "Sam Example", "roles": ["111-handler"]},
    "u-1002": {"name": "Alex Example", "roles": ["nobody-here"]},
}


def settings(issuer: str, **more: object) -> Settings:
    """A development set-up with this provider."""
    return Settings(
        oidc_issuer=issuer, oidc_client_id="call-control", oidc_client_secret="s" * 40,
        oidc_roles="111-handler=handler, 111-clinician=clinician", **more,
    )  # type: ignore[arg-type]  # fmt: skip


def site(issuer: str) -> tuple[FastAPI, Sessions]:
    """Our sign-in and one page behind it, as the application mounts them."""
    clock, secret = SystemClock(), "a-secret-of-the-tests-and-of-nothing-else"
    of = settings(issuer)
    sessions = Sessions(secret, clock=clock, development_sign_in=of.sign_in_is_open)
    web = Web(sessions, has_sign_in=True)
    router = APIRouter(route_class=route_class(web))
    add_sign_in(router, web, openid_of(of, secret, sessions, clock))

    @router.get("/who")
    async def who(request: Request) -> Response:
        return web.page(request, "signed_out.html", who=web.require(request).who)

    app = FastAPI()
    app.include_router(router)
    mount_static(app)
    return app, sessions


@asynccontextmanager
async def person(app: FastAPI) -> AsyncIterator[Person]:
    """A browser at both sides: ours in the process, the provider's over the network."""
    mounts = {OURS: httpx.ASGITransport(app=app)}
    async with httpx.AsyncClient(mounts=mounts, base_url=OURS, headers={"origin": OURS}, timeout=20) as client:
        yield Person(client)


@dataclass
class Person:
    """Somebody at a browser."""

    client: httpx.AsyncClient

    async def sign_in(self, sub: str) -> httpx.Response:
        """Go to our page, to the provider, say who one is, and come back; the last answer of ours."""
        asked = await self.client.get("/who")
        sent = await self.client.get(asked.headers["location"])
        assert sent.status_code == 303, sent.text
        form = await self.client.get(sent.headers["location"])
        assert form.status_code == 200
        allowed = await self.client.post(sent.headers["location"], data={"sub": sub})
        return await self.client.get(allowed.headers["location"])


@pytest.fixture
def provider(tmp_path: Path) -> Iterator[OidcProvider]:
    with oidc_provider(tmp_path, USERS) as running:
        yield running


async def test_a_provider_of_others_lets_its_people_in_and_nobody_else(provider: OidcProvider) -> None:
    app, sessions = site(provider.issuer)
    async with person(app) as sam, person(app) as alex:
        back = await sam.sign_in("u-1001")
        assert (back.status_code, back.headers["location"]) == (303, "/who")
        assert (await sam.client.get("/who")).status_code == 200
        session = sessions.read(dict(sam.client.cookies))
        assert session is not None
        assert (session.who.user, session.who.name, session.who.role) == ("u-1001", "Sam Example", "handler")

        assert "names no role for you" in (await alex.sign_in("u-1002")).text
        assert (await alex.client.get("/who")).status_code == 303


async def test_who_is_signed_in_goes_on_without_the_provider_and_others_do_when_it_is_back_with_new_keys(
    provider: OidcProvider,
) -> None:
    app, _ = site(provider.issuer)
    async with person(app) as sam, person(app) as alex:
        await sam.sign_in("u-1001")
        provider.stop()
        assert (await sam.client.get("/who")).status_code == 200
        provider.start()
        assert (await alex.sign_in("u-1001")).headers["location"] == "/who"

        token = re.search(r'name="token" value="([^"]+)"', (await sam.client.get("/who")).text)
        assert token is not None
        out = await sam.client.post("/sign-out", data={"token": token[1]})
        there = await sam.client.get(out.headers["location"])
        assert there.headers["refresh"].startswith(f"0; url={provider.issuer}/oauth2/end_session?client_id=")
        assert (await sam.client.get("/who")).status_code == 303


async def test_without_the_provider_the_sign_in_says_so(tmp_path: Path) -> None:
    app, _ = site("http://127.0.0.1:9")
    async with person(app) as anybody:
        answer = await anybody.client.get("/sign-in")
    assert answer.status_code == 503
    assert "does not answer" in answer.text


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"oidc_client_id": ""}, "OIDC_CLIENT_ID: must be set with the other OIDC_ keys"),
        ({"oidc_client_secret": None}, "OIDC_CLIENT_SECRET: must be set"),
        ({"oidc_roles": "a=nurse"}, "OIDC_ROLES: nurse: no such role"),
        ({"oidc_issuer": "http://sign-in.example"}, "OIDC_ISSUER: must begin with https://"),
        ({"development_sign_in": True}, "DEVELOPMENT_SIGN_IN: refused beside OIDC_ISSUER"),
        (
            {"environment": "production", "development_sign_in": True},
            "DEVELOPMENT_SIGN_IN: refused in production: unset it; people sign in through your organisation",
        ),
    ],
)
def test_settings_of_the_sign_in_that_do_not_fit_are_named(changes: dict[str, object], said: str) -> None:
    fitting = settings("https://sign-in.example")
    fitting.check()
    with pytest.raises(ConfigurationError, match=said):
        fitting.model_copy(update=changes).check()


async def test_doctor_tells_a_provider_that_answers_from_one_that_does_not(
    provider: OidcProvider, tmp_path: Path
) -> None:
    (found,) = await check_sign_in(settings(provider.issuer, data_dir=tmp_path))
    assert found.level == "ok"
    (away,) = await check_sign_in(settings("http://127.0.0.1:9", data_dir=tmp_path))
    assert (away.level, away.text) == ("warning", "the provider does not answer, or describes itself as another one")
    (nobody,) = await check_sign_in(Settings(data_dir=tmp_path, environment="production"))
    assert (nobody.level, nobody.text) == ("warning", "nobody can sign in: no provider is set")


def test_a_provider_takes_the_place_of_the_development_sign_in() -> None:
    assert Settings().sign_in_is_open
    assert not settings("https://sign-in.example").sign_in_is_open
