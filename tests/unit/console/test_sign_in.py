"""Signing in through one's organisation: whom we let in, whom not, and what the browser may bring."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from console_world import CONTEXT, SetClock, World
from oidc_stand_in import ISSUER, OURS, StandIn, new_ec, other_rsa, our_secret

from callrouter.approvals import Author, OwnWork, require_other
from callrouter.handover import Role, SignedIn
from callrouter.plans.pages import viewer_of
from callrouter.role_claims import read_role_claims, roles_of
from careplans.audit.people import People
from console.errors import ProviderAway, SignInRefused
from console.sign_in_notes import LIFE, Attempt
from console.sign_in_provider import CLOCKS_DIFFER_S, KNOWN_FOR_S
from infra.crypto import KeyRing

CALL = f"/calls/{CONTEXT}"


@dataclass
class Site:
    """One browser before our pages, and the provider behind them."""

    world: World
    stand_in: StandIn
    client: httpx.AsyncClient

    async def set_out(self, path: str = CALL) -> str:
        """Open a page without a session (or the sign-in itself), and go to the provider; the attempt's state."""
        way = (await self.client.get(path)).headers["location"] if path else "/sign-in"
        sent = await self.client.get(way)
        assert sent.headers["location"].startswith(f"{ISSUER}/authorize?")
        query = {name: each[0] for name, each in parse_qs(urlsplit(sent.headers["location"]).query).items()}
        self.stand_in.see(query)
        return query["state"]

    async def come_back(self, state: str, **query: str) -> httpx.Response:
        """Be sent back by the provider."""
        return await self.client.get("/sign-in/callback", params={"state": state, "code": "good", **query})


@asynccontextmanager
async def _site() -> AsyncIterator[Site]:
    clock = SetClock()
    stand_in = StandIn(clock)
    world = World(clock=clock, provider=stand_in.provider())
    transport = httpx.ASGITransport(app=world.app())
    async with httpx.AsyncClient(transport=transport, base_url=OURS, headers={"origin": OURS}) as client:
        yield Site(world, stand_in, client)


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    async with _site() as made:
        yield made


async def test_who_signs_in_comes_back_to_the_page_they_asked_for_under_a_name_that_is_theirs_alone(site: Site) -> None:
    back = await site.come_back(await site.set_out())
    assert (back.status_code, back.headers["location"]) == (303, CALL)
    assert (await site.client.get(CALL)).status_code == 200
    assert site.world.desk.views == [SignedIn("u-1", Role.HANDLER)]
    assert site.world.desk.views[0].shown == "Sam Example (u-1)"


async def test_a_new_name_makes_nobody_another_person(site: Site) -> None:
    people = []
    for name in ({"name": "Sam Example"}, {"name": "Sam Newname"}, {"name": None}):
        site.client.cookies.clear()
        site.stand_in.claims = {"roles": ["111-handler"], **name}
        await site.come_back(await site.set_out())
        await site.client.get(CALL)
        people.append(site.world.desk.views[-1])
    assert [each.shown for each in people] == ["Sam Example (u-1)", "Sam Newname (u-1)", "u-1"]
    author = Author(people[0].user, "s-before")
    for each in people[1:]:
        with pytest.raises(OwnWork):
            require_other(each, author)
    actors = People(KeyRing(b"m" * 32, b"i" * 32))
    assert len({actors.actor(viewer_of(each).user) for each in people}) == 1


async def test_a_role_comes_from_the_claim_and_nothing_else(site: Site) -> None:
    site.stand_in.claims = {"roles": ["something else"], "role": "handler", "name": "111-handler"}
    back = await site.come_back(await site.set_out())
    assert back.status_code == 403
    assert "names no role for you" in back.text
    assert (await site.client.get(CALL)).status_code == 303


async def test_who_has_several_roles_says_which_and_can_take_no_other(site: Site) -> None:
    site.stand_in.claims = {"roles": ["111-handler", "111-clinician"]}
    asked = await site.come_back(await site.set_out())
    assert asked.headers["location"] == "/sign-in/role"
    page = await site.client.get("/sign-in/role")
    assert re.findall(r'name="role" type="radio" value="(\w+)"', page.text) == ["handler", "clinician"]
    refused = await site.client.post("/sign-in/role", data={"role": "administrator"})
    assert refused.status_code == 422
    chosen = await site.client.post("/sign-in/role", data={"role": "clinician"})
    assert chosen.headers["location"] == CALL
    await site.client.get(CALL)
    assert site.world.desk.views[0].role is Role.CLINICIAN


