"""What rules read of windows, of the usual, and of other rules; and what nobody can judge."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta

import pytest
from alert_calls import Told
from alert_rule import RULE

from alerts.figures.items import CLASSES, ITEMS, Clock, Kpis, Scope, ScopeKind, Seconds
from alerts.figures.kpi import LiveFigures
from alerts.figures.usual import Usual
from alerts.life.service import AlertService
from alerts.life.store import AlertStore
from alerts.model import Condition, Figures, Notice, Rule, ScopeFigures, Window
from alerts.notices.wording import body, subject
from alerts.rules.readings import COUNTED_FOR_S
from alerts.rules.rotas import Hours
from infra.sql import Database
from tests.hand_clock import HandClock

SERVICES = ("gp", "dental", "pharmacy")
SLOW = replace(RULE, name="slow", title="Slower than usual", metric="centile95_s", scope="each service", window=60,
               than_usual=True, threshold=25, clear=15, for_s=0)  # fmt: skip


def kpis(scope: Scope, start: datetime, *, offered: float = 100, p95: float | None = 60, abandoned: float = 2,
         within: float = 90, answered: float = 95) -> Kpis:  # fmt: skip
    """The figures of an hour; the codes that nothing here reads are None."""
    values: dict[str, float | None] = dict.fromkeys(ITEMS)
    values |= {"A01": offered, "A03": answered, "B01": within, "B02": abandoned, "B06": answered * 15, "B07": p95}
    ends = dict.fromkeys(CLASSES, 0) | {"answered": int(offered)}
    return Kpis(
        scope=scope, name=str(scope), start=start, end=start + timedelta(hours=1), clock="offered", ends=ends,
        values=values, seconds=Seconds(), waits=Seconds(),
    )  # fmt: skip


class Past:
    """Weeks of hours in which every service's 95th centile was 60 s, and 100 calls came."""

    def __init__(self, weeks: int) -> None:
        self.weeks = weeks

    async def hours(self, first: date, last: date, kind: ScopeKind, clock: Clock = "offered") -> Sequence[Kpis]:
        start = HandClock().now().replace(minute=0, second=0)
        scopes = [Scope("total")] if kind == "total" else [Scope(kind, each) for each in SERVICES]
        starts = (start - timedelta(weeks=n + 1) for n in range(self.weeks))
        return [kpis(scope, at) for at in starts if first <= at.date() <= last for scope in scopes]


class World:
    """A service whose windows the test sets."""

    def __init__(self, database: Database) -> None:
        self.store = AlertStore(database)
        self.clock = HandClock()
        self.usual = Usual()
        self.now: dict[Scope, Kpis] = {}
        self.live: LiveFigures | None = None
        self.counted = timedelta(minutes=15)
        self.wait_s = 0.0
        self.seen_at = self.clock.now()
        self.taken: list[Notice] = []

    async def send(self, notice: Notice) -> None:
        self.taken.append(notice)

    def windows(self, window: Window, kind: ScopeKind) -> Sequence[Kpis]:
        if self.live is not None and window != "today":
            return self.live.window(self.clock.now(), window, kind)
        return [each for scope, each in self.now.items() if scope.kind == kind]

    def figures(self) -> Figures:
        total = ScopeFigures(scope="total", name="Whole service", longest_wait_s=self.wait_s, waiting=3)
        return Figures(self.seen_at, total, ())

    def be(self, scope: str, **values: float | None) -> None:
        found = Scope.read(scope)
        self.now[found] = replace(kpis(found, self.clock.now() - self.counted, **values), end=self.clock.now())

    def service(self, *rules: Rule) -> AlertService:
        return AlertService(
            rules, self.figures, {"email": self}, self.store, self.clock, windows=self.windows, usual=self.usual
        )

    async def fires(self, *rules: Rule) -> list[str]:
        """What fires after one look."""
        service = self.service(*rules)
        await service.tick()
        return sorted(alert for alert, state in (await self.store.states()).items() if state.is_open)


@pytest.fixture
def world(database: Database) -> World:
    return World(database)


