"""Alerts on what the service stands on: each part, each process, each failed call."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from alert_calls import Told
from alert_parts import DOWN, LAG, World
from alert_rule import RULE
from sqlalchemy import text

from alerts.errors import RulesError
from alerts.figures.kpi import LiveFigures
from alerts.life.outage import OutageStore
from alerts.life.service import AlertService
from alerts.life.store import AlertStore
from alerts.model import Escalation, Parts
from alerts.notices.wording import body, subject
from alerts.rules.loading import load_rules
from callrouter import events as ev
from infra.sql import Database


@pytest.fixture
def world(database: Database) -> World:
    return World(database)


async def test_a_part_that_does_not_work_for_long_is_told_and_so_is_its_return(world: World) -> None:
    worker = world.worker(DOWN)
    world.failing["redis"] = world.clock.passed
    await world.live(20, worker)
    assert world.mail.told == []
    await world.live(10, worker)
    assert world.mail.told == [("down", "fired")]
    del world.failing["redis"]
    await world.live(10, worker)
    assert world.mail.told == [("down", "fired"), ("down", "cleared")]
    fired, cleared = world.mail.taken
    assert subject(fired) == "[WARNING] A part does not work: Redis (live calls), seen by worker one, 20 s"
    assert "Time since it stopped working: 20 s (alert from 20 s" in body(fired)
    assert subject(cleared).startswith("[CLEARED] A part does not work: Redis (live calls)")


async def test_who_takes_an_alert_on_by_way_of_a_process_that_does_not_see_it_has_it_everywhere(world: World) -> None:
    rule = replace(DOWN, dependency=None, escalate=(Escalation(300, RULE.who),))
    sees, works = world.worker(rule), AlertService(
        (rule,), world.figures, {}, OutageStore(AlertStore(world.database), world.clock, ["down"]), world.clock,
        parts=lambda: Parts({"sql": 0.0, "redis": 0.0}),
    )  # fmt: skip
    world.failing = {"redis": 0}
    await world.live(25, sees, works)
    (fired,) = world.mail.taken
    page = fired.link.rpartition("/")[2]
    assert await works.elsewhere("0" * 16) is None
    shown = await works.elsewhere(page)
    assert shown is not None
    assert shown.state.phase == "firing"
    assert await works.acknowledge(shown.state.rule, "Sam Example", "page")
    assert await works.acknowledge(shown.state.rule, "Kim Example", "page")  # the first has it
    await world.live(2, sees, works)
    (seen,) = (each for each in await sees.shown() if each.page == page)
    assert (seen.state.phase, seen.state.acknowledged_by) == ("acknowledged", "Sam Example")
    shown = await works.elsewhere(page)
    assert shown is not None
    assert shown.state.acknowledged_by == "Sam Example"
    world.clock.passed += 400
    await world.live(2, sees)
    assert len(world.mail.taken) == 1
    world.failing = {}
    await world.live(2, sees)
    world.failing = {"redis": world.clock.passed}  # a new episode is nobody's
    await world.live(25, sees)
    assert world.mail.told == [("down", "fired"), ("down", "cleared"), ("down", "fired")]


async def test_each_part_has_an_alert_of_its_own(world: World) -> None:
    worker = world.worker(DOWN)
    world.failing["redis"] = 0
    await world.live(30, worker)
    world.failing["asterisk:two"] = 30
    await world.live(30, worker)
    del world.failing["redis"]
    await world.live(2, worker)
    assert [(each.kind, each.where.partition(",")[0]) for each in world.mail.taken] == [
        ("fired", "Redis (live calls)"),
        ("fired", "Asterisk two"),
        ("cleared", "Redis (live calls)"),
    ]
    assert len({each.id for each in world.mail.taken}) == 3


@pytest.mark.parametrize(("dependency", "told"), [("asterisk", 2), ("asterisk:two", 1), ("sql", 0), (None, 2)])
async def test_a_rule_may_watch_one_part_or_one_kind(world: World, dependency: str | None, told: int) -> None:
    world.failing |= {"asterisk:one": 0, "asterisk:two": 0}
    await world.live(25, world.worker(replace(DOWN, dependency=dependency)))
    assert sum(len(each.alerts) for each in world.mail.taken) == told
    assert len(world.mail.taken) == min(told, 1), "what breaks at once is one notice"


async def test_a_step_that_the_database_refuses_does_not_make_it_count_as_away(world: World) -> None:
    """Else each worker would go on in memory and tell everybody's alerts by itself."""
    when = "BEFORE INSERT ON alert_steps WHEN NEW.alert LIKE 'down%'"
    refused = f"CREATE TRIGGER refused {when} BEGIN SELECT RAISE(ABORT, 'no'); END"
    await world.database.write(lambda connection: connection.execute(text(refused)))
    workers = [world.worker(DOWN, RULE) for _ in range(2)]
    world.failing["redis"], world.wait_s = 0, 200.0
    await world.live(60, *workers)
    assert sorted(world.mail.told) == [("down", "fired"), ("down", "fired"), ("longest-wait", "fired")]
    await world.database.write(lambda connection: connection.execute(text("DROP TRIGGER refused")))
    await world.live(40, *workers)
    steps = await AlertStore(world.database).steps("down:redis")
    assert {each.kind for each in steps} >= {"fired"}, "it waited in memory"


