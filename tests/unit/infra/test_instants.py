"""Instants in SQL: written in any zone, read in UTC, never without one."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import Column, Integer, MetaData, Table, select
from sqlalchemy.exc import StatementError

from infra.sql import Database, UtcDateTime, connect_database

LONDON = ZoneInfo("Europe/London")
metadata = MetaData()
times = Table("times", metadata, Column("id", Integer, primary_key=True), Column("at", UtcDateTime))


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    database = connect_database(f"sqlite:///{tmp_path / 'times.db'}")
    await database.write(metadata.create_all)
    yield database
    await database.close()


async def kept(database: Database, at: datetime | None) -> datetime | None:
    await database.write(lambda connection: connection.execute(times.insert().values(at=at)))
    found: datetime | None = await database.read(lambda connection: connection.execute(select(times.c.at)).scalar_one())
    return found


@pytest.mark.parametrize("fold", [0, 1])
async def test_hour_that_comes_twice_stays_the_instant_that_it_was(database: Database, fold: int) -> None:
    at = datetime(2026, 10, 25, 1, 30, 0, 123_456, tzinfo=LONDON, fold=fold)
    found = await kept(database, at)

    assert found == at.astimezone(UTC)
    assert found.tzinfo is UTC


async def test_no_instant_stays_none(database: Database) -> None:
    assert await kept(database, None) is None


async def test_instant_without_a_zone_is_refused(database: Database) -> None:
    with pytest.raises(StatementError, match="needs a time zone"):
        await kept(database, datetime(2026, 3, 28))  # noqa: DTZ001


async def test_values_are_in_no_exception(database: Database) -> None:
    again = times.insert().values(id=424242)
    await database.write(lambda connection: connection.execute(again))
    with pytest.raises(Exception) as raised:
        await database.write(lambda connection: connection.execute(again))

    assert "424242" not in str(raised.value)
