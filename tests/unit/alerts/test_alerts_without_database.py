"""Alerts while the database that keeps them is away, and what is on record when it is back."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
import structlog
from alert_calls import NOON
from alert_parts import DOWN, World
from alert_rule import RULE
from sqlalchemy.exc import SQLAlchemyError

from alerts.life.store import AlertStore
from alerts.model import StepTaken
from infra.sql import Database


@pytest.fixture
def world(database: Database) -> World:
    return World(database)


async def test_a_lost_database_is_told_although_alerts_are_kept_in_it(world: World) -> None:
    worker = world.worker(DOWN, RULE)
    await world.live(5, worker)
    world.failing["sql"] = world.clock.passed
    await world.take_tables()
    with structlog.testing.capture_logs() as logs:
        await world.live(30, worker)
        assert world.mail.told == [("down", "fired")]
        await world.bring_tables()
        del world.failing["sql"]
        await world.live(10, worker)
    assert world.mail.told == [("down", "fired"), ("down", "cleared")]
    words = [each["event"] for each in logs]
    assert (words.count("alert_store_away"), words.count("alert_store_back")) == (1, 1)


async def test_callers_who_wait_are_told_of_while_the_database_is_away(world: World) -> None:
    worker = world.worker(RULE)
    world.wait_s = 0
    await world.live(3, worker)
    await world.take_tables()
    world.wait_s = 200
    await world.live(40, worker)
    assert world.mail.told == [("longest-wait", "fired")]
    await world.bring_tables()
    await world.live(10, worker)
    assert world.mail.told == [("longest-wait", "fired")], "its return tells nobody again"
    assert (await AlertStore(world.database).states())["longest-wait"].phase == "firing"
    world.wait_s = 0
    await world.live(3, worker)
    assert world.mail.told == [("longest-wait", "fired"), ("longest-wait", "cleared")]


async def test_who_takes_it_on_while_the_database_is_away_is_on_record_when_it_is_back(world: World) -> None:
    worker = world.worker(RULE)
    world.wait_s = 200
    await world.live(40, worker)
    await world.take_tables()
    assert await worker.acknowledge("longest-wait", "Sam Example", "page")
    assert [each.kind for each in await worker.steps("longest-wait")] == ["acknowledged"]
    await world.bring_tables()
    await world.live(10, worker)
    kept = AlertStore(world.database)
    assert (await kept.states())["longest-wait"].acknowledged_by == "Sam Example"
    steps = await kept.steps("longest-wait")
    assert [each.kind for each in steps] == ["acknowledged", "sent", "fired", "pending"]


async def test_an_alert_of_the_databases_own_absence_is_on_record_once_when_it_is_back(world: World) -> None:
    worker, kept = world.worker(DOWN), AlertStore(world.database)
    world.failing["sql"] = world.clock.passed
    await world.take_tables()
    await world.live(25, worker)
    assert await worker.acknowledge("down:sql", "Sam Example", "page")
    assert await kept.steps("down:sql") == []
    del world.failing["sql"]
    await world.live(1, worker)
    await world.bring_tables()
    await world.live(20, worker)
    kinds = ["sent", "resolved", "acknowledged", "sent", "fired"]
    assert sorted(each.kind for each in await kept.steps("down:sql")) == sorted(kinds)
    assert await worker.steps("down:sql") == await kept.steps("down:sql"), "and nothing waits in memory any more"
    times = [each.at for each in await kept.steps("down:sql")]
    assert times == sorted(times, reverse=True)
    assert [each.kind for each in await worker.history()] == ["resolved"]


async def test_what_is_put_on_record_twice_stands_there_once(world: World) -> None:
    step = StepTaken("down:sql", "fired", NOON, detail="A part does not work: database, seen by worker one")
    other = replace(step, detail="A part does not work: database, seen by worker two")
    kept = AlertStore(world.database)
    await kept.record([step])
    await kept.record([step, other])
    assert set(await kept.steps("down:sql")) == {step, other}
    assert len(await kept.steps("down:sql")) == 2


async def test_a_silence_that_was_made_holds_while_the_database_is_away(world: World) -> None:
    worker = world.worker(RULE)
    await worker.silence("longest-wait", "Sam Example", "a test", world.clock.now() + timedelta(minutes=2))
    await world.live(1, worker)
    await world.take_tables()
    with pytest.raises(SQLAlchemyError):
        await worker.silence("longest-wait", "Sam Example", "a test", world.clock.now() + timedelta(minutes=9))
    world.wait_s = 200
    await world.live(60, worker)
    assert world.mail.told == []
    await world.live(65, worker)
    assert world.mail.told == [("longest-wait", "fired")]


async def test_an_alert_that_fired_before_the_outage_clears_in_it_once(world: World) -> None:
    worker, other = world.worker(RULE), world.worker(RULE)
    world.wait_s = 200
    await world.live(40, worker, other)
    await world.take_tables()
    world.wait_s = 0
    await world.live(5, worker)
    assert world.mail.told == [("longest-wait", "fired"), ("longest-wait", "cleared")]
    await world.bring_tables()
    await world.live(10, worker, other)
    assert world.mail.told == [("longest-wait", "fired"), ("longest-wait", "cleared")]


async def test_what_another_worker_wrote_meanwhile_stands(world: World) -> None:
    cut_off = world.worker(RULE)
    world.wait_s = 0
    await world.live(1, cut_off)
    await world.take_tables()
    world.wait_s = 200
    await world.live(40, cut_off)
    await world.bring_tables()
    await world.live(31, world.worker(RULE))
    await world.live(10, cut_off)
    world.wait_s = 0
    await world.live(3, cut_off, world.worker(RULE))
    assert [kind for _, kind in world.mail.told] == ["fired", "fired", "cleared"], "at least once, cleared once"
    steps = [each.kind for each in await cut_off.steps("longest-wait")]
    assert (steps.count("fired"), steps.count("sent")) == (2, 3), "also what the one that was cut off did"


async def test_a_notice_of_an_outage_that_the_relay_did_not_take_is_tried_again(world: World) -> None:
    worker = world.worker(DOWN)
    world.failing["sql"] = world.clock.passed
    await world.take_tables()
    world.mail.works = False
    await world.live(25, worker)
    world.mail.works = True
    await world.live(10, worker)
    assert world.mail.told == [("down", "fired")]
