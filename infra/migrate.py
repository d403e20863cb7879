"""Bringing a database up to date, by the command line and by whatever starts a service of its own."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection

from infra.sql import Database

_FOLDER = Path(__file__).resolve().parent / "migrations"
_LOCK = 0x43A10  # any number that no other advisory lock of this database has


def _config(connection: Connection) -> Config:
    config = Config()
    config.set_main_option("script_location", str(_FOLDER).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


async def upgrade_database(database: Database) -> tuple[str | None, str]:
    """Run every migration that the database lacks, in one transaction; returns (revision before, after)."""
    return await database.maintain(_upgrade)


async def downgrade_database(database: Database, revision: str) -> tuple[str | None, str | None]:
    """Undo every migration after ``revision`` (``base``: all), in one transaction; returns (before, after).

    Raises ValueError where there is no such revision.
    """
    return await database.maintain(partial(_downgrade, revision=revision))


def _upgrade(connection: Connection) -> tuple[str | None, str]:
    _one_at_a_time(connection)
    before = MigrationContext.configure(connection).get_current_revision()
    command.upgrade(_config(connection), "head")
    after = MigrationContext.configure(connection).get_current_revision()
    return before, str(after)


def _downgrade(connection: Connection, revision: str) -> tuple[str | None, str | None]:
    _one_at_a_time(connection)
    before = MigrationContext.configure(connection).get_current_revision()
    try:
        command.downgrade(_config(connection), revision)
    except CommandError as error:
        raise ValueError(f"there is no revision {revision} below the present one") from error
    return before, MigrationContext.configure(connection).get_current_revision()


def _one_at_a_time(connection: Connection) -> None:
    """Let services that start together not migrate together. SQLite has one writer anyway."""
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_LOCK})")


async def is_up_to_date(database: Database) -> bool:
    """Whether the database has every migration that this code knows."""
    return await database.read(_is_up_to_date)


def _is_up_to_date(connection: Connection) -> bool:
    head = ScriptDirectory.from_config(_config(connection)).get_current_head()
    return MigrationContext.configure(connection).get_current_revision() == head
