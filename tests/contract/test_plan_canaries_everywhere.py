"""Nothing of a patient or a viewer lies in clear in any table, index, file, log, error or backup, whatever is done.

A word that stands in clear on purpose (the author organisation) is looked for in the same places, and must be there:
a search that finds nothing at all would find no canary either.
"""

from __future__ import annotations

import logging
import shutil
import subprocess
import traceback
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from sqlalchemy import inspect, text
from sqlalchemy.exc import SQLAlchemyError

from careplans.access.on_call import PlansOnCall
from careplans.access.ports import MatchedCall
from careplans.audit.trail import AuditTrail
from careplans.erasing import WhyErased, WhyHeld
from careplans.kinds import PlanKind
from careplans.model import MatchLevel, Person, Plan, Viewer
from careplans.records import PlanRecords
from careplans.rotation import Rotation
from careplans.sealing import Sealer
from careplans.service import CarePlans
from careplans.withdrawing import Withdrawal, withdraw_plans
from careplans.writing import write_plans
from infra.crypto import KeyRing
from infra.numbers import read_number
from infra.sql import Database
from tests.hand_clock import HandClock
from tests.postgres import Postgres, find_binaries

OLD = KeyRing(b"m" * 32, b"i" * 32)
BOTH = KeyRing(b"n" * 32, b"j" * 32, [(b"m" * 32, b"i" * 32)])
NOW = datetime(2026, 6, 15, 12, tzinfo=UTC)
BORN = date(1951, 2, 3)
USER = "zzcanary.user"
PATIENT = Person("Zzcanarygiven", "Zzcanaryfamily", BORN, "9990000204", ("+447700900987",))
CANARY = Plan(
    "Zzcanary-plan-id", "Demo Trust", "Zzcontrol Hospice", PlanKind.CRISIS, PATIENT, "Zzcanary line", "Zzcanary detail",
    date(2026, 5, 4), None, 1,
)  # fmt: skip
WORDS = (
    "zzcanary", "9990000204", "7700900987", "1951-02-03", "19510203", "03/02/1951", "date(1951", "zzgiven",
)  # fmt: skip
CONTROL = "zzcontrol"


class OneCall:
    """A call from the canary's number."""

    def __init__(self, plans: CarePlans) -> None:
        self._plans = plans

    async def by_context(self, context: str) -> MatchedCall | None:
        match = await self._plans.match_number(read_number("07700 900987"))
        return MatchedCall(context, tuple(each.plan_id for each in match.candidates), None)


def canaries_in(octets: bytes) -> list[str]:
    small = octets.lower()
    return [word for word in WORDS for code in ("utf-8", "utf-16-le") if word.encode(code) in small]


async def work_everything(database: Database, drafts: Path) -> list[str]:
    """Every use of the store, with failures; the texts of what was raised."""
    trail = AuditTrail(database, OLD, HandClock(NOW))
    plans, records = CarePlans(database, OLD, HandClock(NOW), trail), PlanRecords(database, OLD, HandClock(NOW), trail)
    others = [replace(CANARY, plan_id=f"Zzcanary-{at}", version=2, detail=f"Zzcanary {at}") for at in range(12)]
    await write(database, OLD, CANARY, *others)
    viewer, clinician = Viewer(USER, "handler"), Viewer(USER, "clinician")
    on_call = PlansOnCall(database, OLD, HandClock(NOW), trail, OneCall(plans))
    assert len(await on_call.open_by_birth_date("call-1", BORN, viewer)) == 13
    assert await on_call.open_by_birth_date("call-1", date(1951, 2, 4), viewer) == ()
    assert len(await on_call.open_checked("call-1", clinician)) == 13
    match = await plans.assert_birth_date(read_number("07700 900987"), BORN, "call-1", keyed=True)
    assert match.outcome is MatchLevel.ASSERTED
    assert (await plans.find_by_nhs_number("9990000204")).people == 1
    assert (await plans.find_by_name("Zzcanaryfamily", BORN)).people == 1
    gone, held, *_ = [each.plan_id for each in match.candidates]
    await records.hold(held, WhyHeld.CLAIM, Viewer(USER, "administrator"))
    await records.export(held, drafts, Viewer(USER, "administrator"))
    await records.erase([gone], WhyErased.REQUEST, Viewer(USER, "administrator"))
    assert (await Rotation(database, BOTH).run()).settled
    left = [Withdrawal("Zzcanary-3", 2), Withdrawal("Zzcanary-never", 9)]
    await database.write(lambda c: withdraw_plans(c, Sealer(BOTH), "Demo Trust", left, NOW))
    return await fail(database)


