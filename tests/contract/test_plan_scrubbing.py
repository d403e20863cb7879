"""Keys of what was destroyed otherwise than by erasing a plan lie nowhere in the database's files afterwards."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Column, select
from structlog.testing import capture_logs

from careplans.erasing import WhyErased, WhyHeld
from careplans.scrubbing import LEFT, OUT, TRIES, WAITING
from careplans.sources.discards import WhyDiscarded
from careplans.sources.model import Sender
from careplans.sources.runs import PlanRuns
from careplans.sources.tables import plan_quarantine
from careplans.tables import plan_held_versions, plans
from infra.numbers import read_number
from infra.sql import Database, connect_database
from tests.plan_records_world import GOVERNOR, KEYS, World, plan
from tests.plan_world import SYSTEM, Script
from tests.plan_world import plan as row
from tests.postgres import Postgres

Octets = Callable[[], bytes]


@pytest.fixture
def world(database: Database) -> World:
    return World(database)


@pytest.fixture
def octets(database: Database, request: pytest.FixtureRequest, tmp_path: Path) -> Octets:
    """What lies in the files of the database's tables now."""

    def of_sqlite() -> bytes:
        return (tmp_path / "migrated.db").read_bytes() + (tmp_path / "migrated.db-wal").read_bytes()

    def of_postgresql() -> bytes:
        server: Postgres = request.getfixturevalue("postgres")
        server.sql("CHECKPOINT")
        oid = server.sql("SELECT oid FROM pg_database WHERE datname = current_database()", server.last_url)
        return b"".join(each.read_bytes() for each in (server.data / "base" / oid).iterdir() if each.is_file())

    return of_sqlite if database.dialect == "sqlite" else of_postgresql


async def keys_of(world: World, row_id: Column[str], key: Column[bytes]) -> dict[str, bytes]:
    rows = await world.database.read(lambda c: c.execute(select(row_id, key)).all())
    return {each: bytes(wrapped) for each, wrapped in rows}


async def unread(world: World) -> tuple[PlanRuns, dict[str, bytes]]:
    """Ten records that cannot be read, and the key of each."""
    runs = PlanRuns(world.database, KEYS, world.clock)
    rows = [row(at, f"P{at}", kind="?") for at in range(10)]
    await runs.run(Sender("trust", SYSTEM), Script([[rows]]))
    return runs, await keys_of(world, plan_quarantine.c.id, plan_quarantine.c.wrapped_key)


@pytest.mark.parametrize("which", [0, 9], ids=["first", "newest"])
async def test_a_record_that_somebody_discarded(world: World, octets: Octets, which: int) -> None:
    runs, keys = await unread(world)
    in_order = sorted(await runs.quarantined(), key=lambda each: each.line)
    gone = in_order[which].id
    assert await runs.discard(gone, WhyDiscarded.SEEN_TO, GOVERNOR)
    left = octets()
    assert [each for each, key in keys.items() if key not in left] == [gone]


async def test_what_was_kept_for_a_legal_hold_that_was_lifted(world: World, octets: Octets) -> None:
    for version in range(1, 4):
        await world.write(plan(version=version), plan("P2", version=version))
        for each in await world.ids() if version == 1 else ():
            await world.records.hold(each, WhyHeld.CLAIM, GOVERNOR)
    lifted, stays = await world.ids()
    of = {each: await kept_for(world, each) for each in (lifted, stays)}
    await world.records.lift(lifted, GOVERNOR)
    left = octets()
    assert (len(of[lifted]), [key for key in of[lifted] if key in left]) == (2, [])
    assert [key for key in of[stays] if key not in left] == []


async def kept_for(world: World, plan_id: str) -> list[bytes]:
    c = plan_held_versions.c
    query = select(c.wrapped_key).where(c.plan == plan_id)
    return [bytes(each) for each in await world.database.read(lambda d: d.execute(query).scalars().all())]


@pytest.mark.parametrize("database_kind", ["sqlite"])
async def test_what_a_newer_version_replaced_is_gone_with_the_next_plan_that_is_erased(
    world: World, octets: Octets
) -> None:
    await world.write(plan())
    (before,) = (await keys_of(world, plans.c.id, plans.c.wrapped_key)).values()
    await world.write(plan(version=4), plan("P2"))
    one, _ = await world.ids()
    await world.records.erase([one], WhyErased.WRONG_PERSON, GOVERNOR)
    assert before not in octets()


@pytest.fixture
async def erased_beside_a_reader(world: World, tmp_path: Path) -> AsyncIterator[tuple[bytes, sqlite3.Connection]]:
    """The key of a plan that was erased while somebody read, and the reader."""
    await world.write(plan())
    await world.database.scrub(["plans"])
    ((erased, key),) = (await keys_of(world, plans.c.id, plans.c.wrapped_key)).items()
    await world.write(plan("P2"))
    with closing(sqlite3.connect(tmp_path / "migrated.db", isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM plans").fetchall()
        with capture_logs() as logs:
            assert await world.records.erase([erased], WhyErased.WRONG_PERSON, GOVERNOR) == 1
        assert [(each["event"], each["error"]) for each in logs] == [("erased_rows_not_scrubbed", "LogNotCut")]
        yield key, reader


@pytest.mark.parametrize("database_kind", ["sqlite"])
async def test_a_reader_that_keeps_the_log_is_told_of_and_the_next_write_after_it_cuts_it(
    world: World, octets: Octets, erased_beside_a_reader: tuple[bytes, sqlite3.Connection]
) -> None:
    key, reader = erased_beside_a_reader
    await world.write(plan("P3"))
    assert key in octets()
    reader.execute("COMMIT")
    await world.write(plan("P4"))
    assert key not in octets()


@pytest.mark.parametrize("database_kind", ["sqlite"])
@pytest.mark.parametrize("reads_on", [False, True], ids=["who goes", "who stays"])
async def test_a_command_waits_for_the_reader_and_says_how_it_ended(
    world: World, octets: Octets, erased_beside_a_reader: tuple[bytes, sqlite3.Connection], reads_on: bool
) -> None:
    key, reader = erased_beside_a_reader
    told, pauses = list[str](), list[float]()

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 3 and not reads_on:
            reader.execute("COMMIT")

    await world.records.scrubber.wait_for_readers(told.append, sleep)
    assert (told, len(pauses)) == (([WAITING, LEFT], TRIES) if reads_on else ([WAITING, OUT], 3))
    assert (key in octets()) == reads_on


@pytest.mark.parametrize("database_kind", ["sqlite"])
async def test_a_service_takes_out_within_the_hour_what_a_command_had_to_leave(
    world: World, octets: Octets, erased_beside_a_reader: tuple[bytes, sqlite3.Connection], tmp_path: Path
) -> None:
    key, reader = erased_beside_a_reader
    service = World(connect_database(f"sqlite:///{tmp_path}/migrated.db"))
    await service.plans.match_number(read_number("07700 900101"))  # it has the file open from before
    reader.execute("COMMIT")
    assert key in octets()
    await service.records.step(0)
    assert key not in octets()
    await service.database.close()


async def test_a_record_whose_time_is_over(world: World, octets: Octets) -> None:
    _, old = await unread(world)
    world.clock.at += timedelta(days=6)
    await PlanRuns(world.database, KEYS, world.clock).run(Sender("other", "Other"), Script([[[row(1, kind="?")]]]))
    assert await world.records.end_those_over() == len(old)
    left = octets()
    assert [each for each, key in old.items() if key in left] == []
