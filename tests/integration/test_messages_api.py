"""The JSON interface of messages: the whole life by HTTP, and every wrong person refused with a stable id."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from callrouter.handover import Role, SignedIn
from callrouter.messages.content import plain
from callrouter.messages.routes import messages_router
from console.api import TOKEN_HEADER, asker
from console.session import Session, Sessions
from infra.sql import Database
from tests.message_world import ADA, ANN, BEN, CAZ, HAL, NIGHT, TUESDAY, World, content, offer, template, world_on

SECRET = "a-secret-of-the-tests-and-of-nothing-else"


@pytest.fixture
async def world(sqlite: Database, tmp_path: Path) -> World:
    return world_on(sqlite, tmp_path)


class People:
    """Everybody's own client: cookie and form token of a session that lasts for the whole test."""

    def __init__(self, world: World) -> None:
        self._sessions = Sessions(SECRET, clock=world.clock)
        self._app = FastAPI()
        self._app.include_router(messages_router(world.service, asker(self._sessions), world.clock))
        self._cookies: dict[str, str] = {}

    @asynccontextmanager
    async def client(self, who: SignedIn | None, *, token: bool = True) -> AsyncIterator[httpx.AsyncClient]:
        headers, cookies = {}, {}
        if who is not None:
            cookie = self._cookies.setdefault(who.user, self._sessions.sign(who))
            cookies[self._sessions.cookie_name] = cookie
            session = self._sessions.read(cookies)
            assert isinstance(session, Session)
            if token:
                headers[TOKEN_HEADER] = self._sessions.form_token(session)
        transport = httpx.ASGITransport(app=self._app)
        async with httpx.AsyncClient(
            transport=transport, base_url="http://console.test/api", headers=headers, cookies=cookies
        ) as client:
            yield client

    async def post(self, who: SignedIn | None, path: str, sent: Any = None, *, token: bool = True) -> Any:
        """The answer's JSON, with its status under ``status``."""
        async with self.client(who, token=token) as client:
            answer = await client.post(path, json={} if sent is None else sent)
            return {**answer.json(), "status": answer.status_code}


async def test_a_whole_life(world: World) -> None:
    people = People(world)
    drafted = await people.post(ANN, "/messages", plain(content()))
    assert (drafted["status"], drafted["phase"]) == (201, "draft")
    one = f"/messages/{drafted['id']}"
    approved = await people.post(CAZ, f"{one}/approve", {"digest": drafted["digest"]})
    assert (approved["phase"], approved["approvals"][0]["by"]) == ("approved", "Caz")
    assert (await people.post(ANN, f"{one}/release"))["phase"] == "live"
    until = (TUESDAY + timedelta(hours=2)).isoformat()
    assert (await people.post(ADA, f"{one}/shorten", {"until": until}))["ends_at"] == until.replace("+00:00", "Z")
    assert (await people.post(ADA, f"{one}/stop"))["phase"] == "stopped"
    async with people.client(BEN) as client:
        steps = (await client.get(one)).json()["steps"]
        assert [each["phase"] for each in (await client.get("/messages")).json()] == ["stopped"]
    assert [each["step"] for each in steps] == ["drafted", "approved", "released", "shortened", "stopped"]


async def test_a_night(world: World) -> None:
    people = People(world)
    made = await people.post(ANN, "/messages", plain(template()))
    one = f"/messages/{made['id']}"
    for each in (BEN, CAZ):
        await people.post(each, f"{one}/approve", {"digest": made["digest"]})
    world.clock.time = NIGHT
    people = People(world)  # nobody stays signed in from morning to night
    until = (NIGHT + timedelta(hours=4)).isoformat()
    wrong = await people.post(ANN, f"{one}/start", {"areas": ["camden"], "until": until})
    assert (wrong["status"], wrong["error_id"]) == (422, "not_in_template")
    started = await people.post(ANN, f"{one}/start", {"areas": ["bromley"], "until": until})
    assert (started["status"], started["phase"], started["template"]) == (201, "live", made["id"])
    own = await people.post(ANN, f"/messages/{started['id']}/review")
    assert (own["status"], own["error_id"]) == (403, "own_work")
    assert (await people.post(BEN, f"/messages/{started['id']}/review"))["review_until"] is None


