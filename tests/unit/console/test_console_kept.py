"""What is read from the database for a page: once for all who ask, and never waited for long."""

from __future__ import annotations

import asyncio

from alerts.figures.items import Kpis
from console.kept import RETRY_S, Kept
from console.ports import FiringAlert
from console.readings import Readings
from tests.hand_clock import HandClock


class Table:
    """Counts how often it is read; may fail."""

    reads = 0
    fails = False

    async def read(self, key: str) -> str:
        self.reads += 1
        if self.fails:
            raise OSError
        return f"{key} {self.reads}"


async def test_all_who_ask_share_one_reading_until_it_is_old() -> None:
    table, clock = Table(), HandClock()
    kept = Kept(table.read, clock, 60)
    assert await asyncio.gather(*(kept.of("hours") for _ in range(20))) == ["hours 1"] * 20
    clock.move(60)
    assert await kept.of("hours") == "hours 2"


async def test_the_last_reading_goes_on_while_the_database_is_away() -> None:
    table, clock = Table(), HandClock()
    kept = Kept(table.read, clock, 60)
    assert await kept.of("hours") == "hours 1"
    table.fails = True
    clock.move(60)
    assert not kept.is_old("hours")
    assert await kept.of("hours") == "hours 1"
    assert kept.is_old("hours")
    assert await kept.of("days") is None
    assert table.reads == 3
    await kept.of("days")
    assert table.reads == 3, "it is not asked each time"
    table.fails = False
    clock.move(RETRY_S)
    assert await kept.of("days") == "days 4"
    assert not kept.is_old("days")


async def test_a_slow_reading_holds_no_page_and_is_there_for_the_next() -> None:
    may_go = asyncio.Event()

    async def slow(key: str) -> str:
        await may_go.wait()
        return key

    kept = Kept(slow, HandClock(), 60, patience_s=0.01)
    assert await kept.of("hours") is None
    may_go.set()
    await asyncio.sleep(0)
    assert await kept.of("hours") == "hours"


async def test_old_keys_leave() -> None:
    table = Table()
    kept: Kept[int, str] = Kept(table.read, HandClock(), 60)  # type: ignore[arg-type]
    for day in range(2 * kept.MOST):
        await kept.of(day)
    await kept.of(0)
    assert table.reads == 2 * kept.MOST + 1


class NothingElse:
    """What the page of firing alerts does not ask for."""

    def figures(self) -> None:
        return None

    def window(self, *_: object) -> tuple[()]:
        return ()

    def minutes(self, _: int) -> tuple[()]:
        return ()

    async def hours(self, *_: object, only: str | None = None) -> list[Kpis]:
        return []

    async def days(self, *_: object) -> list[Kpis]:
        return []


class Firing:
    """The alerts that fire; may fail."""

    fails = False

    async def firing(self) -> list[FiringAlert]:
        if self.fails:
            raise OSError
        return []


async def test_alerts_that_could_not_be_read_once_are_not_unknown_for_ever() -> None:
    alerts, clock = Firing(), HandClock()
    readings = Readings(NothingElse(), NothingElse(), alerts, clock)
    alerts.fails = True
    assert await readings.firing() is None
    alerts.fails = False
    clock.move(RETRY_S)
    assert await readings.firing() == []
