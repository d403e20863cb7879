"""Plans that senders post."""

from __future__ import annotations

import hashlib
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from careplans.routes import plans_router
from careplans.sources.push import LARGEST_BODY
from careplans.sources.runs import PlanRuns
from careplans.sources.schedule import Exclusive
from careplans.sources.settings import PushSettings
from infra.lease import MemoryLeases
from tests.fhir_server import FhirServer, care_plan
from tests.plan_world import SYSTEM, plan

KEY, NEXT_KEY = "first-key", "second-key"


@pytest.fixture
def sender() -> PushSettings:
    digests = tuple(hashlib.sha256(key.encode()).hexdigest() for key in (KEY, NEXT_KEY))
    return PushSettings(
        kind="push", name="hospice", system=SYSTEM, organisation="Demo Hospice", key_sha256=digests,
        most_withdrawn_percent=100,
    )  # fmt: skip


@pytest.fixture
async def door(sender: PushSettings, runs: PlanRuns) -> AsyncIterator[httpx.AsyncClient]:
    app = FastAPI()
    app.include_router(plans_router({sender.name: sender}, Exclusive(runs, MemoryLeases())))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://house") as client:
        yield client


async def post(door: httpx.AsyncClient, *rows: Any, key: str = KEY, source: str = "hospice") -> httpx.Response:
    body = "\n".join(json.dumps(dict(row.values)) for row in rows)
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/x-ndjson"}
    return await door.post(f"/api/plans/{source}", content=body, headers=headers)


class TestPush:
    """``POST /api/plans/{source}``"""

    async def test_good_rows_are_taken_and_bad_ones_named_without_a_value(self, door: httpx.AsyncClient) -> None:
        told = (await post(door, plan(101, source=...), plan(102, kind="Zzkind"))).json()
        assert (told["state"], told["imported"]) == ("done", 1)
        assert told["refused"] == [
            {"line": 2, "field": "kind", "reason": "is neither a known kind of plan nor its SNOMED code"}
        ]
        assert "Zz" not in json.dumps(told)

    async def test_the_same_body_again_changes_nothing(self, door: httpx.AsyncClient) -> None:
        await post(door, plan(101))
        assert (await post(door, plan(101), key=NEXT_KEY)).json()["unchanged"] == 1

    async def test_a_wrong_key_and_an_unknown_source_have_one_answer(self, door: httpx.AsyncClient) -> None:
        wrong, unknown = await post(door, plan(101), key="x"), await post(door, plan(101), source="nobody")
        assert (wrong.status_code, wrong.json()) == (unknown.status_code, unknown.json()) == (401, wrong.json())
        bare = await door.post("/api/plans/hospice", content="{}")
        assert bare.status_code == 401

    async def test_a_fhir_bundle_may_be_posted(self, door: httpx.AsyncClient, server: FhirServer) -> None:
        entries = [{"resource": each} for each in (server.patient, care_plan(1))]
        headers = {"Authorization": f"Bearer {KEY}", "Content-Type": "application/fhir+json; charset=utf-8"}
        body = json.dumps({"resourceType": "Bundle", "entry": entries})
        assert (await door.post("/api/plans/hospice", content=body, headers=headers)).json()["imported"] == 1
        refused = await door.post("/api/plans/hospice", content="[]", headers=headers)
        assert (refused.status_code, refused.json()["error"]) == (400, "plan_source_unreadable")

    @pytest.mark.parametrize("form", ["application/x-ndjson", "application/fhir+json"])
    async def test_a_byte_order_mark_is_no_part_of_what_is_posted(
        self, door: httpx.AsyncClient, server: FhirServer, form: str
    ) -> None:
        bundle = {"resourceType": "Bundle", "entry": [{"resource": each} for each in (server.patient, care_plan(1))]}
        body = json.dumps(dict(plan(101).values) if form.endswith("ndjson") else bundle)
        headers = {"Authorization": f"Bearer {KEY}", "Content-Type": form}
        told = await door.post("/api/plans/hospice", content=f"\ufeff{body}".encode(), headers=headers)
        assert (told.json()["imported"], told.json()["refused"]) == (1, [])

    async def test_the_notes_in_itk_reports_may_be_posted(self, door: httpx.AsyncClient, runs: PlanRuns) -> None:
        """Three reports of one person out of order: one plan, as of the newest."""
        headers = {"Authorization": f"Bearer {KEY}", "Content-Type": "application/xml"}
        body = (Path(__file__).parents[2] / "data/itk/three_reports_out_of_order.xml").read_bytes()
        told = (await door.post("/api/plans/hospice", content=body, headers=headers)).json()
        assert (told["state"], told["refused"], told["imported"]) == ("done", [], 1)
        again = (await door.post("/api/plans/hospice", content=body, headers=headers)).json()
        assert (again["imported"], again["updated"]) == (0, 0)

    @pytest.mark.parametrize(
        "body",
        [
            b'<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]><x>&b;</x>',
            b'<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><x>&a;</x>',
            b"<x>",
            b"",
        ],
    )
    async def test_an_xml_bomb_or_an_external_entity_is_refused(self, door: httpx.AsyncClient, body: bytes) -> None:
        headers = {"Authorization": f"Bearer {KEY}", "Content-Type": "application/xml"}
        refused = await door.post("/api/plans/hospice", content=body, headers=headers)
        assert (refused.status_code, refused.json()["error"]) == (400, "plan_source_unreadable")
        assert "root:" not in refused.text

    async def test_other_forms_and_bodies_without_end_are_refused(self, door: httpx.AsyncClient) -> None:
        headers = {"Authorization": f"Bearer {KEY}", "Content-Type": "text/csv"}
        assert (await door.post("/api/plans/hospice", content="x", headers=headers)).status_code == 415
        headers["Content-Type"] = "application/x-ndjson"
        large = b" " * (LARGEST_BODY + 1)
        assert (await door.post("/api/plans/hospice", content=large, headers=headers)).status_code == 413

    async def test_one_body_of_a_sender_at_a_time(self, sender: PushSettings, runs: PlanRuns) -> None:
        leases = MemoryLeases()
        await leases.hold("plans-hospice", "somebody else", 60)
        app = FastAPI()
        app.include_router(plans_router({sender.name: sender}, Exclusive(runs, leases)))
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://house") as client:
            told = await post(client, plan(101))
        assert (told.status_code, told.headers["retry-after"], told.json()["error"]) == (503, "5", "busy")
