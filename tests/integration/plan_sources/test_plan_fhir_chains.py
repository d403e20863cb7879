"""A FHIR server that cannot be asked for changed patients: everything else is asked all the same, and it is told."""

from __future__ import annotations

import json
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from fastapi.responses import Response

from careplans.model import MatchLevel
from careplans.service import CarePlans
from careplans.sources.errors import SourceUnreachable
from careplans.sources.fhir_recheck import Recheck
from careplans.sources.model import Sender
from careplans.sources.runs import PlanRuns
from infra.crypto import KeyRing
from infra.numbers import read_number
from infra.sql import Database
from tests.fhir_server import FhirServer, care_plan, served
from tests.plan_world import SYSTEM, HandClock

KEYS = KeyRing(b"m" * 32, b"i" * 32)
TRUST = Sender("trust", SYSTEM, 1.0)
EVERY = ("Consent", "CarePlan", "Flag")
UNASKED = "patients' own changes cannot be asked for here (the server refuses: {} (not-supported))"


def flag(number: int, day: int = 1) -> dict[str, Any]:
    return care_plan(number, day, resourceType="Flag", code={"text": "Speak slowly."}, category=[])


def refusal(of: str, at: str = "2026-06-02T12:00:00Z") -> dict[str, Any]:
    return {
        "resourceType": "Consent", "id": "k1", "status": "active", "meta": {"lastUpdated": at},
        "patient": {"reference": "Patient/p1"},
        "provision": {"type": "deny", "data": [{"reference": {"reference": of}}]},
    }  # fmt: skip


@pytest.fixture
def recheck(runs: PlanRuns, clock: HandClock) -> Recheck:
    return Recheck(partial(runs.known, SYSTEM), clock, timedelta())


async def stored(runs: PlanRuns) -> set[str]:
    return {each.plan_id for each in await runs.known(SYSTEM, "", 1000)}


@pytest.mark.parametrize("status", [400, 403, 501])
async def test_a_server_without_chained_search_still_tells_plans_refusals_and_deletions(
    server: FhirServer, runs: PlanRuns, recheck: Recheck, status: int
) -> None:
    server.plans, server.chains = [care_plan(1), care_plan(3), flag(2)], status
    async with served(server.app()) as port:
        await runs.run(TRUST, server.source(port, resources=EVERY, recheck=recheck))
        server.plans = [care_plan(1), flag(2), flag(9, day=3), refusal("CarePlan/c1")]
        done = await runs.run(TRUST, server.source(port, resources=EVERY, recheck=recheck))
        assert await stored(runs) == {"Flag/c2", "Flag/c9"}
        told = [fault for each in done for fault in each.refused]
        assert [(each.field, each.reason) for each in told] == [
            ("CarePlan.subject", UNASKED.format(status)), ("Flag.subject", UNASKED.format(status)),
        ]  # fmt: skip
        assert [each.run.why for each in done if each.refused] == ["unasked", "unasked"]

        server.asked.clear()
        again = await runs.run(TRUST, server.source(port, resources=EVERY, recheck=recheck))
        assert [each.refused for each in again if each.refused] == [], "it was told"
        assert sum("Patient._lastUpdated" in each for each in server.asked) == 2, "and is asked each time"
    kept = await runs.quarantined()
    assert {(name, why) for each in kept for name, why in each.faults} == {(each.field, each.reason) for each in told}


async def test_what_changed_meanwhile_is_seen_once_the_server_can_be_asked(
    server: FhirServer, runs: PlanRuns, database: Database
) -> None:
    plans = CarePlans(database, KEYS, HandClock())
    server.plans, server.chains = [care_plan(1)], 400
    async with served(server.app()) as port:
        for _ in range(2):
            await runs.run(TRUST, server.source(port))
        label = {"system": "http://terminology.hl7.org/CodeSystem/v3-Confidentiality", "code": "R"}
        server.patient["meta"] = {"lastUpdated": "2026-06-03T12:00:00Z", "security": [label]}
        server.plans = [care_plan(2)]
        await runs.run(TRUST, server.source(port))
        server.chains = 501
        await runs.run(TRUST, server.source(port))
        assert len(await runs.quarantined()) == 1
        server.plans, server.chains = [care_plan(1), care_plan(2)], 200
        await runs.run(TRUST, server.source(port))
        assert await runs.quarantined() == [], "nobody needs to see to it any more"
        assert (await plans.match_number(read_number("07700 900101"))).outcome is MatchLevel.NONE
        server.chains = 400
        assert [each.run.why for each in await runs.run(TRUST, server.source(port))][-1:] == ["unasked"], "told anew"
        assert len(await runs.quarantined()) == 1