@pytest.mark.parametrize(
    ("metric", "values", "threshold", "worse", "fires"),
    [
        ("abandoned_share", {"abandoned": 3.0}, 0.03, "above", True),
        ("abandoned_share", {"abandoned": 2.9}, 0.03, "above", False),
        ("answered_60_share", {"within": 94, "answered": 100}, 0.95, "below", True),
        ("answered_60_share", {"within": 96, "answered": 100}, 0.95, "below", False),
        ("average_answer_s", {}, 15, "above", True),
        ("centile95_s", {"p95": 121}, 120, "above", True),
        ("centile95_s", {"p95": None}, 120, "above", False),
        ("offered", {"offered": 0}, 0, "below", True),
        ("offered", {"offered": 1}, 0, "below", False),
        ("answer_unknown", {}, 1, "above", False),
    ],
)
async def test_a_rule_reads_the_figure_that_it_names(
    world: World, metric: str, values: dict[str, float | None], threshold: float, worse: str, fires: bool
) -> None:
    world.be("total", **values)
    rule = replace(RULE, metric=metric, threshold=threshold, clear=threshold, worse=worse, for_s=0)
    assert await world.fires(rule) == (["longest-wait"] if fires else [])


async def test_callers_waiting_are_a_figure_of_now(world: World) -> None:
    assert await world.fires(replace(RULE, metric="waiting", threshold=3, for_s=0)) == ["longest-wait"]


async def test_less_is_worse_and_clears_above(world: World) -> None:
    rule = replace(RULE, metric="answered_60_share", threshold=0.9, clear=0.95, worse="below", for_s=0)
    service = world.service(rule)
    for within in (85.0, 80.0, 93.0, 96.0):
        world.clock.move(COUNTED_FOR_S)
        world.be("total", within=within, answered=100)
        await service.tick()
    fired, cleared = world.taken
    assert "answered within 60 s: 85.0 % (alert at or below 90.0 %, worst so far 85.0 %)" in body(fired)
    assert ": 96.0 % (clear above 95.0 %, worst so far 80.0 %)" in body(cleared)


@pytest.mark.parametrize(("weeks", "fires"), [(8, ["slow:service:gp"]), (4, ["slow:service:gp"]), (3, [])])
async def test_worse_than_usual_needs_four_such_hours(world: World, weeks: int, fires: list[str]) -> None:
    await world.usual.learn(Past(weeks), ["service"], world.clock.now())
    world.be("service:gp", p95=75)
    world.be("service:dental", p95=74)
    service = world.service(SLOW)
    await service.tick()
    assert sorted(each.alert for each in world.taken) == fires
    if fires:
        assert subject(world.taken[0]).endswith("service:gp, 25 % worse than usual for this hour")
    else:
        assert set(service.unjudged.values()) == {"fewer than four such hours are on record"}


async def test_a_count_is_compared_by_the_hour(world: World) -> None:
    await world.usual.learn(Past(8), ["total"], world.clock.now())
    rule = replace(RULE, metric="offered", window=15, than_usual=True, threshold=25, clear=10, for_s=0)
    world.be("total", offered=31)  # of 25 that are usual in a quarter of an hour
    assert await world.fires(rule) == []
    world.be("total", offered=32)
    assert await world.fires(rule) == ["longest-wait"]


async def test_a_minute_that_has_only_begun_is_not_counted_as_a_whole_one(world: World) -> None:
    await world.usual.learn(Past(8), ["total"], world.clock.now())
    rule = replace(RULE, metric="offered", window=15, than_usual=True, threshold=25, clear=10, for_s=0, worse="below")
    world.counted = timedelta(minutes=14, seconds=1)  # the window holds the minute in progress
    world.be("total", offered=18)  # of 23.4
    assert await world.fires(rule) == []
    world.be("total", offered=17)
    assert await world.fires(rule) == ["longest-wait"]


async def test_a_share_of_few_calls_of_a_place_or_a_need_is_not_judged(world: World) -> None:
    rule = replace(RULE, metric="abandoned_share", scope="each service", threshold=0.5, clear=0.1, for_s=0)
    world.be("service:gp", offered=4, abandoned=3)
    world.be("service:dental", offered=5, abandoned=3)
    assert await world.fires(rule) == ["longest-wait:service:dental"], "three of four would be told"
    world.be("provider:kings", offered=4, abandoned=3)
    assert "longest-wait:provider:kings" in await world.fires(replace(rule, scope="each provider"))


async def test_no_calls_are_an_alert_where_there_are_some_usually(world: World) -> None:
    silent = replace(RULE, metric="offered", scope="each service", threshold=0, clear=0, worse="below", for_s=0,
                     usual_at_least=4)  # fmt: skip
    world.live, now = LiveFigures({}), world.clock.now()
    for service, minutes in (("gp", 16), ("dental", 5)):
        for entry in Told(service, now - timedelta(minutes=minutes)).offered().leg(1, "kings", service).entries:
            world.live.apply(entry)
    assert await world.fires(silent) == [], "nobody knows yet what is usual"
    await world.usual.learn(Past(8), ["service"], now)
    assert await world.fires(silent) == ["longest-wait:service:gp", "longest-wait:service:pharmacy"]
    assert (world.taken[0].where, len(world.taken[0].also)) == ("service:gp", 1), "told together"
    world.clock.move(COUNTED_FOR_S)
    for entry in Told("again", world.clock.now()).offered().leg(0, "kings", "pharmacy").entries:
        world.live.apply(entry)
    assert await world.fires(silent) == ["longest-wait:service:gp"]
    world.live = None
    service = world.service(silent)
    await service.tick()
    assert service.unjudged["longest-wait"] == "the figures are not known yet"


