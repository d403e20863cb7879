"""What several commands need: settings, and a database that is up to date."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from callrouter.cli.refusals import in_words
from callrouter.errors import ConfigurationError
from callrouter.journal import calls
from callrouter.settings import Settings, load_settings
from callrouter.wiring import key_ring
from careplans.rotation import Rotation
from careplans.service import CarePlans
from careplans.sources.runs import PlanRuns
from careplans.sources.tables import plan_quarantine, plan_run_gone, plan_sources
from infra.clock import SystemClock
from infra.crypto import KeyRing
from infra.migrate import is_up_to_date, upgrade_database
from infra.rewrap import WrappedKeys
from infra.sql import Database, connect_database

SOURCES = [
    WrappedKeys(table, row, table.c.wrapped_key)
    for table, row in (
        (plan_sources, plan_sources.c.name),
        (plan_run_gone, plan_run_gone.c.id),
        (plan_quarantine, plan_quarantine.c.id),
    )
]
"""What the sources keep sealed."""


@asynccontextmanager
async def open_database(settings: Settings) -> AsyncIterator[Database]:
    """The database of the settings, ready to use.

    A development database is brought up to date by itself; in production that is somebody's decision.
    """
    async with database_of(settings) as database:
        await prepare_database(database, settings)
        yield database


@asynccontextmanager
async def database_of(settings: Settings) -> AsyncIterator[Database]:
    """The database of the settings as it stands, closed in the end."""
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    database = connect_database(settings.database)
    try:
        yield database
    finally:
        await database.close()


async def prepare_database(database: Database, settings: Settings) -> None:
    """Check (production) or bring about (development) that every migration is in.

    Raises :class:`ConfigurationError` if not, :class:`DatabaseSilent` if that cannot be known now.
    """
    with in_words():
        if not settings.is_production:
            await upgrade_database(database)
        elif not await is_up_to_date(database):
            raise ConfigurationError("the database is not up to date: run `callrouter db upgrade` first")


@asynccontextmanager
async def open_plans() -> AsyncIterator[CarePlans]:
    """The plans of the settings, for one command."""
    settings = load_settings()
    async with open_database(settings) as database:
        yield CarePlans(database, key_ring(settings), SystemClock())


@asynccontextmanager
async def open_rotation(told: Callable[[str, int, int], None]) -> AsyncIterator[tuple[Rotation, KeyRing]]:
    """A change of keys, of the plans' and of the journal's; see :class:`careplans.rotation.Rotation`."""
    settings = load_settings()
    async with open_database(settings) as database:
        keys = key_ring(settings)
        journal = WrappedKeys(calls, calls.c.call_ref, calls.c.wrapped_key)
        yield Rotation(database, keys, [journal, *SOURCES], told=told), keys


@asynccontextmanager
async def open_plan_runs() -> AsyncIterator[PlanRuns]:
    """The pipeline of the sources of the settings, for one command."""
    settings = load_settings()
    async with open_database(settings) as database:
        yield PlanRuns(database, key_ring(settings), SystemClock())
