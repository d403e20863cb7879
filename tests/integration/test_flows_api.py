"""The JSON interface of flow versions: the whole life by HTTP, and every wrong person refused with a stable id."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from callrouter.api import MOST_OCTETS
from callrouter.handover import Role, SignedIn
from callrouter.journal import Journal
from callrouter.publishing.published import PublishedFlows
from callrouter.publishing.routes import flows_router
from callrouter.publishing.service import Publishing
from callrouter.publishing.snapshot import STRAIGHT_TO_111
from callrouter.replay.service import Replay
from console.api import TOKEN_HEADER, asker
from console.session import Session, Sessions
from infra.sql import Database, connect_database
from tests.hand_clock import HandClock
from tests.publishing_world import ANN, BOB, DUTY, FLOW, HANDLER, SAFE, a_worker, content
from tests.recorded_calls import KEYS, recorded_call

SECRET = "a-secret-of-the-tests-and-of-nothing-else"
CALMER = FLOW.replace("[hello]", "[hello_calm]").replace("title: A small front", "title: A calmer front")
TEXTS = {"en": {"hello_calm": "Take your time. Press 1 for the nurse."}}


@dataclass
class People:
    """A worker, and everybody's own client of it."""

    database: Database
    clock: HandClock = field(default_factory=HandClock)

    def __post_init__(self) -> None:
        self.service: Publishing
        self.flows: PublishedFlows
        self.service, self.flows = a_worker(self.database, self.clock)
        self.journal = Journal(self.database, KEYS)
        self.sessions = Sessions(SECRET, clock=self.clock)
        self.app = FastAPI()
        self.app.include_router(flows_router(self.service, Replay(self.journal, self.service), asker(self.sessions)))
        self._own: dict[str, Session] = {}

    def _headers(self, who: SignedIn | None, token: bool, within: SignedIn | None) -> dict[str, str]:
        if who is None:
            return {}
        session = self._own.get(within.user) if within else self._own.get(who.user)
        cookie = self.sessions.sign(who, within=session)
        read = self.sessions.read({self.sessions.cookie_name: cookie})
        assert read is not None
        self._own[who.user] = read
        headers = {"cookie": f"{self.sessions.cookie_name}={cookie}"}
        return {**headers, TOKEN_HEADER: self.sessions.form_token(read)} if token else headers

    async def send(
        self, who: SignedIn | None, path: str, sent: Any = None, *, method: str = "POST", token: bool = True,
        within: SignedIn | None = None,
    ) -> tuple[int, Any]:  # fmt: skip
        transport = httpx.ASGITransport(app=self.app)
        async with httpx.AsyncClient(transport=transport) as client:
            body = {"content": sent} if isinstance(sent, bytes) else {"json": {} if sent is None else sent}
            body = {} if method == "GET" else body
            answer = await client.request(
                method, f"http://console.test/api/flows{path}", headers=self._headers(who, token, within), **body
            )
            return answer.status_code, answer.json()

    async def refused(self, who: SignedIn | None, path: str, sent: Any = None, **more: Any) -> tuple[int, str]:
        status, body = await self.send(who, path, sent, **more)
        assert set(body) <= {"error_id", "text", "problems"}
        assert " " in body["text"], "the refusal is said in words"
        return status, body["error_id"]

    async def draft(self) -> dict[str, Any]:
        sent = {"files": {"front.yaml": CALMER}, "start": "front.yaml", "texts": TEXTS, "note": "calmer"}
        status, body = await self.send(ANN, "/drafts", sent)
        assert status == 201, body
        return dict(body)


@pytest.fixture
async def people(sqlite: Database) -> People:
    made = People(sqlite)
    await made.service.begin(replace=False, budget_s=20)
    return made