@pytest.mark.parametrize(
    ("who", "step", "sent", "status", "error_id"),
    [
        (None, "approve", {}, 401, "sign_in_needed"),
        (HAL, "approve", {}, 403, "role_missing"),
        (HAL, "stop", {}, 403, "role_missing"),
        (ADA, "release", {}, 403, "role_missing"),
        (SignedIn("ann", Role.CLINICAL_SAFETY, "other"), "approve", {}, 403, "own_work"),
        (CAZ, "approve", {"digest": "0" * 64}, 409, "content_changed"),
        (ANN, "release", {}, 409, "clinical_safety_missing"),
        (ANN, "review", {}, 409, "wrong_phase"),
        (ANN, "shorten", {"until": "tomorrow"}, 422, "content_refused"),
        (ANN, "shorten", {"until": "2026-03-24T11:00:00"}, 422, "content_refused"),
        (ANN, "start", {"areas": "all", "until": ""}, 422, "content_refused"),
    ],
)
async def test_the_wrong_person_and_the_wrong_time(
    world: World, who: SignedIn | None, step: str, sent: dict[str, str], status: int, error_id: str
) -> None:
    people = People(world)
    drafted = await people.post(ANN, "/messages", plain(offer()))
    said = await people.post(who, f"/messages/{drafted['id']}/{step}", sent)
    assert (said["status"], said["error_id"]) == (status, error_id)
    assert " " in said["text"], "the refusal is said in words"
    assert await world.markers() == []


async def test_the_same_session_under_another_name_approves_nothing(world: World) -> None:
    people = People(world)
    drafted = await people.post(ANN, "/messages", plain(content()))
    sessions = people._sessions
    within = sessions.read({sessions.cookie_name: people._cookies["Ann"]})
    other = SignedIn("Zoe", Role.CLINICAL_SAFETY)
    people._cookies["Zoe"] = sessions.sign(other, within=within)
    said = await people.post(other, f"/messages/{drafted['id']}/approve", {"digest": drafted["digest"]})
    assert (said["status"], said["error_id"]) == (403, "same_session")


async def test_one_person_twice_is_one_person(world: World) -> None:
    people = People(world)
    made = await people.post(ANN, "/messages", plain(template()))
    one = f"/messages/{made['id']}"
    for _ in range(2):
        said = await people.post(CAZ, f"{one}/approve", {"digest": made["digest"]})
    assert (said["phase"], [each["by"] for each in said["approvals"]]) == ("draft", ["Caz"])
    world.clock.time = NIGHT
    until = (NIGHT + timedelta(hours=4)).isoformat()
    said = await People(world).post(BEN, f"{one}/start", {"areas": ["bromley"], "until": until})
    assert (said["status"], said["error_id"]) == (409, "approval_missing")
    assert await world.markers(area="bromley") == []


async def test_a_request_without_the_sessions_token_changes_nothing(world: World) -> None:
    people = People(world)
    said = await people.post(ANN, "/messages", plain(content()), token=False)
    assert (said["status"], said["error_id"]) == (401, "sign_in_needed")
    async with people.client(ANN) as client:
        assert (await client.get("/messages")).json() == []


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"wordings": {}}, "text_en"),
        ({"wordings": {"en": {"text": "<speak>hello</speak>"}}}, "text_en"),
        ({"wordings": {"en": {"text": "hello \u202edlrow"}}}, "text_en"),
        ({"wordings": {"en": {"text": "word " * 60}}}, "text_en"),
        ({"wordings": {"en": {"text": "Hi."}, "xx": {"text": "Hi."}}}, "text_xx"),
        ({"offer": {"kind": "pharmacy", "clinical_owner": ""}}, "clinical_owner"),
        ({"offer": {"kind": "pharmacy", "clinical_owner": "Dr Example"}}, "who_should_stay_en"),
        ({"places": {}}, "areas"),
        ({"places": {"areas": ["atlantis"]}}, "areas"),
        ({"places": {"cli_prefixes": ["+447700900123"]}}, "cli_prefixes"),
        ({"expires_at": None}, "expires_at"),
        ({"expires_at": "2026-03-24T10:00:00+00:00"}, "expires_at"),
        ({"expires_at": "2027-03-24T10:00:00+00:00"}, "expires_at"),
        ({"expires_at": "2026-03-25T10:00:00"}, "expires_at"),
        ({"priority": 0}, "priority"),
        ({"marker": "No Marker"}, "marker"),
        ({"services": ["plumber"]}, "services"),
        ({"colour": "red"}, "colour"),
        ({"title": ["a"]}, "title"),
    ],
)
async def test_what_cannot_be_a_message_is_named_by_its_field(world: World, change: dict[str, Any], field: str) -> None:
    said = await People(world).post(ANN, "/messages", {**plain(content()), **change})
    assert (said["status"], said["error_id"]) == (422, "content_refused")
    assert field in said["problems"]
