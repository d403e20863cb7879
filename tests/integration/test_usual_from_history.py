"""What is usual for an hour, learnt from the figures of the past as they are kept."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from alerts.figures.history import KpiHistory
from alerts.figures.history_tables import kpi_hours
from alerts.figures.items import Scope
from alerts.figures.shares import Share
from alerts.figures.tally import Tally
from alerts.figures.usual import Usual
from infra.sql import Database, connect_database

GP = Scope("service", "gp")
MONDAY_9 = datetime(2026, 4, 6, 8, tzinfo=UTC)
"""09:00 in London, eight days after the clocks went forward; the Mondays before that had it at 09:00 UTC."""


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    database = connect_database(f"sqlite:///{tmp_path}/usual.db")
    await database.write(kpi_hours.metadata.create_all)
    yield database
    await database.close()


async def fill(database: Database, hour: datetime, answers_s: int) -> None:
    """An hour of ten calls, each answered after so many seconds."""
    tally = Tally()
    for _ in range(10):
        took = answers_s * 1_000_000
        tally.add(Share(GP, hour, "answered", True, (("offered", took), ("message_end", took))))
    row = {"hour": hour, "kind": "service", "scope": GP.id, "tally": tally.as_data()}
    await database.write(lambda connection: connection.execute(kpi_hours.insert().values(row)))


async def test_the_median_of_the_same_hour_of_the_week_in_london_over_a_clock_change(database: Database) -> None:
    for week, answers_s in enumerate((40, 50, 60, 70, 900), start=1):
        at = MONDAY_9 - timedelta(weeks=week)
        await fill(database, at if week == 1 else at + timedelta(hours=1), answers_s)
        await fill(database, at + timedelta(days=1), 5)  # Tuesdays tell nothing of Mondays
    usual = Usual()
    assert usual.of("centile95_s", GP, MONDAY_9) is None
    await usual.learn(KpiHistory(database, {}), ["service"], MONDAY_9)
    assert usual.of("centile95_s", GP, MONDAY_9) == 60
    assert usual.of("offered", GP, MONDAY_9) == 10
    assert usual.worse_by("centile95_s", GP, MONDAY_9, 75, worse="above") == 25
    assert usual.of("centile95_s", Scope("service", "dental"), MONDAY_9) is None