async def test_a_whole_life_by_http(people: People) -> None:
    made = await people.draft()
    one = f"/{made['version']}"
    assert (made["state"], made["needs"], made["touches"]) == ("checked", "approval_missing", [])
    _, approved = await people.send(BOB, f"{one}/approve", {"hash": made["hash"]})
    assert (approved["state"], approved["approvals"][0]["by"]) == ("approved", "Bob")
    _, staged = await people.send(ANN, f"{one}/stage", {"share": 0.1})
    assert (staged["state"], staged["share"]) == ("staged", 0.1)
    _, listed = await people.send(READER, "", method="GET")
    assert listed["staged"] == {
        **listed["staged"], "version": made["version"], "against": content().version,
        "new": {"good": 0, "calls": 0}, "verdict": "going_on",
    }  # fmt: skip
    _, live = await people.send(ANN, f"{one}/publish")
    assert live["state"] == "live"
    assert people.flows.for_dialled("111", "call").version == made["version"]
    assert people.flows.text("en", "hello_calm") == TEXTS["en"]["hello_calm"]
    _, listed = await people.send(READER, "", method="GET")
    assert (listed["live"], listed["staged"]) == (made["version"], None)
    _, back = await people.send(DUTY, "/roll-back", {"note": "too slow"})
    assert back == {"live": content().version}
    _, steps = await people.send(ANN, f"{one}/history", method="GET")
    assert [each["step"] for each in steps] == ["rolled_back", "published", "staged", "approved", "checked", "drafted"]
    assert steps[0] == {**steps[0], "by": "Dee", "role": "public_health", "note": "too slow"}
    _, recalled = await people.send(DUTY, f"{one}/recall")
    assert recalled["state"] == "recalled"
    assert "s-ann" not in str(listed) + str(steps)


READER = SignedIn("Ivy", Role.INFORMATION_GOVERNANCE, "")


async def test_the_wrong_person_is_refused_by_http_with_a_clear_id(people: People) -> None:
    made = await people.draft()
    one, agree = f"/{made['version']}", {"hash": made["hash"]}
    assert await people.refused(None, f"{one}/approve", agree) == (401, "sign_in_needed")
    assert await people.refused(BOB, f"{one}/approve", agree, token=False) == (401, "sign_in_needed")
    assert await people.refused(ANN, f"{one}/approve", agree) == (403, "own_work")
    assert await people.refused(SAFE, f"{one}/approve", agree, within=ANN) == (403, "same_session")
    assert await people.refused(HANDLER, f"{one}/approve", agree) == (403, "role_missing")
    assert await people.refused(BOB, f"{one}/approve", {"hash": "0" * 64}) == (409, "content_changed")
    assert await people.refused(ANN, f"{one}/publish") == (409, "wrong_state")
    assert await people.refused(HANDLER, "", method="GET") == (403, "role_missing")
    _, body = await people.send(BOB, f"{one}/approve", agree)
    assert body["needs"] == ""
    assert await people.refused(DUTY, f"{one}/publish") == (403, "role_missing")
    assert await people.refused(HANDLER, "/roll-back") == (403, "role_missing")
    assert await people.refused(HANDLER, f"/{content().version}/recall") == (403, "role_missing")
    files = {"files": {"front.yaml": CALMER}, "start": "front.yaml", "texts": TEXTS}
    steps = {"/drafts": files, f"{one}/check": {}, f"{one}/stage": {"share": 0.1},
             f"{one}/schedule": {"at": "2030-01-01T08:00:00Z"}, f"{one}/stop": {}}  # fmt: skip
    for path, sent in steps.items():  # who may read may no more do these than who may not
        for who in (HANDLER, READER):
            assert await people.refused(who, path, sent) == (403, "role_missing"), (path, who.role)
    _, found = await people.send(ANN, one, method="GET")
    assert [each["by"] for each in found["approvals"]] == ["Bob"]
    people.clock.move(15 * 86_400)
    assert await people.refused(ANN, f"{one}/publish") == (409, "approval_expired")
    assert people.flows.for_dialled("111", "call").version == content().version


async def test_one_person_twice_is_one_person_by_http(people: People) -> None:
    """A change of priority wants clinical safety; who wrote it under one role is the same person under another."""
    sent = {"files": {"front.yaml": FLOW.replace('services: ["111"]', 'services: ["111"], band: raised')},
            "start": "front.yaml", "note": "sooner"}  # fmt: skip
    status, made = await people.send(ANN, "/drafts", sent)
    assert (status, made["touches"]) == (201, ["priority"])
    one, agree = f"/{made['version']}", {"hash": made["hash"]}
    ann_as_safety = SignedIn("Ann", Role.CLINICAL_SAFETY, "another-session")
    assert await people.refused(ann_as_safety, f"{one}/approve", agree) == (403, "own_work")
    for _ in range(2):  # twice a commissioner is no clinical safety
        _, body = await people.send(BOB, f"{one}/approve", agree)
        assert body["needs"] == "clinical_safety_missing"
    for path, more in (("publish", {}), ("stage", {"share": 0.1}), ("schedule", {"at": "2026-03-29T08:00:00Z"})):
        assert await people.refused(ANN, f"{one}/{path}", more) == (409, "wrong_state")
    assert people.flows.for_dialled("111", "call").version == content().version
    _, body = await people.send(SAFE, f"{one}/approve", agree)
    assert (body["state"], body["needs"]) == ("approved", "")


