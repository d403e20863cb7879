"""Sources as they are in use: a folder, a FHIR server that answers over HTTP, senders who post, and their schedule."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response

from careplans.routes import plans_router
from careplans.sources.errors import SourceRefused, SourceSettingsWrong, SourceUnreachable
from careplans.sources.fhir_http import FhirSource
from careplans.sources.fhir_recheck import Recheck
from careplans.sources.files import FolderSource
from careplans.sources.model import Batch, Sender
from careplans.sources.push import LARGEST_BODY
from careplans.sources.runs import PlanRuns
from careplans.sources.schedule import Exclusive, Schedule, Scheduled
from careplans.sources.settings import PushSettings, read_sources
from infra.crypto import KeyRing
from infra.health import Health
from infra.lease import MemoryLeases
from infra.migrate import upgrade_database
from infra.numbers import read_number
from infra.sql import Database, connect_database
from tests.plan_world import SYSTEM, HandClock, Script, gone, plan
from tests.running import free_port

KEYS = KeyRing(b"m" * 32, b"i" * 32)
TRUST = Sender("trust", SYSTEM)


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    database = connect_database(f"sqlite:///{tmp_path}/plans.db")
    await upgrade_database(database)
    yield database
    await database.close()


@pytest.fixture
def runs(database: Database, clock: HandClock) -> PlanRuns:
    return PlanRuns(database, KEYS, clock)


class TestFolder:
    """Files that are dropped in a folder."""

    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        (tmp_path / "drop").mkdir()
        return tmp_path / "drop"

    @pytest.fixture
    def source(self, folder: Path, clock: HandClock) -> FolderSource:
        return FolderSource(folder, clock, system=SYSTEM, whole=True)

    def put(self, folder: Path, name: str, rows: Sequence[Any], clock: HandClock, age_s: float = 61) -> Path:
        path = folder / name
        path.write_text("\n".join(json.dumps(dict(row.values)) for row in rows) + "\n")
        then = clock.now().timestamp() - age_s
        os.utime(path, (then, then))
        return path

    async def test_a_file_is_taken_once_under_whatever_name_it_comes_again(
        self, folder: Path, source: FolderSource, runs: PlanRuns, clock: HandClock
    ) -> None:
        self.put(folder, "a.ndjson", [plan(101)], clock)
        (delivered,) = await runs.run(TRUST, source)
        assert (delivered.run.imported, delivered.run.whole) == (1, True)
        self.put(folder, "b.ndjson", [plan(101)], clock)
        assert await runs.run(TRUST, source) == []

    async def test_a_file_that_is_still_being_written_waits(
        self, folder: Path, source: FolderSource, runs: PlanRuns, clock: HandClock
    ) -> None:
        path = self.put(folder, "a.ndjson", [plan(101)], clock, age_s=5)
        self.put(folder, "b.ndjson.part", [plan(102)], clock)
        self.put(folder, ".c.ndjson", [plan(103)], clock)
        assert await runs.run(TRUST, source) == []
        (folder / f"{path.name}.done").touch()
        (delivered,) = await runs.run(TRUST, source)
        assert delivered.run.imported == 1

    async def test_a_list_older_than_one_already_read_withdraws_nothing(
        self, folder: Path, source: FolderSource, runs: PlanRuns, clock: HandClock
    ) -> None:
        sender = Sender("trust", SYSTEM, most_withdrawn=1.0)
        self.put(folder, "new.ndjson", [plan(101), plan(102)], clock)
        await runs.run(sender, source)
        self.put(folder, "old.ndjson", [plan(101)], clock, age_s=3600)
        (late,) = await runs.run(sender, source)
        assert (late.run.whole, late.run.withdrawn) == (False, 0)

    async def test_a_broken_file_is_named_and_the_next_one_is_read(
        self, folder: Path, source: FolderSource, runs: PlanRuns, clock: HandClock
    ) -> None:
        path = self.put(folder, "a.csv", [], clock, age_s=90)
        path.write_bytes(b"plan_id,version,withdrawn\nP1,caf\xe9,yes\n")
        os.utime(path, (clock.now().timestamp() - 90,) * 2)
        self.put(folder, "b.ndjson", [plan(101)], clock)
        broken, read = await runs.run(TRUST, source)
        assert [(f.line, f.field, f.reason) for f in broken.refused] == [
            (2, "file", "is not text in UTF-8; save it with that encoding")
        ]
        assert (broken.run.why, read.run.imported) == ("broken", 1)

    async def test_cut_off_within_a_long_file_the_next_run_goes_on_with_it(
        self, folder: Path, source: FolderSource, runs: PlanRuns, clock: HandClock
    ) -> None:
        self.put(folder, "a.ndjson", [plan(line, phones="", nhs_number="") for line in range(1, 451)], clock)

        class CutOff(FolderSource):
            async def read(self, cursor: str):  # type: ignore[no-untyped-def]
                async for batch in super().read(cursor):
                    yield batch
                    raise SourceUnreachable("cut off")

        with pytest.raises(SourceUnreachable):
            await runs.run(TRUST, CutOff(folder, clock, system=SYSTEM, whole=True))
        (delivered,) = await runs.run(TRUST, source)
        assert (delivered.run.records, delivered.run.imported, delivered.run.unchanged) == (450, 450, 0)

    async def test_a_file_that_goes_away_while_it_is_read_is_no_fault_of_the_store(
        self, folder: Path, runs: PlanRuns, clock: HandClock
    ) -> None:
        path = self.put(folder, "a.ndjson", [plan(line, phones="") for line in range(1, 451)], clock)

        class TakenAway(FolderSource):
            async def read(self, cursor: str):  # type: ignore[no-untyped-def]
                async for batch in super().read(cursor):
                    yield batch
                    path.unlink(missing_ok=True)

        with pytest.raises(SourceUnreachable, match="changed while it was read"):
            await runs.run(TRUST, TakenAway(folder, clock, system=SYSTEM, whole=True))

    async def test_a_folder_that_is_not_there_is_said(self, runs: PlanRuns, clock: HandClock, tmp_path: Path) -> None:
        with pytest.raises(SourceRefused, match="cannot be read"):
            await runs.run(TRUST, FolderSource(tmp_path / "none", clock, system=SYSTEM, whole=False))

    async def test_a_formula_is_text_and_stays_as_it_was(
        self, folder: Path, source: FolderSource, runs: PlanRuns, clock: HandClock, database: Database
    ) -> None:
        formula = "=cmd|' /C calc'!A0"
        self.put(folder, "a.ndjson", [plan(101, handler_line=formula)], clock)
        (delivered,) = await runs.run(TRUST, source)
        assert delivered.run.imported == 1


@dataclass
class FhirServer:
    """Answers searches for CarePlan as a FHIR server does: pages, ETag, `_lastUpdated`, and the faults it is told."""

    patient: dict[str, Any]
    plans: list[dict[str, Any]] = field(default_factory=list)
    faults: list[Response] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    page: int = 2
    next_host: str | None = None
    missing_status: int = 410

    def app(self) -> FastAPI:
        app = FastAPI()

        @app.get("/fhir/CarePlan")
        async def search(request: Request) -> Response:
            self.asked.append(str(request.url.query))
            if self.faults:
                return self.faults.pop(0)
            if request.headers.get("authorization") != "Bearer secret":
                outcome = {"resourceType": "OperationOutcome", "issue": [{"code": "login", "diagnostics": "Zzname"}]}
                return JSONResponse(outcome, status_code=401)
            if ids := request.query_params.get("_id"):
                entry = [{"resource": each} for each in self.plans if each["id"] in ids.split(",")][: self.page]
                return JSONResponse({"resourceType": "Bundle", "type": "searchset", "entry": entry})
            since = request.query_params.get("_lastUpdated", "ge").removeprefix("ge")
            found = [each for each in self.plans if each["meta"]["lastUpdated"] >= since]
            etag = hashlib.sha256(json.dumps(found).encode()).hexdigest()
            if request.headers.get("if-none-match") == etag:
                return Response(status_code=304)
            start = int(request.query_params.get("start", 0))
            body: dict[str, Any] = {"resourceType": "Bundle", "type": "searchset", "link": []}
            body["entry"] = [
                {"resource": each, "search": {"mode": "match"}} for each in found[start : start + self.page]
            ]
            body["entry"].append({"resource": self.patient, "search": {"mode": "include"}})
            if start + self.page < len(found):
                after = str(request.url.include_query_params(start=start + self.page))
                url = after if self.next_host is None else after.replace(str(request.url.hostname), self.next_host)
                body["link"].append({"relation": "next", "url": url})
            return JSONResponse(body, headers={"ETag": etag})

        @app.get("/fhir/CarePlan/{its_id}")
        async def read(its_id: str) -> Response:
            self.asked.append(its_id)
            found = [each for each in self.plans if each["id"] == its_id]
            return JSONResponse(found[0]) if found else Response(status_code=self.missing_status)

        return app

    def source(self, port: int, token: str = "secret", recheck: Recheck | None = None) -> FhirSource:
        async def no_wait(wait_s: float) -> None:
            self.asked.append(f"waited {wait_s:g}")

        url = f"http://127.0.0.1:{port}/fhir"
        return FhirSource(url, ["CarePlan"], "Demo Trust", lambda: token, recheck=recheck, sleep=no_wait)


@asynccontextmanager
async def served(app: FastAPI) -> AsyncIterator[int]:
    port = free_port()
    server = uvicorn.Server(uvicorn.Config(app, port=port, log_level="error", lifespan="off"))
    task = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110 - it tells nobody when it has started
        await asyncio.sleep(0.01)
    try:
        yield port
    finally:
        server.should_exit = True
        await task


def care_plan(number: int, day: int = 1, **changes: object) -> dict[str, Any]:
    return {
        "resourceType": "CarePlan", "id": f"c{number}", "status": "active", "title": "Zztitle",
        "meta": {"lastUpdated": f"2026-06-{day:02}T12:00:00.{number:03}Z"},
        "category": [{"coding": [{"system": "http://snomed.info/sct", "code": "736253002"}]}],
        "subject": {"reference": "Patient/p1"}, "period": {"start": "2026-05-04"}, **changes,
    }  # fmt: skip


@pytest.fixture
def server() -> FhirServer:
    patient = {"resourceType": "Patient", "id": "p1", "name": [{"family": "Example"}], "birthDate": "1938-04-12",
               "meta": {"lastUpdated": "2026-05-30T12:00:00Z"},
               "telecom": [{"system": "phone", "value": "07700 900101"}]}  # fmt: skip
    return FhirServer(patient)


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
        assert server.asked[1] == "waited 7"
        assert server.asked[3].startswith("waited ")

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

    async def test_the_notes_in_itk_reports_may_be_posted(self, door: httpx.AsyncClient, runs: PlanRuns) -> None:
        """Three reports of one person out of order: one plan, as of the newest."""
        headers = {"Authorization": f"Bearer {KEY}", "Content-Type": "application/xml"}
        body = (Path(__file__).parents[1] / "data/itk/three_reports_out_of_order.xml").read_bytes()
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


class TestSchedule:
    """Each source in its own time; one that fails stops no other."""

    async def test_a_failing_source_is_told_and_the_other_goes_on(self, runs: PlanRuns, clock: HandClock) -> None:
        health = Health(clock)
        broken = FolderSource(Path("/nowhere"), clock, system="Other", whole=False)
        day = timedelta(days=1)
        sources = [
            Scheduled(Sender("broken", "Other"), broken, 60, day),
            Scheduled(TRUST, Script([[[plan(101)]]]), 60, day),
        ]
        schedule = Schedule(sources, Exclusive(runs, MemoryLeases()), runs, clock, health)
        await schedule.step(60)
        parts = {part.name: (part.state, part.why) for part in health.parts()}
        assert parts == {
            "plan-source:broken": ("failed", "plan_source_refused"),
            "plan-source:trust": ("ok", ""),
        }
        before = len(await runs.runs())
        await schedule.step(0)  # none is due
        assert len(await runs.runs()) == before

    async def test_a_held_run_is_told_until_a_person_decides_and_a_source_that_is_late_too(
        self, runs: PlanRuns, clock: HandClock
    ) -> None:
        health = Health(clock)
        posts = Sender("posts", SYSTEM)
        day = timedelta(days=1)
        late = Sender("late", "Late")
        sources = [Scheduled(posts), Scheduled(late, Script([]), 60, day)]
        schedule = Schedule(sources, Exclusive(runs, MemoryLeases()), runs, clock, health)
        await runs.run(posts, Script([[[plan(101)]]]))
        (held,) = await runs.run(posts, Script([[[plan(101)]], [[gone(1, "P101")]]]))

        async def why() -> dict[str, str]:
            clock.move(seconds=61)
            await schedule.step(60)
            return {part.name: part.why for part in health.parts()}

        assert await why() == {"plan-source:posts": "run_held", "plan-source:late": ""}
        await runs.refuse(held.run.id)
        assert (await why())["plan-source:posts"] == ""
        sources[1].by_delivery = True  # it owes full lists, and none has come
        assert (await why())["plan-source:late"] == "stale"
        sources[1].source = Script([[[plan(102, source="Late")]]])
        assert (await why())["plan-source:late"] == ""
        clock.move(days=2)
        assert (await why())["plan-source:late"] == "stale"

    async def test_a_slow_source_stops_no_other_and_is_told_to_be_stale_while_it_is_read(
        self, runs: PlanRuns, clock: HandClock
    ) -> None:
        health, forever = Health(clock), asyncio.Event()

        class Slow:
            async def read(self, cursor: str) -> AsyncIterator[Batch]:
                await forever.wait()
                yield Batch((), cursor, first=True, last=True)

        day = timedelta(days=1)
        quick = Scheduled(TRUST, Script([[[plan(101)]]]), 60, day)
        sources = [Scheduled(Sender("slow", "Slow"), Slow(), 60, day), quick]
        schedule = Schedule(sources, Exclusive(runs, MemoryLeases()), runs, clock, health)
        running = asyncio.create_task(schedule.run())
        try:
            async with asyncio.timeout(60):
                while quick.due_s <= clock.monotonic():  # noqa: ASYNC110 - nothing tells of it
                    await asyncio.sleep(0.05)
                clock.move(seconds=61)
                while quick.due_s <= clock.monotonic():  # noqa: ASYNC110 - nor of this
                    await asyncio.sleep(0.05)
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
        parts = {part.name: part.why for part in health.parts()}
        assert parts == {"plan-source:slow": "stale", "plan-source:trust": ""}

    async def test_the_service_reads_the_sources_of_its_settings(self, tmp_path: Path) -> None:
        from callrouter.running import running
        from callrouter.settings import Settings
        from callrouter.wiring import build

        drop = tmp_path / "drop"
        drop.mkdir()
        (drop / "a.ndjson").write_text(json.dumps(dict(plan(101).values)))
        (drop / "a.ndjson.done").touch()
        file = tmp_path / "sources.yaml"
        file.write_text(
            f"sources:\n- {{kind: folder, name: trust, system: {SYSTEM}, folder: {drop}, delivers: changes}}\n"
        )
        settings = Settings(data_dir=tmp_path / "data", plan_sources_file=file)
        service = build(settings)
        await upgrade_database(service.database)
        async with running(service):
            async with asyncio.timeout(60):
                while not service.health.works("plan-source:trust"):  # noqa: ASYNC110 - the register tells no one
                    await asyncio.sleep(0.05)
            assert (await service.plans.match_number(read_number("07700 900101"))).people == 1


WRONG = {
    "unknown_key": ("colour: red", "2: sources.0.folder.colour: Extra inputs are not permitted"),
    "bad_name": ("name: Bad Name", "2: sources.0.folder.name: String should match pattern"),
    "no_folder": ("kind: push", "2: sources.0.push."),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_file_of_sources_is_refused_by_line(tmp_path: Path, case: str) -> None:
    line, cause = WRONG[case]
    fields = {"kind": "folder", "name": "trust", "system": "Demo", "folder": "/x", "delivers": "changes"}
    key, _, value = line.partition(": ")
    file = tmp_path / "sources.yaml"
    file.write_text("sources:\n- " + "\n  ".join(f"{k}: {v}" for k, v in (fields | {key: value}).items()) + "\n")
    with pytest.raises(SourceSettingsWrong) as raised:
        read_sources(file)
    assert cause.split(": ", 1)[1] in str(raised.value)


def test_the_name_of_what_is_imported_by_hand_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "sources.yaml"
    file.write_text("sources:\n- {kind: folder, name: import, system: Demo, folder: /x, delivers: changes}\n")
    with pytest.raises(SourceSettingsWrong, match=r":2: sources.0.name: import is taken"):
        read_sources(file)


def test_two_sources_of_one_name_or_system_are_refused(tmp_path: Path) -> None:
    one = "{kind: folder, name: trust, system: Demo, folder: /x, delivers: changes}"
    file = tmp_path / "sources.yaml"
    file.write_text(f"sources:\n- {one}\n- {one.replace('trust', 'other')}\n")
    with pytest.raises(SourceSettingsWrong, match=r":3: sources.1.system: Demo is taken"):
        read_sources(file)
