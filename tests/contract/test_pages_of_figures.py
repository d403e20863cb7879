"""What pages of figures show of the past is what the journal holds, on the day that has 25 hours."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from functools import partial

import pytest

from alerts.figures.history_rows import midnight
from alerts.figures.items import Kpis, Scope
from alerts.figures.recount import recount
from console.daily import daily_report
from console.heat import heat
from console.ports import FiringAlert
from console.readings import Readings
from console.reports import read_figures
from infra.sql import Database
from tests.figures_house import DAY, NOW, START, House
from tests.hand_clock import HandClock
from tests.made_up_calls import as_they_come, made_up_day

TOMORROW = NOW + timedelta(hours=9)


class NothingLive:
    """A board without figures, and no alerts."""

    def figures(self) -> None:
        return None

    def minutes(self, _count: int) -> tuple[()]:
        return ()

    def window(self, *_asked: object) -> Sequence[Kpis]:
        return ()

    async def firing(self) -> Sequence[FiringAlert]:
        return ()


@pytest.fixture
async def house(database: Database) -> House:
    house = House(database)
    await house.folder.join()
    await house.bring(as_they_come(8, made_up_day(8, 60, START - timedelta(hours=1), 27)))
    while await house.history.roll():
        pass
    return house


@pytest.mark.parametrize("database_kind", ["sqlite"])
async def test_report_and_hours_tell_what_a_recount_of_the_journal_tells(house: House) -> None:
    counted = await house.database.study(partial(recount, start=START, end=midnight(DAY + timedelta(days=1))))
    readings = Readings(NothingLive(), house.history, NothingLive(), HandClock(TOMORROW))

    figures = await read_figures(readings, DAY)
    assert figures is not None
    report = daily_report(DAY, TOMORROW, figures)
    ends = sum(calls for (what, _, _), (calls, _) in counted["total"].items() if what == "end")
    assert int(report.ends_sum) == ends > 0
    assert report.hours == "The clocks changed: this day had 25 hours."
    assert report.target_lines[0].message_end.figure != "not known"

    hours = await house.history.hours(DAY, DAY, "total")
    shown = [cell.text for _, cells in heat(hours, "offered").rows for cell in cells if cell.text != "–"]
    assert len(shown) == 24

    provider = figures.providers[0].scope
    of_one = await house.history.hours(DAY, DAY, "provider", only=provider.id)
    assert {each.scope for each in of_one} == {provider}
    assert sum(each.values["A01"] or 0 for each in of_one) == figures.providers[0].values["A01"]
    week = await readings.heat(Scope("total"), "offered")
    assert week is not None
    assert week.days == 2, "the first calls came before midnight"