@pytest.mark.parametrize(
    ("sent", "problem"),
    [
        ({"files": {"a.yaml": "flow: [", }, "start": "a.yaml"}, "a.yaml:"),
        ({"files": {"a.yaml": FLOW.replace("nurses}", "nowhere}")}, "start": "a.yaml"}, "leads to nowhere"),
        ({"files": {"a.yaml": FLOW}, "start": "b.yaml"}, "b.yaml: the flow to begin with"),
        ({"files": {"../a.yaml": FLOW}, "start": "../a.yaml"}, "not a file name"),
        ({"files": {"a.yaml": FLOW}, "start": "a.yaml", "texts": {"en": {"x": "<speak>hi</speak>"}}}, "without markup"),
        ({"files": {"a.yaml": FLOW}, "start": "a.yaml", "texts": {"xx": {"x": "hi"}}}, "cannot choose this language"),
        ({"files": {"a.yaml": FLOW}, "start": "a.yaml", "texts": {"en": {"x": "a\u202eb"}}}, "plain text"),
        ({"files": {"a.yaml": f"{FLOW}# \u202e"}, "start": "a.yaml"}, "turns the line round (U+202E)"),
    ],
)  # fmt: skip
async def test_a_draft_that_cannot_be_is_refused_with_file_and_line(
    people: People, sent: dict[str, Any], problem: str
) -> None:
    status, body = await people.send(ANN, "/drafts", sent)
    assert (status, body["error_id"]) == (422, "not_sound")
    assert any(problem in each for each in body["problems"]), body["problems"]
    assert not any("/tmp" in each or "callrouter-draft" in each for each in body["problems"])


@pytest.mark.parametrize(
    ("path", "sent"),
    [("/drafts", []), ("/drafts", {"files": {}}), ("/VERSION/approve", {}), ("/VERSION/schedule", {"at": "tomorrow"}),
     ("/VERSION/schedule", {"at": "2030-01-01T08:00"}), ("/VERSION/stage", {"share": "some"}),
     ("/VERSION/schedule", {"at": "9999-12-31T23:59:59-14:00"}), ("/VERSION/stage", {"share": 10**400}),
     ("/drafts", b"[" * 100_000), ("/drafts", b"\xff"), ("/drafts", b" " * (MOST_OCTETS + 1)),
     ("/drafts", b'{"files": {"a.yaml": "title: \\ud800"}, "start": "a.yaml"}')],
)  # fmt: skip
async def test_what_cannot_be_read_is_said(people: People, path: str, sent: Any) -> None:
    made = await people.draft()
    assert await people.refused(ANN, path.replace("VERSION", made["version"]), sent) == (422, "unreadable")


async def test_without_the_database_nothing_is_changed_and_calls_go_on(tmp_path: Path) -> None:
    people = People(connect_database(f"sqlite:///{tmp_path}/no/flows.db"))
    await people.service.begin(replace=False, budget_s=20)
    assert await people.refused(DUTY, "/roll-back") == (503, "store_away")
    assert await people.refused(ANN, "", method="GET") == (503, "store_away")
    assert people.flows.for_dialled("111", "call") == STRAIGHT_TO_111  # nothing is known yet of what was approved


async def test_recorded_calls_are_replayed_by_http_and_nobody_is_named(people: People) -> None:
    made = await people.draft()
    await people.journal.write(recorded_call("one", content().version, people.clock.now()))
    day = "from=2026-03-28T00:00:00Z&to=2026-03-29T00:00:00Z"
    status, found = await people.send(ANN, f"/{made['version']}/replay?{day}", method="GET")
    assert (status, found["calls"], found["same"], found["undetermined"]) == (200, 1, 1, 0)
    assert found["seconds_before_a_person"]["half"] > 0  # more words
    assert "447700" not in str(found)
    backwards = "from=2026-03-29T00:00:00Z&to=2026-03-28T00:00:00Z"
    assert await people.refused(ANN, f"/{made['version']}/replay?{backwards}", method="GET") == (422, "out_of_range")
    assert await people.refused(ANN, f"/{made['version']}/replay?from=x", method="GET") == (422, "unreadable")
    assert await people.refused(HANDLER, f"/{made['version']}/replay?{day}", method="GET") == (403, "role_missing")
