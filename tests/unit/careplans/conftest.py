"""A plan service on a SQLite file, rows to change one field of, and two people who look."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from plan_fixtures import GOOD, Desk, HandClock

from careplans.access.on_call import PlansOnCall
from careplans.audit.spool import AuditSpool
from careplans.audit.trail import AuditTrail
from careplans.model import Viewer
from careplans.rows import Row
from careplans.service import CarePlans
from careplans.store import metadata
from infra.crypto import KeyRing
from infra.sql import Database, connect_database


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def keyring() -> KeyRing:
    return KeyRing(b"m" * 32, b"i" * 32)


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    database = connect_database(f"sqlite:///{tmp_path}/plans.db")
    await database.write(metadata.create_all)
    yield database
    await database.close()


@pytest.fixture
def spool(tmp_path: Path) -> AuditSpool:
    return AuditSpool(tmp_path / "spool")


@pytest.fixture
def trail(database: Database, keyring: KeyRing, clock: HandClock, spool: AuditSpool) -> AuditTrail:
    return AuditTrail(database, keyring, clock, spool)


@pytest.fixture
def plans(database: Database, keyring: KeyRing, clock: HandClock, trail: AuditTrail) -> CarePlans:
    return CarePlans(database, keyring, clock, trail)


@pytest.fixture
def desk(plans: CarePlans, clock: HandClock) -> Desk:
    return Desk(plans, clock)


@pytest.fixture
def on_call(database: Database, keyring: KeyRing, clock: HandClock, trail: AuditTrail, desk: Desk) -> PlansOnCall:
    return PlansOnCall(database, keyring, clock, trail, desk)


@pytest.fixture
async def broken_plans(tmp_path: Path, keyring: KeyRing, clock: HandClock) -> AsyncIterator[CarePlans]:
    """A service whose database answers every query with an error: it has no tables."""
    database = connect_database(f"sqlite:///{tmp_path}/empty.db")
    yield CarePlans(database, keyring, clock)
    await database.close()


@pytest.fixture
def row() -> Callable[..., Row]:
    """``row(line, field=value, …)``: a good row with some fields changed; a field set to ``...`` is absent."""

    def make(line: int = 2, **changes: Any) -> Row:
        values = GOOD | changes
        return Row(line, {name: value for name, value in values.items() if value is not ...})

    return make


@pytest.fixture
def handler() -> Viewer:
    return Viewer("hannah", "handler")


@pytest.fixture
def clinician() -> Viewer:
    return Viewer("clive", "clinician")
