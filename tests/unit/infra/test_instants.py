"""Instants in SQL: written in any zone, read in UTC, never without one."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import Column, Integer, MetaData, Table, select
from sqlalchemy.exc import StatementError
from sqlalchemy.ext.asyncio import AsyncEngine

from infra.sql import UtcDateTime, connect_database

LONDON = ZoneInfo("Europe/London")
metadata = MetaData()
times = Table("times", metadata, Column("id", Integer, primary_key=True), Column("at", UtcDateTime))


@pytest.fixture
async def engine(tmp_path: Path) -> AsyncIterator[AsyncEngine]:
    engine = connect_database(f"sqlite+aiosqlite:///{tmp_path / 'times.db'}")
    async with engine.begin() as connection:
        await connection.run_sync(metadata.create_all)
    yield engine
    await engine.dispose()


async def kept(engine: AsyncEngine, at: datetime | None) -> datetime | None:
    async with engine.begin() as connection:
        await connection.execute(times.insert().values(at=at))
    async with engine.connect() as connection:
        found: datetime | None = (await connection.execute(select(times.c.at))).scalar_one()
    return found


@pytest.mark.parametrize("fold", [0, 1])
async def test_hour_that_comes_twice_stays_the_instant_that_it_was(engine: AsyncEngine, fold: int) -> None:
    at = datetime(2026, 10, 25, 1, 30, 0, 123_456, tzinfo=LONDON, fold=fold)
    found = await kept(engine, at)

    assert found == at.astimezone(UTC)
    assert found.tzinfo is UTC


async def test_no_instant_stays_none(engine: AsyncEngine) -> None:
    assert await kept(engine, None) is None


async def test_instant_without_a_zone_is_refused(engine: AsyncEngine) -> None:
    with pytest.raises(StatementError, match="needs a time zone"):
        await kept(engine, datetime(2026, 3, 28))  # noqa: DTZ001


async def test_values_are_in_no_exception(engine: AsyncEngine) -> None:
    async with engine.begin() as connection:
        await connection.execute(times.insert().values(id=424242))
    with pytest.raises(Exception) as raised:
        async with engine.begin() as connection:
            await connection.execute(times.insert().values(id=424242))

    assert "424242" not in str(raised.value)
