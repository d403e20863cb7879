"""What several commands need: settings, and a database that is up to date."""

from __future__ import annotations

import getpass
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import callrouter.call_backs.tables
import callrouter.journal
import callrouter.repeat.tables
import callrouter.texts.tables
import callrouter.welfare.tables
import careplans.sources.tables
import careplans.store
from callrouter.cli.refusals import in_words
from callrouter.errors import ConfigurationError, DatabaseRefuses, DatabaseSilent
from callrouter.keys import key_ring
from callrouter.retention import retention
from callrouter.settings import Settings, load_settings
from careplans.audit.chain import What
from careplans.audit.trail import AuditTrail
from careplans.errors import PlanStoreFailed
from careplans.model import Viewer
from careplans.records import PlanRecords
from careplans.reindexing import TABLES
from careplans.rotation import Rotation
from careplans.service import CarePlans
from careplans.sources.runs import PlanRuns
from infra.clock import SystemClock
from infra.crypto import KeyRing
from infra.migrate import is_up_to_date, upgrade_database
from infra.rewrap import wrapped_keys_of
from infra.sql import Database, connect_database

SEALED = wrapped_keys_of(
    callrouter.call_backs.tables.metadata,
    callrouter.journal.metadata,
    callrouter.repeat.tables.metadata,
    callrouter.texts.tables.metadata,
    callrouter.welfare.tables.metadata,
    careplans.store.metadata,
    careplans.sources.tables.metadata,
)
"""Every table whose rows have a data key that a master key wraps."""


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
    """The database of the settings as it stands, closed in the end.

    What it raises is a :class:`ConfigurationError` in words (callrouter/cli/refusals.py).
    """
    settings.make_data_dir()
    database = connect_database(settings.database)
    try:
        with in_words():
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
    """The plans of the settings, for one command; raises :class:`PlanStoreFailed` where there is no database."""
    settings = load_settings()
    try:
        async with open_database(settings) as database:
            yield CarePlans(database, key_ring(settings), SystemClock())
    except (DatabaseSilent, DatabaseRefuses) as error:
        raise PlanStoreFailed(str(error)) from error


@asynccontextmanager
async def open_rotation(told: Callable[[str, int, int], None]) -> AsyncIterator[tuple[Rotation, KeyRing]]:
    """A change of keys, of plans, journal and audit, recorded as begun; see :class:`careplans.rotation.Rotation`."""
    settings = load_settings()
    async with open_database(settings) as database:
        keys, operator = key_ring(settings), Viewer(getpass.getuser(), "administrator")
        audit = AuditTrail(database, keys, SystemClock())
        await audit.record(operator, audit.entries(operator, What.KEYS_ROTATED))
        others = [each for each in SEALED if each.table not in TABLES]
        yield Rotation(database, keys, others, told=told), keys


@asynccontextmanager
async def open_records() -> AsyncIterator[PlanRecords]:
    """Erasure, holds and exports of the settings' plans, for one command."""
    settings = load_settings()
    async with open_database(settings) as database:
        keys, clock = key_ring(settings), SystemClock()
        yield PlanRecords(database, keys, clock, AuditTrail(database, keys, clock), retention(settings))


@asynccontextmanager
async def open_plan_runs() -> AsyncIterator[PlanRuns]:
    """The pipeline of the sources of the settings, for one command."""
    settings = load_settings()
    async with open_database(settings) as database:
        yield PlanRuns(database, key_ring(settings), SystemClock())
