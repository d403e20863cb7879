"""Repeat callers: which earlier encounters count, and what they make of a call, on each kind of database."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import text

from callrouter.ports import RepeatFound
from callrouter.repeat.contacts import RepeatCalls
from callrouter.repeat.tables import metadata
from infra.crypto import KeyRing
from infra.numbers import Number, read_number
from infra.sql import Database

LONDON = ZoneInfo("Europe/London")
NUMBER = "+447700900123"
NOW = datetime(2026, 7, 1, 12, tzinfo=UTC)
HOURS_96 = timedelta(seconds=345_600)
SECOND = timedelta(seconds=1)


@dataclass
class Index:
    """An index of encounters in a database of its own."""

    database: Database
    repeats: RepeatCalls

    async def keep(self, *starts: datetime, number: str = NUMBER) -> None:
        for start in starts:
            await self.repeats.keep(start.isoformat(), number, start)

    async def outcome(self, started: datetime = NOW, number: str = NUMBER) -> str:
        return (await self.find(read_number(number), started)).outcome

    async def find(self, number: Number, started: datetime = NOW) -> RepeatFound:
        return await self.repeats.find(number, started)


@pytest.fixture
async def index(database: Database) -> Index:
    return Index(database, RepeatCalls(database, KeyRing(os.urandom(32), os.urandom(32))))


@pytest.mark.parametrize(
    ("earlier", "outcome"),
    [
        pytest.param([], "NRC", id="never called before"),
        pytest.param([NOW - timedelta(hours=5)], "NRC", id="one earlier"),
        pytest.param([NOW - timedelta(hours=5), NOW - timedelta(hours=50)], "PRC", id="two earlier"),
        pytest.param([NOW - timedelta(hours=h) for h in (1, 2, 3, 4)], "PRC", id="four earlier"),
        pytest.param([NOW - SECOND, NOW - HOURS_96], "PRC", id="exactly 96 hours counts"),
        pytest.param([NOW - SECOND, NOW - HOURS_96 - SECOND], "NRC", id="96 hours and a second does not"),
        pytest.param([NOW - SECOND, NOW], "NRC", id="at the same instant does not"),
        pytest.param([NOW - SECOND, NOW + SECOND], "NRC", id="later does not"),
        pytest.param([NOW - timedelta(microseconds=1), NOW - HOURS_96], "PRC", id="a microsecond before does"),
    ],
)
async def test_encounters_that_count(index: Index, earlier: list[datetime], outcome: str) -> None:
    await index.keep(*earlier)

    assert await index.outcome() == outcome


@pytest.mark.parametrize(
    "monday",
    [
        pytest.param(datetime(2026, 3, 30, 9, tzinfo=LONDON), id="clocks went forward"),
        pytest.param(datetime(2026, 10, 26, 9, tzinfo=LONDON), id="clocks went back"),
    ],
)
async def test_96_hours_are_96_hours_over_a_clock_change(index: Index, monday: datetime) -> None:
    started = monday.astimezone(UTC)
    await index.keep(monday - timedelta(hours=1), (started - HOURS_96).astimezone(LONDON))
    assert await index.outcome(monday) == "PRC"
    assert await index.outcome(started + SECOND) == "NRC"


async def test_wall_clock_hour_that_comes_twice_is_two_instants(index: Index) -> None:
    first = datetime(2026, 10, 25, 1, 30, tzinfo=LONDON)
    second = first.replace(fold=1)
    await index.keep(first, first - timedelta(days=1))

    assert await index.outcome(second) == "PRC"
    assert await index.outcome(first) == "NRC"


async def test_earlier_starts_are_told_oldest_first_in_utc(index: Index) -> None:
    await index.keep(NOW - timedelta(hours=1), NOW - timedelta(hours=9))
    found = await index.find(read_number(NUMBER))

    assert found.earlier == (NOW - timedelta(hours=9), NOW - timedelta(hours=1))


async def test_other_numbers_do_not_count(index: Index) -> None:
    await index.keep(NOW - timedelta(hours=1), NOW - timedelta(hours=2), number="+447700900999")

    assert await index.outcome() == "NRC"


async def test_the_same_number_in_another_writing_counts(index: Index) -> None:
    await index.keep(NOW - timedelta(hours=1), NOW - timedelta(hours=2))

    assert await index.outcome(number="07700 900123") == "PRC"


@pytest.mark.parametrize("number", ["", "anonymous", "+448979123456", "'; drop table encounters"])
async def test_call_without_a_number_is_insufficient_information(index: Index, number: str) -> None:
    await index.keep(NOW - timedelta(hours=1), NOW - timedelta(hours=2))

    assert await index.outcome(number=number) == "IIQ"


async def test_store_that_fails_is_an_error_and_never_a_no(index: Index) -> None:
    await index.database.write(metadata.drop_all)

    assert await index.outcome() == "ER"


async def test_encounter_is_kept_once(index: Index) -> None:
    earlier = NOW - timedelta(hours=1)
    for _ in range(3):
        await index.repeats.keep("call", NUMBER, earlier)

    assert (await index.find(read_number(NUMBER))).earlier == (earlier,)


async def test_number_is_nowhere_in_the_database(index: Index) -> None:
    await index.keep(NOW - timedelta(hours=1))
    rows = await index.database.read(lambda connection: connection.execute(text("SELECT * FROM encounters")).all())

    assert len(rows) == 1
    assert NUMBER[-9:] not in str(rows)


async def test_index_of_another_house_does_not_match(index: Index) -> None:
    await index.keep(NOW - timedelta(hours=1), NOW - timedelta(hours=2))
    elsewhere = RepeatCalls(index.database, KeyRing(os.urandom(32), os.urandom(32)))

    assert (await elsewhere.find(read_number(NUMBER), NOW)).outcome == "NRC"