async def test_another_site_cannot_choose_the_role(site: Site) -> None:
    site.stand_in.claims = {"roles": ["111-handler", "111-clinician"]}
    await site.come_back(await site.set_out())
    sent = await site.client.post(
        "/sign-in/role", data={"role": "clinician"}, headers={"origin": "https://evil.example"}
    )
    assert sent.status_code == 403


# ------------------------------------------------------------------ what the browser brings


async def test_a_planted_session_is_not_taken_over(site: Site) -> None:
    planted = site.world.sessions.sign(SignedIn("Mallory", Role.HANDLER))
    site.client.cookies.set(site.world.sessions.cookie_name, planted)
    before = site.world.sessions.read({site.world.sessions.cookie_name: planted})
    back = await site.come_back(await site.set_out(""))
    made = re.search(r"callrouter_session=([^;]+)", back.headers["set-cookie"].replace("callrouter_session-", "x"))
    assert made is not None
    after = site.world.sessions.read({site.world.sessions.cookie_name: made[1]})
    assert before is not None
    assert after is not None
    assert after.sid != before.sid
    assert not site.world.sessions.is_own_form(after, site.world.sessions.form_token(before))


async def test_an_answer_ends_only_the_attempt_that_this_browser_began(site: Site) -> None:
    await site.set_out()
    assert (await site.come_back("another-state")).status_code == 403
    assert (await site.client.get(CALL)).status_code == 303


async def test_an_answer_that_another_browser_was_meant_to_bring_signs_nobody_in(site: Site) -> None:
    state = await site.set_out()
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=site.world.app()), base_url=OURS) as other:
        back = await other.get("/sign-in/callback", params={"state": state, "code": "good"})
        assert back.status_code == 403
        assert "not begun in this browser" in back.text
        assert (await other.get(CALL)).status_code == 303


async def test_an_attempt_is_of_one_use(site: Site) -> None:
    state = await site.set_out()
    assert (await site.come_back(state)).status_code == 303
    site.client.cookies.delete(site.world.sessions.cookie_name)
    assert (await site.come_back(state)).status_code == 403


async def test_an_attempt_is_over_after_ten_minutes(site: Site) -> None:
    state = await site.set_out()
    site.world.clock.at += LIFE
    assert (await site.come_back(state)).status_code == 403


async def test_what_the_browser_carries_cannot_be_changed(site: Site) -> None:
    state = await site.set_out()
    name = f"{site.world.sessions.cookie_name}-attempt"
    carried = site.client.cookies[name]
    site.client.cookies.clear()
    site.client.cookies.set(name, carried[:-9] + ("A" if carried[-9] != "A" else "B") + carried[-8:])
    assert (await site.come_back(state)).status_code == 403


@pytest.mark.parametrize(
    "path",
    ["//evil.example", "https://evil.example/", "/\\evil.example", "/calls/../x", "/sign-out", "/a?b=//c", "/%2f%2fe"],
)
async def test_signing_in_leads_to_no_other_site(site: Site, path: str) -> None:
    sent = await site.client.get("/sign-in", params={"next": path})
    query = {name: each[0] for name, each in parse_qs(urlsplit(sent.headers["location"]).query).items()}
    site.stand_in.see(query)
    assert (await site.come_back(query["state"])).headers["location"] == "/"


async def test_the_way_back_is_our_public_address_whatever_host_was_asked(site: Site) -> None:
    sent = await site.client.get("/sign-in", headers={"host": "evil.example"})
    query = parse_qs(urlsplit(sent.headers["location"]).query)
    assert query["redirect_uri"] == [f"{OURS}/sign-in/callback"]


async def test_a_form_sent_without_a_session_gets_a_page_and_is_not_led_to_the_provider(site: Site) -> None:
    sent = await site.client.post(f"{CALL}/check", data={"day": "3"})
    assert sent.status_code == 401
    assert 'href="/sign-in"' in sent.text


async def test_who_stops_at_the_provider_is_told_so(site: Site) -> None:
    back = await site.client.get(
        "/sign-in/callback", params={"state": await site.set_out(), "error": "access_denied", "error_description": "X9"}
    )
    assert back.status_code == 403
    assert "stopped at your organisation" in back.text
    assert "X9" not in back.text


