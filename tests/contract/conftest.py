"""Databases for the contract suites: SQLite, and a real PostgreSQL where one is installed."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from sqlalchemy import MetaData

from infra.sql import Database, connect_database
from tests.postgres import Postgres, PostgresMissing


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """The address of a PostgreSQL of this run's own; skipped, saying so, where none is installed."""
    try:
        server = Postgres()
    except PostgresMissing as reason:
        pytest.skip(f"NO POSTGRESQL: {reason}")
    with server:
        yield server.url


@pytest.fixture(params=["sqlite", "postgresql"])
async def database(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Database]:
    """An empty database with the tables of the module's ``TABLES``, on each kind in turn."""
    tables: MetaData = request.module.TABLES
    postgres = request.param == "postgresql"
    url = request.getfixturevalue("postgres_url") if postgres else f"sqlite:///{tmp_path}/contract.db"
    database = connect_database(url)
    await database.write(tables.drop_all)
    await database.write(tables.create_all)
    yield database
    await database.close()
