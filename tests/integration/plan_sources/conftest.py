"""A store of its own, and a FHIR server, for every test of a source."""

from __future__ import annotations

import pytest

from careplans.sources.runs import PlanRuns
from infra.crypto import KeyRing
from infra.sql import Database
from tests.fhir_server import FhirServer
from tests.plan_world import HandClock

KEYS = KeyRing(b"m" * 32, b"i" * 32)


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def database(sqlite: Database) -> Database:
    return sqlite


@pytest.fixture
def runs(database: Database, clock: HandClock) -> PlanRuns:
    return PlanRuns(database, KEYS, clock)


@pytest.fixture
def server() -> FhirServer:
    patient = {"resourceType": "Patient", "id": "p1", "name": [{"family": "Example"}], "birthDate": "1938-04-12",
               "meta": {"lastUpdated": "2026-05-30T12:00:00Z"},
               "telecom": [{"system": "phone", "value": "07700 900101"}]}  # fmt: skip
    return FhirServer(patient)
