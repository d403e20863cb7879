"""A FHIR server on loopback for the tests: pages, ETag, and the faults that it is told."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import uvicorn
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response
from starlette.middleware.base import RequestResponseEndpoint

from careplans.sources.fhir_http import FhirSource
from careplans.sources.fhir_recheck import Recheck
from tests.canaries import look_through
from tests.running import free_port

_OF_ANYBODY = frozenset({"patient", "subject"})
INCLUDES = {
    "CarePlan": _OF_ANYBODY, "Flag": _OF_ANYBODY, "DocumentReference": _OF_ANYBODY, "Consent": frozenset({"patient"}),
}  # fmt: skip
"""By resource, the search parameters of FHIR R4 that lead to the patient; a server refuses any other."""


@dataclass
class FhirServer:
    """Answers searches as a FHIR server does: pages, ETag, `_lastUpdated`, `_include`, and the faults it is told."""

    patient: dict[str, Any]
    plans: list[dict[str, Any]] = field(default_factory=list)
    faults: list[Response] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    page: int = 2
    next_host: str | None = None
    missing_status: int = 410
    deleted: dict[str, str] = field(default_factory=dict)
    """What its history tells: when which id was deleted."""
    chains: int = 200
    """The status with which it answers a search by what a patient is like: some servers know none."""
    lenient: bool = False
    """It passes such a search over and says so in the bundle, as FHIR R4 lets it (Search, handling errors)."""

    def app(self) -> FastAPI:
        app = FastAPI()

        @app.middleware("http")
        async def looked_through(request: Request, answer: RequestResponseEndpoint) -> Response:
            look_through("the FHIR server", str(request.url), request.headers)
            return await answer(request)

        @app.get("/fhir/{resource}")
        async def search(resource: str, request: Request) -> Response:
            self.asked.append(str(request.url.query))
            if self.faults:
                return self.faults.pop(0)
            if request.headers.get("authorization") != "Bearer secret":
                outcome = {"resourceType": "OperationOutcome", "issue": [{"code": "login", "diagnostics": "Zzname"}]}
                return JSONResponse(outcome, status_code=401)
            kept = [each for each in self.plans if each["resourceType"] == resource]
            if ids := request.query_params.get("_id"):
                entry = [{"resource": each} for each in kept if each["id"] in ids.split(",")][: self.page]
                return JSONResponse({"resourceType": "Bundle", "type": "searchset", "entry": entry})
            if request.query_params["_include"] not in {f"{resource}:{each}" for each in INCLUDES[resource]}:
                return JSONResponse({"resourceType": "OperationOutcome"}, status_code=400)
            by_patient = request.query_params.get("subject:Patient._lastUpdated")
            if by_patient is not None and self.chains != 200:
                outcome = {"resourceType": "OperationOutcome", "issue": [{"code": "not-supported"}]}
                return JSONResponse(outcome, status_code=self.chains)
            if by_patient is not None and self.lenient:
                found = kept
            elif by_patient is not None:
                is_changed = self.patient["meta"]["lastUpdated"] >= by_patient.removeprefix("ge")
                found = kept if is_changed else []
            else:
                since = request.query_params.get("_lastUpdated", "ge").removeprefix("ge")
                found = [each for each in kept if each["meta"]["lastUpdated"] >= since]
            etag = hashlib.sha256(json.dumps(found).encode()).hexdigest()
            if request.headers.get("if-none-match") == etag:
                return Response(status_code=304)
            start = int(request.query_params.get("start", 0))
            body: dict[str, Any] = {"resourceType": "Bundle", "type": "searchset", "link": []}
            body["entry"] = [
                {"resource": each, "search": {"mode": "match"}} for each in found[start : start + self.page]
            ]
            body["entry"].append({"resource": self.patient, "search": {"mode": "include"}})
            if by_patient is not None and self.lenient:
                outcome = {
                    "resourceType": "OperationOutcome",
                    "issue": [{"severity": "warning", "code": "not-supported"}],
                }
                body["entry"].append({"resource": outcome, "search": {"mode": "outcome"}})
            if start + self.page < len(found):
                after = str(request.url.include_query_params(start=start + self.page))
                url = after if self.next_host is None else after.replace(str(request.url.hostname), self.next_host)
                body["link"].append({"relation": "next", "url": url})
            return JSONResponse(body, headers={"ETag": etag})

        @app.get("/fhir/{resource}/_history")
        async def history(resource: str, request: Request) -> Response:
            self.asked.append(f"history {request.url.query}")
            since = request.query_params.get("_since", "")
            entry: list[dict[str, Any]] = [
                {"request": {"method": "DELETE", "url": f"{resource}/{its_id}"}, "response": {"lastModified": at}}
                for its_id, at in self.deleted.items() if at >= since
            ]  # fmt: skip
            kept = [each for each in self.plans if each["resourceType"] == resource]
            entry += [{"request": {"method": "PUT"}, "resource": each} for each in kept]
            return JSONResponse({"resourceType": "Bundle", "type": "history", "entry": entry})

        @app.get("/fhir/{resource}/{its_id}")
        async def read(resource: str, its_id: str) -> Response:
            self.asked.append(its_id)
            found = [each for each in self.plans if (each["resourceType"], each["id"]) == (resource, its_id)]
            return JSONResponse(found[0]) if found else Response(status_code=self.missing_status)

        return app

    def source(
        self,
        port: int,
        token: str = "secret",
        recheck: Recheck | None = None,
        resources: Sequence[str] = ("CarePlan",),
        history: bool = False,
    ) -> FhirSource:
        async def no_wait(wait_s: float) -> None:
            self.asked.append(f"waited {wait_s:g}")

        url = f"http://127.0.0.1:{port}/fhir"
        return FhirSource(url, resources, "Demo Trust", lambda: token, recheck=recheck, history=history, sleep=no_wait)


@asynccontextmanager
async def served(app: FastAPI) -> AsyncIterator[int]:
    port = free_port()
    server = uvicorn.Server(uvicorn.Config(app, port=port, log_level="error", lifespan="off", date_header=False))
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