@pytest.mark.parametrize(
    ("p95", "fires"),
    [
        ({"gp": 74, "dental": 60, "pharmacy": 60}, []),
        ({"gp": 75, "dental": 60, "pharmacy": 60}, ["stop"]),
        ({"gp": 70, "dental": 60, "pharmacy": 60}, []),
        ({"gp": 70, "dental": 69, "pharmacy": 60}, ["stop"]),
    ],
)
async def test_the_stop_template_one_service_25_percent_worse_or_several_15(
    world: World, p95: dict[str, float], fires: list[str]
) -> None:
    await world.usual.learn(Past(8), ["service"], world.clock.now())
    for service, value in p95.items():
        world.be(f"service:{service}", p95=value)
    stop = replace(RULE, name="stop", metric="composite", threshold=1, clear=1, for_s=0,
                   any_of=(Condition("slow"), Condition("slow-15", 2)))  # fmt: skip
    found = await world.fires(stop, SLOW, replace(SLOW, name="slow-15", threshold=15, clear=10))
    assert [each for each in found if each == "stop"] == fires


async def test_all_of_needs_all(world: World) -> None:
    both = replace(RULE, name="both", metric="composite", threshold=1, clear=1, for_s=0,
                   all_of=(Condition("longest-wait"), Condition("waiting")))  # fmt: skip
    waiting = replace(RULE, name="waiting", metric="waiting", threshold=3, clear=2, for_s=0)
    assert await world.fires(both, replace(RULE, for_s=0), waiting) == ["waiting"]
    world.wait_s = 200
    assert await world.fires(both, replace(RULE, for_s=0), waiting) == ["both", "longest-wait", "waiting"]


@pytest.mark.parametrize(
    ("situation", "told"),
    [("nan", "no number"), ("infinite", "no number"), ("future", "from the future"), ("few", "too few calls")],
)
async def test_what_nobody_can_judge_fires_nothing_clears_nothing_and_is_shown(
    world: World, situation: str, told: str
) -> None:
    shares = replace(RULE, metric="abandoned_share", threshold=0.03, clear=0.02, for_s=0, calls_at_least=20)
    rule = shares if situation == "few" else replace(RULE, for_s=0)
    world.wait_s = 200
    world.be("total", abandoned=50)
    service = world.service(rule)
    await service.tick()
    world.wait_s = {"nan": math.nan, "infinite": math.inf}.get(situation, 0.0)
    if situation == "future":
        world.seen_at += timedelta(minutes=1)
    world.now[Scope("total")] = replace(world.now[Scope("total")], ends={"answered": 19})
    if situation == "few":
        world.clock.move(COUNTED_FOR_S)
    await service.tick()
    assert [each.kind for each in world.taken] == ["fired"]
    assert told in service.unjudged["longest-wait"]


async def test_nothing_begins_outside_the_hours_of_a_rule_and_what_has_begun_goes_on(world: World) -> None:
    saturday = Hours(frozenset({5}), time(13), time(14))
    rule = replace(RULE, for_s=0, hours=(saturday,))
    service = world.service(rule)
    world.wait_s = 200
    for told in ([], ["fired"], ["fired"], ["fired", "cleared"]):
        world.seen_at = world.clock.now()
        if len(told) == 2:
            world.wait_s = 0
        await service.tick()
        assert [each.kind for each in world.taken] == told
        world.clock.move(3600)


def test_office_hours_leave_out_bank_holidays_and_follow_the_clocks() -> None:
    office = Hours(frozenset(range(5)), time(8), time(18), not_on_bank_holidays=True)
    assert office.holds(datetime(2026, 6, 1, 7, tzinfo=UTC)), "08:00 in summer"
    assert not office.holds(datetime(2026, 12, 1, 7, tzinfo=UTC)), "07:00 in winter"
    assert not office.holds(datetime(2026, 12, 25, 12, tzinfo=UTC)), "a bank holiday"
    assert not office.holds(datetime(2026, 12, 26, 12, tzinfo=UTC)), "a Saturday"
