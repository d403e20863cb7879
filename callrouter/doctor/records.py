"""SQL: reachable, writable, up to date, with partitions for what comes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, func, select, text
from sqlalchemy.exc import SQLAlchemyError

from callrouter.doctor.clocks import compare, now
from callrouter.doctor.model import Finding, failed, ok, warning
from callrouter.errors import ConfigurationError
from callrouter.keys import key_ring
from callrouter.settings import Settings
from careplans.store import plans
from infra.migrate import is_up_to_date
from infra.sql import Database, connect_database

OLDEST = 14
"""PostgreSQL major version: older ones have no security fixes any more."""


async def check_database(settings: Settings) -> Sequence[Finding]:
    """The records' database."""
    if not database_is_there(settings):
        return [_without_a_file(settings)]
    try:
        database = connect_database(settings.database)
    except ValueError:
        return [failed("sql", "DATABASE_URL is no address of a database", "postgresql://user:password@host/name")]
    try:
        return await _look(database, settings)
    finally:
        await database.close()


async def _look(database: Database, settings: Settings) -> list[Finding]:
    before = now()
    try:
        at = await database.read(_clock)
    except (SQLAlchemyError, OSError) as error:
        if database.dialect == "sqlite":
            do = "check its rights and its disk; if it is no database, put a copy of it back"
            return [failed("sql", f"the file cannot be read as a database ({type(error).__name__})", do)]
        do = "see that it runs and lets this machine in (pg_isready, pg_hba.conf), and check DATABASE_URL"
        return [failed("sql", f"does not answer ({type(error).__name__}); calls go on, records wait", do)]
    found = [ok("sql", f"{database.dialect} answers")]
    if database.dialect == "postgresql":
        found += [compare("sql", at, before, now()), *_state(await database.read(_postgres))]
    elif settings.is_production:
        do = "use PostgreSQL: postgresql://… in CALLROUTER_DATABASE_URL"
        found.append(warning("sql", "SQLite is for one process on one machine", do))
    if await is_up_to_date(database):
        found.append(ok("sql", "every migration is in"))
        found += await database.read(partial(_plans, live=_index_keys(settings)))
        if database.dialect == "postgresql":
            found += _partitions(await database.read(_journal_tables), now())
    else:
        found.append(failed("sql", "migrations are missing", "run `callrouter db upgrade`"))
    return found


def database_is_there(settings: Settings) -> bool:
    """False only where SQLite's file is not there: to look into it would make it."""
    return not settings.database.startswith("sqlite") or _file(settings).exists()


def _file(settings: Settings) -> Path:
    return Path(settings.database.removeprefix("sqlite:///"))


def _without_a_file(settings: Settings) -> Finding:
    if settings.database_url and not _file(settings).parent.is_dir():
        return failed("sql", "the folder of its file is not there", "make it, or name another in DATABASE_URL")
    if settings.is_production:
        return failed("sql", "there is no database yet", "run `callrouter db upgrade`, which makes it")
    return warning("sql", "there is no database yet", "start `callrouter serve`, which makes it")


def _clock(connection: Connection) -> datetime:
    if connection.dialect.name == "postgresql":
        return datetime.fromisoformat(str(connection.execute(text("SELECT clock_timestamp()")).scalar_one()))
    connection.execute(text("SELECT 1"))
    return now()


def _postgres(connection: Connection) -> dict[str, Any]:
    query = (
        "SELECT current_setting('server_version_num')::int / 10000 AS major, pg_is_in_recovery() AS replica, "
        "current_setting('default_transaction_read_only') AS read_only"
    )
    return dict(connection.execute(text(query)).mappings().one())


def _state(server: dict[str, Any]) -> list[Finding]:
    found: list[Finding] = []
    if server["replica"]:
        found.append(failed("sql", "it is a replica, which takes no records", "point DATABASE_URL at the primary"))
    if server["read_only"] == "on":
        do = "ALTER DATABASE … SET default_transaction_read_only = off, once what led to it is mended"
        found.append(failed("sql", "it is read-only: records wait", do))
    if server["major"] < OLDEST:
        found.append(warning("sql", f"PostgreSQL {server['major']} is out of support", f"move to {OLDEST} or later"))
    return found


def _journal_tables(connection: Connection) -> tuple[bool, set[str]]:
    kind = connection.execute(text("SELECT relkind::text FROM pg_class WHERE oid = to_regclass('journal')")).scalar()
    query = "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = to_regclass('journal')"
    return kind == "p", set(connection.execute(text(query)).scalars())


def _index_keys(settings: Settings) -> Sequence[str] | None:
    """The ids of the index keys of the settings; None where they cannot be read, which is told of the keys.

    A development set-up that has lost its own has none: none is made here.
    """
    if settings.keys is None and settings.keys_file is None and not (settings.data_dir / "keys").exists():
        return ()
    try:
        return key_ring(settings).index_keys
    except ConfigurationError:
        return None


def _plans(connection: Connection, live: Sequence[str] | None) -> list[Finding]:
    """Plans that no look-up finds by what it asks for: it says "none" where there is one."""
    strange = select(func.count()).select_from(plans).where(plans.c.index_key.not_in(live or ()))
    if live is not None and (many := connection.execute(strange).scalar_one()):
        do = "put the pair that wrote them behind the others in CALLROUTER_KEYS (docs/careplans.md, keys)"
        return [failed("plans", f"{many} are under another key: look-ups do not find them, and say unavailable", do)]
    # those from before there was a search by name
    older = select(plans.c.id).where(plans.c.index_key.is_(None)).limit(1)
    if connection.execute(older).first() is None:
        return []
    return [warning("plans", "some are not found by name yet", "run `callrouter plan rotate-keys` once")]


def _partitions(tables: tuple[bool, set[str]], at: datetime) -> list[Finding]:
    """This month's partition and the next one's. What has none goes to the default partition: slower, not lost."""
    partitioned, names = tables
    if not partitioned:
        return []
    today = at.astimezone(UTC).date()
    following = (today.replace(day=1) + timedelta(days=32)).replace(day=1)
    missing = [name for each in (today, following) if (name := f"journal_{each:%Y_%m}") not in names]
    if missing:
        do = "start `callrouter serve` once (it makes them), or see in its log why it could not"
        return [warning("sql", f"the journal lacks the partitions {', '.join(missing)}", do)]
    return [ok("sql", "the journal has partitions for this month and the next")]