async def test_signing_out_leads_on_to_the_provider_and_from_there_to_our_page(site: Site) -> None:
    await site.come_back(await site.set_out())
    token = re.search(r'name="token" value="([^"]+)"', (await site.client.get(CALL)).text)
    assert token is not None
    out = await site.client.post("/sign-out", data={"token": token[1]})
    assert out.headers["location"] == "/sign-out/provider"
    there = await site.client.get("/sign-out/provider")
    url = there.headers["refresh"].partition("url=")[2]
    assert parse_qs(urlsplit(url).query)["post_logout_redirect_uri"] == [f"{OURS}/signed-out"]
    assert url.startswith(f"{ISSUER}/end?")
    assert "You are signed out" in (await site.client.get("/signed-out")).text
    assert (await site.client.get(CALL)).status_code == 303


# ------------------------------------------------------------------ the provider


async def test_provider_down_is_said_clearly_and_who_is_signed_in_goes_on(site: Site) -> None:
    await site.come_back(await site.set_out())
    site.stand_in.away = True
    assert (await site.client.get(CALL)).status_code == 200
    site.client.cookies.clear()
    site.world.clock.at += LIFE * 12  # what was known of the provider is asked for again
    away = await site.client.get("/sign-in", params={"next": CALL})
    assert away.status_code == 503
    assert "does not answer" in away.text
    assert "calls are answered" in re.sub(r"\s+", " ", away.text)


async def test_signing_out_while_the_provider_is_down_says_what_is_left_to_do(site: Site) -> None:
    site.stand_in.away = True
    page = await site.client.get("/sign-out/provider")
    assert "close the browser" in page.text
    assert "refresh" not in page.headers


@pytest.mark.parametrize(
    "metadata",
    [{"issuer": f"{ISSUER}/"}, {"token_endpoint": "http://sign-in.test/token"}, {"jwks_uri": None}],
    ids=["another issuer", "no TLS", "no keys"],
)
async def test_a_provider_that_describes_itself_wrongly_is_not_used(metadata: dict[str, Any]) -> None:
    stand_in = StandIn(SetClock())
    stand_in.metadata = metadata
    with pytest.raises(ProviderAway):
        await stand_in.provider().way_in(Attempt.new("/"))


# ------------------------------------------------------------------ the token

NOW = int(SetClock().now().timestamp())
WRONG_CLAIMS: dict[str, dict[str, Any]] = {
    "another issuer": {"iss": "https://other.test"},
    "no issuer": {"iss": None},
    "made for somebody else": {"aud": "other-service"},
    "made for somebody else, too": {"aud": ["call-control", "other-service"]},
    "asked for by somebody else": {"azp": "other-service"},
    "no audience": {"aud": None},
    "another attempt": {"nonce": "of-another-attempt"},
    "no nonce": {"nonce": None},
    "expired": {"exp": NOW - CLOCKS_DIFFER_S - 1},
    "no expiry": {"exp": None},
    "issued tomorrow": {"iat": NOW + 86400},
    "nobody": {"sub": None},
    "a name with a line feed": {"sub": "u-1\nhandler"},
    "a claim of roles that is no text": {"roles": {"111-handler": True}},
}


async def identified(stand_in: StandIn) -> Any:
    provider, attempt = stand_in.provider(), Attempt.new("/")
    await stand_in.begin(provider, attempt)
    return await provider.identify({"state": attempt.state, "code": "good"}, attempt)


@pytest.mark.parametrize("claims", WRONG_CLAIMS.values(), ids=WRONG_CLAIMS.keys())
async def test_a_token_that_does_not_say_what_it_must_lets_nobody_in(claims: dict[str, Any]) -> None:
    stand_in = StandIn(SetClock())
    assert (await identified(stand_in)).user == "u-1"
    stand_in.claims = claims
    with pytest.raises(SignInRefused):
        await identified(stand_in)


def _unsigned(token: str) -> str:
    head, payload, _ = token.split(".")
    del head
    return f"eyJhbGciOiJub25lIn0.{payload}."


def _changed(token: str) -> str:
    head, payload, signature = token.split(".")
    return f"{head}.{payload}.{signature[:-4]}AAAA"


