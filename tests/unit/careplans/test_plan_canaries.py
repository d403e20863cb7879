"""Nothing of a plan or a viewer lies anywhere in clear: database files, log, command output."""

from __future__ import annotations

import asyncio
import csv
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import date
from pathlib import Path

import pytest
from plan_fixtures import GOOD, Desk, HandClock, runs_on
from typer.testing import CliRunner

from careplans.access.on_call import PlansOnCall
from careplans.audit.spool import AuditSpool
from careplans.audit.tables import plan_audit
from careplans.audit.trail import AuditTrail
from careplans.cli import plan_app
from careplans.errors import CarePlanError
from careplans.model import Viewer
from careplans.rows import COLUMNS
from careplans.service import CarePlans
from careplans.store import metadata
from infra.crypto import KeyRing
from infra.sql import connect_database

CANARIES = {
    "plan_id": "Zzcanary-plan-id",
    "nhs_number": "9990000204",
    "given_name": "Zzcanarygiven",
    "family_name": "Zzcanaryfamily",
    "date_of_birth": "1951-02-03",
    "phones": "07700900987",
    "handler_line": "Zzcanary handler line",
    "detail": "Zzcanary detail",
}
USER = "zzcanary.user"
WORDS = (*CANARIES.values(), USER, "447700900987", "7700900987", "19510203", "03/02/1951", "Zzcanarybad")


def write_file(path: Path) -> None:
    good = GOOD | CANARIES
    bad = good | {
        "plan_id": "Zzcanarybad",
        "date_of_birth": "Zzcanarybad",
        "phones": "Zzcanarybad",
        "kind": "Zzcanarybad",
    }
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows([good, good | {"version": 9}, bad])


async def work_through(on_call: PlansOnCall, desk: Desk) -> int:
    """Look-ups, right and wrong checks, refusals; how many plans were opened."""
    opened = 0
    for role in ("handler", "clinician", "commissioner"):
        viewer = Viewer(USER, role)
        call = await desk.ring(f"call-{role}", CANARIES["phones"])
        for day in (date(1951, 2, 3), *[date(1951, 2, 4)] * 6):
            with suppress(CarePlanError):
                opened += len(await on_call.open_by_birth_date(call, day, viewer))
        with suppress(CarePlanError):
            opened += len(await on_call.open_checked(call, viewer))
    return opened


def assert_clean(what: str, octets: bytes) -> None:
    for word in WORDS:
        for encoding in ("utf-8", "utf-16-le"):
            assert word.lower().encode(encoding) not in octets.lower(), f"{word} in {what}"


def test_no_canary_is_found(
    tmp_path: Path,
    keyring: KeyRing,
    clock: HandClock,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    store = tmp_path / "store"
    store.mkdir()

    @asynccontextmanager
    async def open_service() -> AsyncIterator[CarePlans]:
        database = connect_database(f"sqlite:///{store}/plans.db")
        await database.write(metadata.create_all)
        try:
            yield CarePlans(database, keyring, clock)
        finally:
            await database.close()

    async def look_and_open(*, record: bool) -> int:
        async with open_service() as plans:
            if not record:
                database = connect_database(f"sqlite:///{store}/plans.db")
                await database.write(plan_audit.drop)
                await database.close()
            opener = connect_database(f"sqlite:///{store}/plans.db")
            desk = Desk(plans, clock)
            trail = AuditTrail(opener, keyring, clock, AuditSpool(store))
            opened = await work_through(PlansOnCall(opener, keyring, clock, trail, desk), desk)
            await opener.close()
            for file in store.iterdir():  # while open: the write-ahead log is there too
                assert_clean(file.name, file.read_bytes())
            return opened

    write_file(tmp_path / "zz.csv")
    app = plan_app(open_service, runs_on(f"sqlite:///{store}/plans.db", keyring, clock))
    printed = [CliRunner().invoke(app, ["import", str(tmp_path / "zz.csv")]).output]
    printed.append(CliRunner().invoke(app, ["lookup", CANARIES["phones"], "--json"]).output)
    assert "1 imported, 1 updated" in printed[0]
    assert '"outcome": "candidates"' in printed[1]
    assert asyncio.run(look_and_open(record=True)) == 3
    assert asyncio.run(look_and_open(record=False)) == 3
    captured = capfd.readouterr()
    assert "audit_entry_spooled" in captured.out
    for what, text in (("output", "".join(printed)), ("stdout", captured.out), ("stderr", captured.err)):
        assert_clean(what, text.encode())
    assert_clean("log", caplog.text.encode())
