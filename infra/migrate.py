"""Bringing a database up to date, by the command line and by whatever starts a service of its own."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from infra.sql import Database

_FOLDER = Path(__file__).resolve().parent / "migrations"


def _config(connection: Connection) -> Config:
    config = Config()
    config.set_main_option("script_location", str(_FOLDER).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


async def upgrade_database(database: Database) -> tuple[str | None, str]:
    """Run every migration that the database lacks, in one transaction; returns (revision before, after)."""
    return await database.maintain(_upgrade)


def _upgrade(connection: Connection) -> tuple[str | None, str]:
    before = MigrationContext.configure(connection).get_current_revision()
    command.upgrade(_config(connection), "head")
    after = MigrationContext.configure(connection).get_current_revision()
    return before, str(after)


async def is_up_to_date(database: Database) -> bool:
    """Whether the database has every migration that this code knows."""
    return await database.read(_is_up_to_date)


def _is_up_to_date(connection: Connection) -> bool:
    head = ScriptDirectory.from_config(_config(connection)).get_current_head()
    return MigrationContext.configure(connection).get_current_revision() == head
