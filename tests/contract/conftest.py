"""Databases for the contract suites: SQLite, and a real PostgreSQL where one is installed."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from sqlalchemy import MetaData
from sqlalchemy.ext.asyncio import AsyncEngine

from infra.sql import connect_database
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
async def engine(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[AsyncEngine]:
    """An empty database with the tables of the module's ``TABLES``, on each kind in turn."""
    tables: MetaData = request.module.TABLES
    postgres = request.param == "postgresql"
    url = request.getfixturevalue("postgres_url") if postgres else f"sqlite+aiosqlite:///{tmp_path}/contract.db"
    engine = connect_database(url)
    async with engine.begin() as connection:
        await connection.run_sync(tables.drop_all)
        await connection.run_sync(tables.create_all)
    yield engine
    await engine.dispose()