@pytest.mark.parametrize("forge", [_unsigned, _changed, lambda _: "nonsense", lambda _: ""])
async def test_a_token_that_the_provider_did_not_sign_lets_nobody_in(forge: Callable[[str], str]) -> None:
    stand_in = StandIn(SetClock())
    stand_in.forge = forge
    with pytest.raises(SignInRefused):
        await identified(stand_in)


async def test_a_token_signed_by_another_key_of_the_same_name_lets_nobody_in() -> None:
    stand_in = StandIn(SetClock())
    stand_in.key = other_rsa()
    with pytest.raises(SignInRefused):
        await identified(stand_in)


@pytest.mark.filterwarnings("ignore::joserfc.errors.SecurityWarning")  # the key is as bad as the test says
async def test_a_token_signed_with_the_shared_secret_lets_nobody_in() -> None:
    stand_in = StandIn(SetClock())
    stand_in.forge = lambda _: stand_in.sign(our_secret(), "HS256")
    with pytest.raises(SignInRefused):
        await identified(stand_in)


async def test_an_issuer_named_in_the_answer_must_be_ours() -> None:
    stand_in = StandIn(SetClock())
    provider, attempt = stand_in.provider(), Attempt.new("/")
    await stand_in.begin(provider, attempt)
    with pytest.raises(SignInRefused) as refused:
        await provider.identify({"state": attempt.state, "code": "good", "iss": "https://other.test"}, attempt)
    assert refused.value.reason == "other_issuer"


async def test_a_code_of_another_attempt_is_refused_by_its_challenge() -> None:
    stand_in = StandIn(SetClock())
    provider, attempt, other = stand_in.provider(), Attempt.new("/"), Attempt.new("/")
    await stand_in.begin(provider, other)
    with pytest.raises(SignInRefused) as refused:
        await provider.identify({"state": attempt.state, "code": "good"}, attempt)
    assert refused.value.reason == "code_refused"


@pytest.mark.parametrize("way", ["client_secret_basic", "client_secret_post"])
async def test_we_show_who_we_are_in_the_way_that_the_provider_takes(way: str) -> None:
    stand_in = StandIn(SetClock())
    stand_in.metadata = {"token_endpoint_auth_methods_supported": [way]}
    assert (await identified(stand_in)).roles == (Role.HANDLER,)


async def test_new_keys_of_the_provider_are_asked_for_as_soon_as_they_are_used() -> None:
    stand_in = StandIn(SetClock())
    provider = stand_in.provider()
    for key, alg in ((stand_in.key, "RS256"), (new_ec(), "ES256")):
        stand_in.key, stand_in.alg, stand_in.published = key, alg, [dict(key.as_dict(private=False))]
        attempt = Attempt.new("/")
        await stand_in.begin(provider, attempt)
        assert (await provider.identify({"state": attempt.state, "code": "good"}, attempt)).roles == (Role.HANDLER,)
    assert stand_in.asked.count("/keys") == 2


async def test_addresses_and_keys_are_asked_for_once_an_hour() -> None:
    clock = SetClock()
    stand_in = StandIn(clock)
    provider = stand_in.provider()
    for seconds in (0.0, KNOWN_FOR_S / 2, KNOWN_FOR_S):
        clock.at = SetClock().at + timedelta(seconds=seconds)
        attempt = Attempt.new("/")
        await stand_in.begin(provider, attempt)
        await provider.identify({"state": attempt.state, "code": "good"}, attempt)
    assert stand_in.asked.count("/keys") == 2
    assert stand_in.asked.count("/.well-known/openid-configuration") == 2


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("a", "expected value=role"), ("a=nurse", "no such role"), ("=handler", "expected value=role"),
        ("a=handler,a=clinician", "named twice"), (" , ", "names no role"),
    ],
)  # fmt: skip
def test_a_mapping_of_roles_is_checked(text: str, wrong: str) -> None:
    with pytest.raises(ValueError, match=wrong):
        read_role_claims(text)


def test_a_claim_means_the_roles_that_the_mapping_names() -> None:
    mapping = read_role_claims("h=handler, h2=handler, c=clinician")
    assert roles_of(["c", "h2", "h", "root"], mapping) == (Role.HANDLER, Role.CLINICIAN)
    assert roles_of("c", mapping) == (Role.CLINICIAN,)
    assert [roles_of(each, mapping) for each in (None, 3, [["h"]], "h c", {"h": 1})] == [()] * 5
