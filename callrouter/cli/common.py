"""What several commands need: settings, and a database that is up to date."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy.exc import SQLAlchemyError

from callrouter.errors import ConfigurationError, DatabaseSilent
from callrouter.settings import Settings, load_settings
from callrouter.wiring import key_ring
from careplans.service import CarePlans
from infra.clock import SystemClock
from infra.migrate import is_up_to_date, upgrade_database
from infra.sql import Database, connect_database


@asynccontextmanager
async def open_database(settings: Settings) -> AsyncIterator[Database]:
    """The database of the settings, ready to use.

    A development database is brought up to date by itself; in production that is somebody's decision.
    """
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    database = connect_database(settings.database)
    try:
        await prepare_database(database, settings)
        yield database
    finally:
        await database.close()


async def prepare_database(database: Database, settings: Settings) -> None:
    """Check (production) or bring about (development) that every migration is in."""
    try:
        if not settings.is_production:
            await upgrade_database(database)
        elif not await is_up_to_date(database):
            raise ConfigurationError("the database is not up to date: run `callrouter db upgrade` first")
    except (SQLAlchemyError, OSError) as error:
        cause = type(error).__name__  # never its text: an address may hold a password
        raise DatabaseSilent(f"the database does not answer ({cause}): check DATABASE_URL") from error


@asynccontextmanager
async def open_plans() -> AsyncIterator[CarePlans]:
    """The plans of the settings, for one command."""
    settings = load_settings()
    async with open_database(settings) as database:
        yield CarePlans(database, key_ring(settings), SystemClock())
