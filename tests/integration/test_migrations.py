"""The migrations make exactly the tables that the packages declare."""

from __future__ import annotations

from pathlib import Path

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection

import alerts.store
import callrouter.journal
import callrouter.repeat
import careplans.store
from infra.migrate import is_up_to_date, upgrade_database
from infra.sql import connect_database

DECLARED = [each.metadata for each in (callrouter.journal, callrouter.repeat, careplans.store, alerts.store)]


def differences(connection: Connection) -> list[object]:
    context = MigrationContext.configure(connection, opts={"target_metadata": DECLARED})
    return list(compare_metadata(context, DECLARED))  # type: ignore[arg-type]


async def test_a_migrated_database_has_every_declared_table_and_no_other(tmp_path: Path) -> None:
    database = connect_database(f"sqlite:///{tmp_path / 'new.db'}")
    assert not await is_up_to_date(database)
    await upgrade_database(database)
    assert await is_up_to_date(database)
    assert await database.read(differences) == []
    await database.close()