async def fail(database: Database) -> list[str]:
    """The same work on a database that refuses it, by a missing table and by a row that is there already."""
    said = []
    newer = [replace(CANARY, plan_id=f"Zzcanary-{at}", version=5) for at in range(30)]
    twice = "INSERT INTO plan_holds SELECT plan, since, reason, by FROM plan_holds"
    for harm, repair in (
        ("ALTER TABLE plan_numbers RENAME TO away", "ALTER TABLE away RENAME TO plan_numbers"),
        ("CREATE UNIQUE INDEX harm ON plans (author_org)", "DROP INDEX harm"),
    ):
        try:
            await database.write(lambda c, harm=harm: c.execute(text(harm)))
            await write(database, BOTH, *newer)
        except SQLAlchemyError as error:
            said += traceback.format_exception(error)
        else:
            await database.write(lambda c, repair=repair: c.execute(text(repair)))
            raise AssertionError("nothing failed")
        try:
            await database.write(lambda c: c.execute(text(twice)))
        except SQLAlchemyError as error:
            said += traceback.format_exception(error)
        if "RENAME" in repair:
            await database.write(lambda c, repair=repair: c.execute(text(repair)))
    return said


async def write(database: Database, keys: KeyRing, *new: Plan) -> None:
    await database.write(lambda c: write_plans(c, Sealer(keys), new, NOW))


async def rows(database: Database) -> str:
    """Every value of every table that there is."""

    def read(connection: object) -> str:
        tables = inspect(connection).get_table_names()  # type: ignore[attr-defined]
        found = {name: connection.execute(text(f"SELECT * FROM {name}")).all() for name in tables}  # type: ignore[attr-defined]
        assert {"plans", "ended_plans", "plan_numbers", "plan_audit", "plan_holds"} <= set(tables)
        return repr({name: [tuple(map(readable, row)) for row in all_] for name, all_ in found.items()})

    return await database.read(read)


def readable(value: object) -> object:
    return bytes(value) if isinstance(value, memoryview) else value


WAL_FILE = 16 * 1024 * 1024
"""Octets of a file of the write-ahead log, unless initdb is told otherwise."""


def place_in_log(server: Postgres) -> int:
    """How far the server's write-ahead log has come, octets."""
    return int(server.sql("SELECT pg_current_wal_insert_lsn() - '0/0'"))


def log_since(server: Postgres, begun: int) -> bytes:
    """What the server has written to its log since then: before stands what other tests wrote."""
    server.sql("CHECKPOINT")
    ended = place_in_log(server)
    found = b""
    while begun < ended:
        name = server.sql(f"SELECT pg_walfile_name('0/0'::pg_lsn + {begun} + 1)")
        first, last = begun % WAL_FILE, min(begun % WAL_FILE + ended - begun, WAL_FILE)
        found += (server.data / "pg_wal" / name).read_bytes()[first:last]
        begun += last - first
    return found


def backups(database: Database, folder: Path, request: pytest.FixtureRequest, begun: int) -> list[Path]:
    """What lies on the disk of this database, with its log since it had come to ``begun``, and a backup of it."""
    if database.dialect == "sqlite":
        file = folder / "migrated.db"
        both = folder / "file and log"
        both.write_bytes(file.read_bytes() + file.with_name("migrated.db-wal").read_bytes())
        found = [both]
        if shutil.which("sqlite3"):
            copy, dump = folder / "backup.db", folder / "dump.sql"
            subprocess.run(["sqlite3", file, f".backup {copy}"], check=True)
            dump.write_bytes(subprocess.run(["sqlite3", file, ".dump"], check=True, capture_output=True).stdout)
            found += [copy, dump]
        return found
    server: Postgres = request.getfixturevalue("postgres")
    url = server.last_url
    log = folder / "write-ahead log"
    log.write_bytes(log_since(server, begun))
    dump = folder / "dump.sql"
    subprocess.run([find_binaries() / "pg_dump", "-f", dump, url], check=True)
    oid = server.sql("SELECT oid FROM pg_database WHERE datname = current_database()", url)
    tables = b"".join(each.read_bytes() for each in (server.data / "base" / oid).iterdir() if each.is_file())
    (folder / "tables").write_bytes(tables)
    return [dump, folder / "tables", log]


async def test_no_canary_is_found_anywhere(
    database: Database,
    tmp_path: Path,
    request: pytest.FixtureRequest,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    (tmp_path / "drafts").mkdir()  # which hold everything, and are not looked at
    begun = place_in_log(request.getfixturevalue("postgres")) if database.dialect == "postgresql" else 0
    said = "".join(await work_everything(database, tmp_path / "drafts"))
    assert "Error" in said
    assert canaries_in(said.encode()) == []
    stored = await rows(database)
    assert CONTROL in stored.lower()
    assert canaries_in(stored.encode()) == []
    for file in backups(database, tmp_path, request, begun):
        octets = file.read_bytes()
        assert CONTROL.encode() in octets.lower(), file.name
        assert canaries_in(octets) == [], file.name
    if database.dialect == "postgresql":
        server: Postgres = request.getfixturevalue("postgres")
        assert canaries_in(server.log.read_bytes()) == []
    captured = capfd.readouterr()
    assert canaries_in((captured.out + captured.err + caplog.text).encode()) == []