async def test_events_that_do_not_reach_the_journal_are_told(world: World) -> None:
    worker = world.worker(LAG)
    world.lag_s = 61.0
    await world.live(2, worker)
    world.lag_s = 0.0
    await world.live(2, worker)
    assert world.mail.told == [("lag", "fired"), ("lag", "cleared")]
    assert "Age of the oldest event that is not in the journal: 1 min 1 s" in body(world.mail.taken[0])


async def test_what_one_worker_sees_no_other_contradicts(world: World) -> None:
    one, other = world.worker(DOWN), world.worker(DOWN)
    for _ in range(60):
        world.failing["redis"] = 0
        await one.tick()
        del world.failing["redis"]
        await other.tick()
        world.clock.passed += 1
    assert world.mail.told == [("down", "fired")]


FAILED = replace(RULE, name="failed", title="Calls fail", metric="failed_calls", threshold=1, clear=0.5, for_s=0)


@pytest.mark.parametrize(
    "event", [ev.SessionFailed(node="menu", error_id="too_many_steps"), ev.HandedBack(reason="step_failed")]
)
async def test_a_call_that_failed_is_told_at_once_and_is_old_news_after_a_quarter_of_an_hour(
    world: World, event: ev.Event
) -> None:
    live = LiveFigures({})
    for entry in Told().offered().at(5, event).ended(9, "dropped_by_us").entries:
        live.apply(entry)
        live.apply(entry)  # the stream may bring it twice
    service = AlertService(
        (FAILED,), lambda: live.figures(world.clock.now()), {"email": world.mail},
        OutageStore(AlertStore(world.database), world.clock), world.clock,
    )  # fmt: skip
    world.clock.passed = 10
    await world.live(2, service)
    (fired,) = world.mail.taken
    assert subject(fired) == "[WARNING] Calls fail: Whole service, 1 call"
    assert "Number of calls of the last 15 minutes that failed: 1 (alert from 1, worst so far 1)" in body(fired)
    world.clock.passed = 5 + 15 * 60
    await world.live(1, service)
    assert world.mail.told == [("failed", "fired"), ("failed", "cleared")]


RULES = """\
link: http://localhost/
alerts:
  - name: down
    title: Down
    metric: dependency_down_s
    dependency: asterisk:one
    threshold: 20
    clear_below: 1
    for_s: 0
    severity: critical
    usually_helps: Look.
    source: a test
    who:
      - name: Duty manager
        email: duty@localhost
"""


@pytest.mark.parametrize(
    ("line", "instead", "told"),
    [
        ("asterisk:one", "fax", ":6: dependency: fax is none of asterisk, sql"),
        (
            "dependency: asterisk:one",
            "scope: provider:kings",
            ":6: scope: dependency_down_s is of the whole service only",
        ),
        (
            "metric: dependency_down_s",
            "metric: journal_lag_s",
            ":6: dependency: goes with the metric dependency_down_s",
        ),
    ],
)
def test_a_rule_that_watches_what_does_not_exist_is_refused(tmp_path: Path, line: str, instead: str, told: str) -> None:
    path = tmp_path / "alerts.yaml"
    path.write_text(RULES)
    assert load_rules(path, (), ("sql", "asterisk"))[0].dependency == "asterisk:one"
    path.write_text(RULES.replace(line, instead))
    with pytest.raises(RulesError) as refused:
        load_rules(path, ("kings",), ("sql", "asterisk"))
    assert f"alerts.yaml{told}" in str(refused.value)
