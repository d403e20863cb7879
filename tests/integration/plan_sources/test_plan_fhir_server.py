"""Plans of a FHIR server that answers over HTTP."""

from __future__ import annotations

import json
from datetime import timedelta
from functools import partial
from urllib.parse import parse_qs

import pytest
from fastapi.responses import Response

from careplans.model import MatchLevel
from careplans.service import CarePlans
from careplans.sources.errors import SourceRefused, SourceUnreachable
from careplans.sources.fhir_http import FhirSource
from careplans.sources.fhir_recheck import Recheck
from careplans.sources.model import Sender
from careplans.sources.runs import PlanRuns
from infra.crypto import KeyRing
from infra.numbers import read_number
from infra.sql import Database
from tests.fhir_server import FhirServer, care_plan, served
from tests.plan_world import SYSTEM, HandClock

KEYS = KeyRing(b"m" * 32, b"i" * 32)

TRUST = Sender("trust", SYSTEM)


async def live(runs: PlanRuns) -> int:
    return len(await runs.known(SYSTEM, "", 1000))


class TestFhirServer:
    """A FHIR R4 server, asked over HTTP."""

    async def test_pages_are_followed_and_only_changes_are_asked_for(self, server: FhirServer, runs: PlanRuns) -> None:
        server.plans = [care_plan(number) for number in range(5)]
        async with served(server.app()) as port:
            (first,) = await runs.run(TRUST, server.source(port))
            assert (first.run.imported, first.run.records, len(server.asked)) == (5, 5, 3)
            server.plans.append(care_plan(7, day=2))
            server.plans[0] = care_plan(0, day=2, status="revoked")
            (second,) = await runs.run(Sender("trust", SYSTEM, most_withdrawn=1.0), server.source(port))
            assert (second.run.imported, second.run.withdrawn) == (1, 1)
            assert "_lastUpdated=ge2026-06-01T12%3A00%3A00.004Z" in server.asked[3]

    async def test_all_four_resources_are_fetched_and_a_refusal_last(self, server: FhirServer, runs: PlanRuns) -> None:
        consent = {
            "resourceType": "Consent", "id": "k1", "status": "active", "meta": {"lastUpdated": "2026-06-02T12:00:00Z"},
            "patient": {"reference": "Patient/p1"},
            "provision": {"type": "deny", "data": [{"reference": {"reference": "CarePlan/c1"}}]},
        }  # fmt: skip
        flag = care_plan(2, resourceType="Flag", code={"text": "Speak slowly."}, category=[])
        document = care_plan(3, resourceType="DocumentReference", status="current", custodian={"display": "A Trust"})
        server.plans = [consent, care_plan(1), flag, document]
        every = ("Consent", "CarePlan", "Flag", "DocumentReference")
        async with served(server.app()) as port:
            done = await runs.run(Sender("trust", SYSTEM, 1.0), server.source(port, resources=every))
        assert [(each.run.imported, each.run.withdrawn, each.refused) for each in done] == [
            (1, 0, ()), (1, 0, ()), (1, 0, ()), (0, 1, ()),
        ]  # fmt: skip
        asked = [parse_qs(each)["_include"] for each in server.asked]
        assert asked == [["CarePlan:subject"], ["Flag:subject"], ["DocumentReference:subject"], ["Consent:patient"]]

    async def test_a_byte_order_mark_is_no_part_of_an_answer(self, server: FhirServer, runs: PlanRuns) -> None:
        bundle = {"resourceType": "Bundle", "entry": [{"resource": each} for each in (server.patient, care_plan(1))]}
        body = f"\ufeff{json.dumps(bundle)}".encode()
        server.faults = [Response(body, media_type="application/fhir+json")]
        async with served(server.app()) as port:
            (delivered,) = await runs.run(TRUST, server.source(port))
        assert (delivered.run.imported, delivered.refused) == (1, ())

    async def test_what_has_not_changed_is_not_sent_again(self, server: FhirServer, runs: PlanRuns) -> None:
        server.plans = [care_plan(1)]
        async with served(server.app()) as port:
            await runs.run(TRUST, server.source(port))
            (again,) = await runs.run(TRUST, server.source(port))
            assert (again.run.unchanged, again.run.imported) == (1, 0)
            assert await runs.run(TRUST, server.source(port)) == []  # 304

    async def test_a_busy_server_is_asked_again_after_the_time_it_named(
        self, server: FhirServer, runs: PlanRuns
    ) -> None:
        server.plans = [care_plan(1)]
        dated = {"Date": "Mon, 15 Jun 2026 12:00:00 GMT", "Retry-After": "Mon, 15 Jun 2026 12:00:20 GMT"}
        server.faults = [Response(status_code=429, headers={"Retry-After": "7"})]
        server.faults.append(Response(status_code=503, headers=dated))
        async with served(server.app()) as port:
            (delivered,) = await runs.run(TRUST, server.source(port))
        assert delivered.run.imported == 1
        assert [server.asked[1], server.asked[3]] == ["waited 7", "waited 20"]

    async def test_a_server_that_stays_away_ends_the_run_and_the_next_goes_on_from_its_page(
        self, server: FhirServer, runs: PlanRuns
    ) -> None:
        server.plans = [care_plan(number) for number in range(4)]
        async with served(server.app()) as port:
            source = server.source(port)

            class Away(FhirSource):
                async def read(self, cursor: str):  # type: ignore[no-untyped-def]
                    async for batch in source.read(cursor):
                        yield batch
                        server.faults = [Response(status_code=503) for _ in range(4)]

            with pytest.raises(SourceUnreachable):
                await runs.run(TRUST, Away("http://x", [], "", lambda: None))
            server.asked.clear()
            (delivered,) = await runs.run(TRUST, source)
        assert (delivered.run.imported, len(server.asked)) == (4, 1)

    async def test_a_patient_who_becomes_restricted_is_found_by_no_number_after_the_next_run(
        self, server: FhirServer, runs: PlanRuns, database: Database
    ) -> None:
        """Their Patient alone is changed, in the middle of the day, and no plan of theirs."""
        plans = CarePlans(database, KEYS, HandClock())
        server.plans = [care_plan(number) for number in range(3)]
        async with served(server.app()) as port:
            await runs.run(TRUST, server.source(port))
            assert (await plans.match_number(read_number("07700 900101"))).people == 1
            label = {"system": "http://terminology.hl7.org/CodeSystem/v3-Confidentiality", "code": "R"}
            server.patient["meta"] = {"lastUpdated": "2026-06-03T12:00:00Z", "security": [label]}
            changed = await runs.run(TRUST, server.source(port))
            assert (sum(each.run.updated for each in changed), [each.refused for each in changed]) == (3, [(), ()])
            assert (await plans.match_number(read_number("07700 900101"))).outcome is MatchLevel.NONE
            server.asked.clear()
            assert [each.run.updated for each in await runs.run(TRUST, server.source(port))] == [0]
        assert "subject%3APatient._lastUpdated=ge2026-06-03T12%3A00%3A00Z" in server.asked[1]

    async def test_a_server_that_passes_a_chained_search_over_sends_everything_and_the_restriction_with_it(
        self, server: FhirServer, runs: PlanRuns, database: Database
    ) -> None:
        plans = CarePlans(database, KEYS, HandClock())
        server.plans, server.lenient = [care_plan(number) for number in range(3)], True
        async with served(server.app()) as port:
            for _ in range(2):
                await runs.run(TRUST, server.source(port))
            label = {"system": "http://terminology.hl7.org/CodeSystem/v3-Confidentiality", "code": "R"}
            server.patient["meta"] = {"lastUpdated": "2026-06-03T12:00:00Z", "security": [label]}
            changed = await runs.run(TRUST, server.source(port))
            assert (sum(each.run.updated for each in changed), {each.refused for each in changed}) == (3, {()})
            assert (await plans.match_number(read_number("07700 900101"))).outcome is MatchLevel.NONE

    async def test_patients_are_not_asked_for_where_everything_was_just_read(
        self, server: FhirServer, runs: PlanRuns
    ) -> None:
        server.plans = [care_plan(1)]
        async with served(server.app()) as port:
            await runs.run(TRUST, server.source(port))
        assert len(server.asked) == 1

    async def test_what_its_history_says_is_deleted_is_withdrawn_with_the_next_run_and_nothing_else(
        self, server: FhirServer, runs: PlanRuns
    ) -> None:
        sender = Sender("trust", SYSTEM, 1.0)
        server.plans = [care_plan(number) for number in range(3)]
        async with served(server.app()) as port:
            await runs.run(sender, server.source(port, history=True))
            server.deleted = {"c1": "2026-06-02T12:00:00Z", "never-seen": "2026-06-02T12:00:00Z"}
            del server.plans[1]
            *_, told = await runs.run(sender, server.source(port, history=True))
            assert (told.run.withdrawn, told.refused, await live(runs)) == (1, (), 2)
            server.asked.clear()
            await runs.run(sender, server.source(port, history=True))
        assert server.asked[-1] == "history _count=100&_since=2026-06-02T12%3A00%3A00Z"

    async def test_what_the_server_deleted_without_a_word_is_withdrawn_with_the_next_run(
        self, server: FhirServer, runs: PlanRuns, clock: HandClock
    ) -> None:
        every_run = Recheck(partial(runs.known, SYSTEM), clock, timedelta())
        server.plans, server.page = [care_plan(number) for number in range(150)], 200
        async with served(server.app()) as port:
            await runs.run(TRUST, server.source(port, recheck=every_run))
            await runs.run(TRUST, server.source(port, recheck=every_run))  # the newest plan, once more
            assert await runs.run(TRUST, server.source(port, recheck=every_run)) == []
            del server.plans[70]
            server.asked.clear()
            *_, told = await runs.run(TRUST, server.source(port, recheck=every_run))
        assert (told.run.withdrawn, await live(runs)) == (1, 149)
        # one request for each hundred, whichever of them it stands in, and one for what the search did not find
        assert sum(each.startswith("_id=") for each in server.asked) == 2
        assert [each for each in server.asked if each.startswith("c")] == ["c70"]

    async def test_what_the_server_deleted_without_a_word_is_withdrawn_within_a_week(
        self, server: FhirServer, runs: PlanRuns, clock: HandClock
    ) -> None:
        sender, recheck = Sender("trust", SYSTEM, 0.5), Recheck(partial(runs.known, SYSTEM), clock, timedelta(days=7))
        server.plans = [care_plan(number) for number in range(5)]
        async with served(server.app()) as port:
            await runs.run(sender, server.source(port, recheck=recheck))
            del server.plans[1]
            await runs.run(sender, server.source(port, recheck=recheck))
            assert await live(runs) == 5, "it was asked a moment ago"
            clock.move(days=7)
            server.asked.clear()
            *_, delivered = await runs.run(sender, server.source(port, recheck=recheck))
            assert (delivered.run.withdrawn, await live(runs)) == (1, 4)
            # the search gave two of the five: the others were asked for themselves, and two of them are there
            assert sorted(each for each in server.asked if each.startswith("c")) == ["c1", "c3", "c4"]
            del server.plans[:3]
            clock.move(days=7)
            *_, much = await runs.run(sender, server.source(port, recheck=recheck))
            assert (much.run.state, much.run.would_withdraw, await live(runs)) == ("held", 3, 4)

    async def test_a_server_that_refuses_or_falls_silent_withdraws_nothing_and_it_goes_on_where_it_was(
        self, server: FhirServer, runs: PlanRuns, clock: HandClock
    ) -> None:
        sender = Sender("trust", SYSTEM, 1.0)
        server.plans, server.page = [care_plan(number) for number in range(150)], 200
        recheck = Recheck(partial(runs.known, SYSTEM), clock, timedelta(days=7))
        async with served(server.app()) as port:
            await runs.run(sender, server.source(port, recheck=recheck))
            server.plans, server.missing_status = server.plans[:140], 403
            clock.move(days=7)
            with pytest.raises(SourceRefused, match="403"):
                await runs.run(sender, server.source(port, recheck=recheck))
            assert await live(runs) == 150
            server.missing_status = 404
            await runs.run(sender, server.source(port, recheck=recheck))
            assert await live(runs) == 140

    async def test_a_refusal_is_told_by_its_code_and_names_nobody(self, server: FhirServer, runs: PlanRuns) -> None:
        async with served(server.app()) as port:
            with pytest.raises(SourceRefused) as raised:
                await runs.run(TRUST, server.source(port, token="wrong"))
        assert str(raised.value) == "the server refuses: 401 (login)"

    async def test_the_token_goes_to_no_other_server(self, server: FhirServer, runs: PlanRuns) -> None:
        server.plans = [care_plan(number) for number in range(4)]
        server.next_host = "elsewhere.example"
        async with served(server.app()) as port:
            with pytest.raises(SourceRefused, match="another server"):
                await runs.run(TRUST, server.source(port))
