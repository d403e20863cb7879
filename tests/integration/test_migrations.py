"""The migrations make exactly the tables that the packages declare, go both ways, and keep every row."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, text

import alerts.figures.history_tables
import alerts.life.store
import alerts.surges.tables
import callrouter.call_backs.tables
import callrouter.journal
import callrouter.messages.tables
import callrouter.publishing.tables
import callrouter.recordings.tables
import callrouter.repeat.tables
import callrouter.replay.tables
import callrouter.texts.tables
import callrouter.welfare.tables
import careplans.crew_tables
import careplans.sources.tables
import careplans.store
import infra.revisions
from callrouter.journal import Journal
from careplans.audit.verify import verify
from infra.bus import Entry
from infra.crypto import KeyRing
from infra.migrate import downgrade_database, is_up_to_date, upgrade_database
from infra.partitions import months_from
from infra.sql import Database, connect_database
from tests.postgres import Postgres

HEAD = "0050"
OWNERS = (
    callrouter.journal, callrouter.repeat.tables, callrouter.welfare.tables, callrouter.publishing.tables,
    callrouter.messages.tables, callrouter.texts.tables, careplans.store, careplans.sources.tables, alerts.life.store,
    alerts.surges.tables, alerts.figures.history_tables, infra.revisions,
    callrouter.call_backs.tables, callrouter.recordings.tables,
)  # fmt: skip
DECLARED = [each.metadata for each in OWNERS]
KEYS = KeyRing(b"m" * 32, b"i" * 32)
MONTHS = [datetime(2025, 11, 30, 23, 59, 59, 999_999, tzinfo=UTC), datetime(2025, 12, 1, tzinfo=UTC),
          datetime(2026, 2, 28, 12, tzinfo=UTC)]  # fmt: skip


@pytest.fixture(params=["sqlite", "postgresql"])
async def database(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Database]:
    url = f"sqlite:///{tmp_path}/new.db"
    if request.param == "postgresql":
        server: Postgres = request.getfixturevalue("postgres")
        url = server.new_database()
    database = connect_database(url)
    yield database
    await database.close()


def differences(connection: Connection) -> list[object]:
    def is_ours(_item: object, name: str | None, kind: str, _reflected: bool, _other: object) -> bool:
        return not (kind == "table" and str(name).startswith("journal_"))  # the journal's partitions

    options = {"target_metadata": DECLARED, "include_object": is_ours}
    return list(compare_metadata(MigrationContext.configure(connection, opts=options), DECLARED))  # type: ignore[arg-type]


def entries(call_ref: str, *times: datetime) -> list[Entry]:
    return [Entry(call_ref, seq, at, "node_entered", {"node": "menu"}) for seq, at in enumerate(times, 1)]


async def rows(database: Database) -> list[tuple[object, ...]]:
    query = text("SELECT call_ref, seq, kind FROM journal ORDER BY call_ref, seq")
    return [tuple(row) for row in await database.read(lambda connection: connection.execute(query).all())]


async def partitions(database: Database) -> dict[str, int]:
    """The partitions of the journal that hold rows, and how many."""
    query = text(
        "SELECT c.relname, (xpath('/row/n/text()', query_to_xml('SELECT count(*) AS n FROM ' || c.relname,"
        " false, true, '')))[1]::text::int FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid"
        " WHERE i.inhparent = 'journal'::regclass"
    )
    found = await database.read(lambda connection: connection.execute(query).all())
    return {row[0]: row[1] for row in found if row[1]}


async def test_a_migrated_database_has_every_declared_table_and_no_other(database: Database) -> None:
    assert not await is_up_to_date(database)
    await upgrade_database(database)
    assert await is_up_to_date(database)
    assert await database.read(differences) == []


async def test_up_down_and_up_again_keeps_every_row(database: Database) -> None:
    await upgrade_database(database)
    await Journal(database, KEYS).write(entries("one", *MONTHS))
    kept = await rows(database)
    assert len(kept) == 3
    assert await downgrade_database(database, "0001") == (HEAD, "0001")
    assert not await is_up_to_date(database)
    assert await rows(database) == kept
    assert await upgrade_database(database) == ("0001", HEAD)
    assert await rows(database) == kept
    assert await database.read(differences) == []


async def test_all_the_way_down_leaves_nothing_and_up_again_works(database: Database) -> None:
    await upgrade_database(database)
    assert await downgrade_database(database, "base") == (HEAD, None)
    assert await upgrade_database(database) == (None, HEAD)


async def test_a_revision_that_nobody_knows_is_refused(database: Database) -> None:
    await upgrade_database(database)
    with pytest.raises(ValueError, match="no revision 9999"):
        await downgrade_database(database, "9999")
    assert await is_up_to_date(database)


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
async def test_rows_from_before_come_into_their_months(database: Database) -> None:
    await upgrade_database(database)
    await downgrade_database(database, "0001")
    await Journal(database, KEYS).write(entries("one", *MONTHS))
    await upgrade_database(database)
    assert await partitions(database) == {"journal_2025_11": 1, "journal_2025_12": 1, "journal_2026_02": 1}


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
async def test_no_entry_is_refused_and_a_month_made_later_takes_its_own(database: Database) -> None:
    await upgrade_database(database)
    journal = Journal(database, KEYS)
    await journal.write(entries("one", *MONTHS))
    assert await partitions(database) == {"journal_default": 3}
    made = await journal.make_months(MONTHS[1])
    assert made == ["journal_2025_12", "journal_2026_01", "journal_2026_02"]
    assert await partitions(database) == {"journal_default": 1, "journal_2025_12": 1, "journal_2026_02": 1}
    assert await journal.make_months(MONTHS[1]) == []
    await journal.write(entries("one", *MONTHS))  # what comes again is still there once
    assert len(await rows(database)) == 3


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
async def test_a_new_database_has_this_month_and_the_next_two(database: Database) -> None:
    await upgrade_database(database)
    assert await Journal(database, KEYS).make_months(datetime.now(UTC)) == []


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
async def test_sqlite_has_no_months_to_make(database: Database) -> None:
    await upgrade_database(database)
    assert await Journal(database, KEYS).make_months(MONTHS[0]) == []


def test_months_are_counted_in_utc_over_the_end_of_a_year() -> None:
    assert months_from(datetime.fromisoformat("2025-12-01T00:30:00+01:00"), 3) == [
        datetime(2025, 11, 1, tzinfo=UTC), datetime(2025, 12, 1, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=UTC),
    ]  # fmt: skip


async def test_views_from_before_are_the_first_entries_of_the_audit(database: Database) -> None:
    await upgrade_database(database)
    await downgrade_database(database, "0004")
    view = (
        "INSERT INTO plan_views (id, at, viewer, role, call_ref, attempt, plan, what) VALUES"
        " ({id}, '2026-03-29 0{hour}:30:00.5', 'aa', 'handler', 'c', 'dd', {plan}, 'checked_wrong')"
    )
    for number, plan in ((3, "NULL"), (7, "'ee'")):
        statement = view.format(id=number, hour=number, plan=plan)
        await database.write(lambda connection, statement=statement: connection.exec_driver_sql(statement))  # type: ignore[misc]
    await upgrade_database(database)
    now = datetime(2026, 3, 29, 7, 31, tzinfo=UTC)
    verdict = await database.read(lambda connection: verify(connection, [], [], now))
    assert (verdict.length, verdict.faults) == (2, [])
    plans = text("SELECT plan, what FROM plan_audit ORDER BY seq")
    found = await database.read(lambda connection: [tuple(row) for row in connection.execute(plans)])
    assert found == [(None, "checked_wrong"), ("ee", "checked_wrong")]
    await downgrade_database(database, "0004")
    kept = text("SELECT count(*) FROM plan_views")
    assert await database.read(lambda connection: connection.execute(kept).scalar_one()) == 2