@pytest.mark.parametrize("changed", [False, True], ids=["nothing changed", "the patient changed"])
async def test_the_line_leaves_with_the_first_answer_also_if_it_brings_nothing(
    server: FhirServer, runs: PlanRuns, changed: bool
) -> None:
    server.plans = [care_plan(1)]
    async with served(server.app()) as port:
        for chains in (200, 200, 400):
            server.chains = chains
            await runs.run(TRUST, server.source(port))
        assert len(await runs.quarantined()) == 1
        server.chains = 200
        if changed:
            server.patient["meta"] = {"lastUpdated": "2026-06-03T12:00:00Z"}
        await runs.run(TRUST, server.source(port))
        assert await runs.quarantined() == []
        again = await runs.run(TRUST, server.source(port))
        assert all(each.run.records for each in again), "an empty run says it once"


async def test_a_refused_plan_whose_patient_changed_in_the_same_hour_stays_withdrawn(
    server: FhirServer, runs: PlanRuns
) -> None:
    """The changed patient makes a newer version of the plan, which would bring it back behind the refusal."""
    server.plans = [care_plan(1), flag(2)]
    async with served(server.app()) as port:
        await runs.run(TRUST, server.source(port, resources=EVERY))
        server.plans.append(refusal("CarePlan/c1", "2026-06-03T12:00:00Z"))
        server.patient["meta"] = {"lastUpdated": "2026-06-03T12:30:00Z"}
        await runs.run(TRUST, server.source(port, resources=EVERY))
    assert await stored(runs) == {"Flag/c2"}


async def test_a_server_that_breaks_on_a_chained_search_fails_the_run_behind_everything_else(
    server: FhirServer, runs: PlanRuns, recheck: Recheck
) -> None:
    server.plans = [care_plan(1), care_plan(3)]
    async with served(server.app()) as port:
        await runs.run(TRUST, server.source(port, resources=("Consent", "CarePlan"), recheck=recheck))
        server.plans, server.chains = [care_plan(1), care_plan(4, day=3), refusal("CarePlan/c1")], 500
        with pytest.raises(SourceUnreachable):
            await runs.run(TRUST, server.source(port, resources=("Consent", "CarePlan"), recheck=recheck))
    assert await stored(runs) == {"CarePlan/c4"}
    assert await runs.quarantined() == []


async def test_a_search_that_was_cut_off_among_changed_patients_and_now_fails_keeps_no_plan_back(
    server: FhirServer, runs: PlanRuns
) -> None:
    server.plans = [care_plan(number) for number in range(4)]
    async with served(server.app()) as port:
        await runs.run(TRUST, server.source(port))
        cursor = json.dumps({
            "since": {"CarePlan": "2026-06-02T12:00:00Z", "CarePlan.subject": "2026-06-02T12:00:00Z"},
            "reading": "CarePlan.subject", "line": 3,
            "page": f"http://127.0.0.1:{port}/fhir/CarePlan?subject%3APatient._lastUpdated=ge2026&start=2",
        })  # fmt: skip
        server.plans.append(care_plan(7, day=3))
        server.faults = [Response(status_code=500) for _ in range(4)]
        batches = server.source(port).read(cursor)
        first = await anext(batches)
        with pytest.raises(SourceUnreachable):
            await anext(batches)
    assert [row.values["plan_id"] for row in first.rows] == ["CarePlan/c7"]
