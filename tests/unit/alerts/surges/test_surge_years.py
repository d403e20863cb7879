"""Where years of days are kept, the week that ended yesterday is judged, too; without, or after a new menu, not."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import Connection, insert, update

from alerts.surges.archive import EPOCH
from alerts.surges.history import read_history
from alerts.surges.model import ALL, Found, Series, quarter_of
from alerts.surges.tables import metadata, surge_days
from alerts.surges.weekly import judge_weeks
from infra.areas import london
from infra.sql import Database, connect_database
from tests.surge_past import MENU, USUAL, VERSION, write_past

MONDAY = datetime(2026, 3, 23, 0, tzinfo=UTC)
BROMLEY = Series("cold_or_flu", "bromley")


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    database = connect_database(f"sqlite:///{tmp_path}/counts.db")
    await database.write(metadata.create_all)
    yield database
    await database.close()


def years(connection: Connection, since: date, areas: Collection[str]) -> None:
    """Days from ``since`` to the end of February 2026, of as many callers as in ``write_past``."""
    chance = np.random.default_rng(6)
    rows = []
    for number in range((since - EPOCH).days, (date(2026, 3, 1) - EPOCH).days):
        weekend = 1.5 if (EPOCH + timedelta(days=number)).weekday() >= 5 else 1.0
        for area in areas:
            usual = 96 * USUAL[area] * weekend
            callers = {("cold_or_flu", MENU): int(chance.poisson(usual)), (ALL, ""): int(chance.poisson(8 * usual))}
            rows += [
                {"day": number, "signal": signal, "area": area, "version": version, "demand": demand, "deflected": 0}
                for (signal, version), demand in callers.items()
            ]
    connection.execute(insert(surge_days), rows)


async def judged(
    database: Database, since: date, *, times: float = 1.5, areas: Collection[str] = USUAL
) -> dict[Series, Found]:
    await database.write(partial(years, since=since, areas=areas))
    week = 7 * 24
    await database.write(partial(write_past, until=MONDAY, days=57, surge={"bromley": times}, surge_hours=week))
    return await found_in(database)


async def found_in(database: Database) -> dict[Series, Found]:
    end = quarter_of(MONDAY + timedelta(hours=2))
    history = await read_history(database, end - 56 * 96, end, london())
    return {each.series: each for each in await judge_weeks(database, london(), history)}


async def test_a_week_with_half_as_many_callers_again_is_a_surge(database: Database) -> None:
    found = await judged(database, date(2022, 3, 1))
    first = found[BROMLEY]
    assert (first.method, first.kind, first.rank) == ("weekly", "surge", 1)
    assert first.since == MONDAY - timedelta(days=7)
    assert first.score > 3


@pytest.mark.slow
async def test_a_usual_week_is_none_nor_is_an_area_that_is_told_of_since_this_winter(database: Database) -> None:
    found = await judged(database, date(2022, 3, 1), times=1.0, areas=("bromley", "unknown"))
    assert not {"bromley", "barnet"} & {each.area for each in found}


@pytest.mark.slow
async def test_two_years_are_too_few(database: Database) -> None:
    assert await judged(database, date(2024, 3, 1)) == {}


@pytest.mark.slow
async def test_before_a_new_menu_nothing_is_a_baseline(database: Database) -> None:
    await judged(database, date(2022, 3, 1))
    older = update(surge_days).where(surge_days.c.signal != ALL, surge_days.c.day < (date(2025, 1, 1) - EPOCH).days)
    await database.write(lambda connection: connection.execute(older.values(version=f"f0/{VERSION}")))
    assert BROMLEY not in await found_in(database)
