"""The comparison of figures with their recount: what it mends, what it tells, and what it does not."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy import delete
from sqlalchemy.exc import SQLAlchemyError

from alerts.figures.history_tables import kpi_hours
from alerts.figures.kpi import LiveFigures
from alerts.figures.usual import Usual
from alerts.model import Parts
from alerts.rules.loading import load_rules
from alerts.rules.readings import Seen
from callrouter.alerting.watching import PARTS
from callrouter.figures.check import AGAIN_S, EVERY_S, FAILURES, HANDED_OVER_S, IN_DOUBT_S
from callrouter.figures.comparing import SETTLED
from infra.sql import Database
from tests.figures_house import DAY, NOW, SOON_S, START, House, checking, of_hours, rolled
from tests.hand_clock import HandClock
from tests.made_up_calls import made_up_day

RULES = Path("alerts/rules/rules.yaml")


@pytest.fixture
async def house(database: Database) -> House:
    house = House(database)
    await house.folder.join()
    return house


async def test_the_nightly_check_mends_a_history_that_lacks_calls_and_finds_all_equal(house: House) -> None:
    clock, live = HandClock(NOW - timedelta(hours=1)), LiveFigures({})
    entries = made_up_day(9, 40, START - timedelta(hours=20), 44)
    await house.bring(entries[200:])  # the first were written, and lost on their way to the history
    await house.journal.write(entries[:200])
    for entry in entries:
        live.apply(entry)
    check, health = checking(house, live, clock)
    assert check.differ is None
    await check.step(SOON_S)
    assert (check.differ, health.works("figures")) == (0, True)
    assert await house.again() == {}


@pytest.mark.parametrize("database_kind", ["sqlite"])
async def test_the_nightly_check_finds_and_mends_hours_that_were_spoilt(house: House) -> None:
    await house.bring(made_up_day(19, 20, START, 20))
    before = await rolled(house)
    spoil = delete(kpi_hours).where(kpi_hours.c.hour < START + timedelta(hours=12))
    await house.database.write(lambda connection: connection.execute(spoil))
    assert (await of_hours(house)) != before == await rolled(house), "the day was added up before"
    check, _ = checking(house, LiveFigures({}), HandClock(NOW + timedelta(hours=4)))
    assert (await check.day(DAY)).differ == {}
    assert await of_hours(house) == before


@pytest.mark.parametrize("database_kind", ["sqlite"])
async def test_live_figures_that_lack_a_call_are_told(house: House) -> None:
    clock, live = HandClock(NOW - timedelta(hours=1)), LiveFigures({})
    await house.bring(made_up_day(10, 8, START, 20))
    check, health = checking(house, live, clock)
    await check.step(SOON_S)
    assert (check.differ, health.works("figures")) == (0, True), "not before a second look"
    clock.move(IN_DOUBT_S)
    await check.step(SOON_S)
    assert (check.differ or 0) > 2
    assert not health.works("figures")
    parts = Parts(health.failing_s(), figures_differ=check.differ)
    (rule,) = [each for each in load_rules(RULES, ["north-london-111"], PARTS) if each.metric == "figures_differ"]
    (reading,) = Seen(clock.now(), None, parts, lambda _window, _kind: (), Usual()).read(rule, {})
    assert reading.value >= rule.threshold
    clock.move(EVERY_S)
    await check.step(SOON_S)
    assert (check.differ or 0) > 2, "what is told stays told, without another doubt"
    check.lost()
    assert (check.differ, health.works("figures")) == (None, True), "whoever compares now knows better"
    await check.step(0)
    assert check.differ is None, "the other has not heard yet that it is this one's turn again"
    clock.move(HANDED_OVER_S)
    await check.step(SOON_S)
    assert check.differ == 0


@pytest.mark.parametrize("database_kind", ["sqlite"])
async def test_times_that_cannot_be_true_are_an_alert_of_whoever_compares(house: House) -> None:
    clock, live = HandClock(NOW - timedelta(hours=1)), LiveFigures({})
    for entry in made_up_day(17, 8, NOW - timedelta(hours=3), 1):
        at = NOW - timedelta(hours=1) if entry.kind == "offered" else entry.at  # it was offered after all else
        live.apply(replace(entry, at=at))
    check, _ = checking(house, live, clock)
    assert check.odd is None, "another process may tell"
    await check.step(SOON_S)
    (rule,) = [each for each in load_rules(RULES, ["north-london-111"], PARTS) if each.metric == "figures_odd"]
    (reading,) = Seen(
        clock.now(), None, Parts({}, figures_odd=check.odd), lambda _window, _kind: (), Usual()
    ).read(rule, {})  # fmt: skip
    assert rule.is_breached(reading.value)
    clock.move(3601)
    await check.step(SOON_S)
    assert rule.is_clear(check.odd or 0.0)


@pytest.mark.parametrize("database_kind", ["sqlite"])
async def test_a_call_that_came_between_two_readings_is_not_told(house: House) -> None:
    clock, live = HandClock(NOW - timedelta(hours=1)), LiveFigures({})
    entries = made_up_day(16, 8, START, 20)
    await house.bring(entries)
    check, health = checking(house, live, clock)
    await check.step(SOON_S)
    for entry in entries:
        live.apply(entry)
    clock.move(IN_DOUBT_S)
    await check.step(SOON_S)
    assert (check.differ, health.works("figures")) == (0, True)
    clock.move(EVERY_S - 1)
    await check.step(0)
    assert check.differ == 0, "nothing is compared before its time"


@pytest.mark.parametrize("database_kind", ["sqlite"])
async def test_a_comparison_that_fails_again_and_again_is_told_and_one_failure_is_not(house: House) -> None:
    clock, live = HandClock(NOW - timedelta(hours=1)), LiveFigures({})
    await house.database.maintain(lambda connection: connection.execute(sa.text("ALTER TABLE journal RENAME TO gone")))
    check, health = checking(house, live, clock)
    for failure in range(1, FAILURES + 1):
        with pytest.raises(SQLAlchemyError):
            await check.step(SOON_S)
        assert await check.step(0) == 0, "not tried without pause"
        clock.move(AGAIN_S)
        assert ("figures" in health.failing_s()) == (failure == FAILURES)
    await house.database.maintain(lambda connection: connection.execute(sa.text("ALTER TABLE gone RENAME TO journal")))
    await check.step(SOON_S)
    assert health.works("figures")


@pytest.mark.parametrize("database_kind", ["sqlite"])
async def test_calls_in_progress_are_no_difference(house: House) -> None:
    """What a call adds while two look at it is told by one and not yet by the other."""
    clock, live = HandClock(NOW - timedelta(hours=1)), LiveFigures({})
    over = made_up_day(11, 20, START, 20)
    going_on = [each for each in made_up_day(12, 20, NOW - timedelta(hours=1, minutes=4), 0.05) if each.kind != "ended"]
    await house.bring([*over, *going_on[:50]])
    for entry in (*over, *going_on):
        live.apply(entry)
    compared = await checking(house, live, clock)[0].day(DAY, clock.now() - SETTLED)
    assert compared.calls > 10
    assert compared.differ == {}


@pytest.mark.parametrize("database_kind", ["sqlite"])
async def test_a_caller_who_waits_in_one_count_alone_is_a_difference(house: House) -> None:
    clock, live = HandClock(NOW), LiveFigures({})
    over = made_up_day(11, 20, START, 20)
    waits = [each for each in made_up_day(21, 12, NOW - timedelta(minutes=30), 0.2) if each.kind != "ended"]
    await house.bring([*over, *waits])
    for entry in (*over, *waits):
        live.apply(entry)
    at = NOW - timedelta(minutes=5)
    assert (await checking(house, live, clock)[0].day(DAY, at)).differ == {}
    lacking = LiveFigures({})
    for entry in over:
        lacking.apply(entry)
    found = (await checking(house, lacking, clock)[0].day(DAY, at)).differ
    assert "waiting total" in found["live"]
    assert all(scope.startswith("waiting ") for scope in found["live"])
