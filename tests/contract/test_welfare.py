"""Welfare tasks and the distress flag, by sentence (docs/safety/rules.md, 1 and 4), on each kind of database."""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from alerts.life.store import AlertStore
from alerts.rules.loading import DEFAULT_RULES, load_rules
from callrouter import events as ev
from callrouter.approvals import RoleMissing
from callrouter.call_backs.service import CallBackList
from callrouter.handover import Role, SignedIn
from callrouter.journal import Journal, seal
from callrouter.ports import PlanFound
from callrouter.repeat.contacts import RepeatCalls
from callrouter.welfare.notices import WelfareNotices
from callrouter.welfare.service import NoSuchTask, Task, Welfare
from callrouter.welfare.unanswered import Unanswered
from infra.bus import Entry, MemoryStream
from infra.crypto import KeyRing
from infra.numbers import read_number
from infra.sql import Database
from tests.hand_clock import HandClock
from tests.service import FakePlans

NOW = datetime(2026, 6, 3, 12, tzinfo=UTC)
NUMBER = "+447700900123"
CARE_HOME = "+442079460055"
NURSE = SignedIn("Nina", Role.CLINICIAN)
FLAG = ev.RedFlagHeard(node="menu", lexicon="1", category="breathing", words="cannot breathe")
CRISIS = ev.LookedUp(what="plan", gap="", took_ms=1.0, outcome="candidates", reason="by_number", raises=True)
OTHER_PLAN = ev.LookedUp(what="plan", gap="", took_ms=1.0, outcome="candidates", reason="by_number", raises=False)
DISTRESS = ev.LookedUp(
    what="repeat", gap="", took_ms=1.0, outcome="NRC", reason="", raises=True, detail={"distress": True}
)
REPEAT = ev.LookedUp(what="repeat", gap="", took_ms=1.0, outcome="PRC", reason="by_number", raises=True)
MENU = ev.NodeEntered(node="menu")
ANSWERED = ev.LegAnswered(provider="north", evidence="agent")

SWITCH = ev.LegAnswered(provider="north", evidence="answer_unknown")


def ended(end_class: str = "abandoned", by: str = "caller") -> ev.Ended:
    return ev.Ended(end_class=end_class, reason="hung_up", by=by)


@dataclass
class House:
    """A database with journal, stream and two workers that read it."""

    database: Database
    keys: KeyRing = field(default_factory=lambda: KeyRing(os.urandom(32), os.urandom(32)))
    clock: HandClock = field(default_factory=lambda: HandClock(NOW))
    stream: MemoryStream = field(default_factory=MemoryStream)
    plans: FakePlans = field(default_factory=FakePlans)

    def __post_init__(self) -> None:
        self.journal = Journal(self.database, self.keys)
        self.repeats = RepeatCalls(self.database, self.keys, lambda number: number == CARE_HOME)
        self.store = AlertStore(self.database)

    def welfare(self) -> Welfare:
        """As a process has it that has just been started."""
        rules = load_rules(DEFAULT_RULES, ["north"], ["sql"])
        return Welfare(self.database, self.keys, self.clock, WelfareNotices(self.store, rules))

    def reader(self) -> Unanswered:
        call_backs = CallBackList(self.database, self.keys, self.clock)
        return Unanswered(self.stream, self.journal, self.repeats, self.welfare(), call_backs, self.plans)

    async def call(
        self, call_ref: str, *events: ev.Event, number: str | None = NUMBER, resumes: str | None = None
    ) -> list[Entry]:
        """A call that is over and written down."""
        offered = ev.Offered(
            network="sip", dialled="111", cli_class="present", flow="f", flow_version="1", context=f"{call_ref:0>32}",
            number=number, resumes=resumes,
        )  # fmt: skip
        key = self.keys.new_data_key()
        told = enumerate((offered, *events), 1)
        entries = [seal(each, call_ref, seq, self.clock.now(), key) for seq, each in told]
        await self.journal.write(entries)
        await self.stream.append(entries)
        return entries

    async def tasks(self) -> list[Task]:
        """The list after everything was read."""
        reader = self.reader()
        await reader.join()
        while await reader.step(0):
            pass
        return await self.welfare().tasks(NURSE)


@pytest.fixture
async def house(database: Database) -> House:
    house = House(database)
    await house.reader().join()
    return house


ONE_KIND = pytest.mark.parametrize("database_kind", ["sqlite"])
"""What the database has no part in."""


@ONE_KIND
@pytest.mark.parametrize(
    ("events", "expected"),
    [
        pytest.param([FLAG, MENU, ended()], 1, id="red flag, hangs up"),
        pytest.param([FLAG, MENU, ended("dropped_by_us", by="us")], 1, id="red flag, cut off"),
        pytest.param([CRISIS, ended("left_in_message")], 1, id="crisis plan, only a candidate"),
        pytest.param([DISTRESS, ended()], 1, id="distress flag"),
        pytest.param([FLAG, ANSWERED, ended("answered")], 0, id="red flag, and a person answered"),
        pytest.param([FLAG, SWITCH, ended("answer_unknown")], 1, id="red flag, and a switch answered"),
        pytest.param([SWITCH, ended("answer_unknown")], 0, id="a switch answered, nothing else"),
        pytest.param([OTHER_PLAN, ended()], 0, id="another plan"),
        pytest.param([REPEAT, ended()], 0, id="repeat caller"),
        pytest.param([MENU, ended()], 0, id="nothing of the kind"),
    ],
)
async def test_who_leaves_at_risk_before_a_person_answered_makes_one_task(
    house: House, events: list[ev.Event], expected: int
) -> None:
    await house.call("one", *events)

    assert len(await house.tasks()) == expected


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        pytest.param(PlanFound("candidates", "by_number", raises=True), 1, id="crisis plan"),
        pytest.param(PlanFound("unavailable", "failed"), 1, id="nobody can tell"),
        pytest.param(PlanFound("candidates", "by_number"), 0, id="another plan"),
        pytest.param(PlanFound("none", "by_number"), 0, id="no plan"),
    ],
)
async def test_who_goes_before_the_flow_asked_for_plans_is_looked_up_then(
    house: House, found: PlanFound, expected: int
) -> None:
    house.plans.found = found
    await house.call("one", MENU, ended("left_in_message"))
    await house.call("withheld", MENU, ended("left_in_message"), number=None)

    assert len(await house.tasks()) == expected


async def test_a_task_says_number_last_step_and_time_and_the_database_not_even_that(house: House) -> None:
    await house.call("one", CRISIS, MENU, ended())
    (task,) = await house.tasks()

    assert (task.number, task.last_step, task.left_at) == (NUMBER, "menu", NOW)
    rows = await house.database.read(lambda connection: connection.execute(text("SELECT * FROM welfare_tasks")).all())
    assert NUMBER[-6:] not in str(rows)


async def test_two_workers_that_read_the_same_make_one_task(house: House) -> None:
    entries = await house.call("one", FLAG, MENU, ended())
    first, second = house.reader(), house.reader()
    await asyncio.gather(first.step(0), second.step(0))
    await house.stream.append(entries)  # told once more, as after a death
    assert len(await house.tasks()) == 1


async def test_a_call_resumed_after_we_cut_it_off_and_left_again_is_one_task(house: House) -> None:
    await house.call("one", FLAG, MENU, ended("dropped_by_us", by="us"))
    await house.call("two", FLAG, MENU, ended("dropped_by_us", by="us"), resumes="one")
    await house.call("three", FLAG, MENU, ended(), resumes="one")

    assert len(await house.tasks()) == 1


async def test_a_call_whose_journal_is_behind_is_waited_for(house: House) -> None:
    key = house.keys.new_data_key()
    last = seal(ended(), "late", 9, NOW, key)
    await house.stream.append([last])
    assert await house.reader().step(0) == 0
    await house.call("late", FLAG, MENU, ended())
    assert len(await house.tasks()) == 1


async def test_the_first_clinician_has_it_and_nobody_else_may(house: House) -> None:
    await house.call("one", FLAG, ended())
    (task,) = await house.tasks()
    welfare = house.welfare()
    for role in set(Role) - {Role.CLINICIAN}:
        with pytest.raises(RoleMissing):
            await welfare.tasks(SignedIn("Sam", role))
        with pytest.raises(RoleMissing):
            await welfare.acknowledge(task.id, SignedIn("Sam", role))
    with pytest.raises(NoSuchTask):
        await welfare.acknowledge("nothing", NURSE)
    taken = await welfare.acknowledge(task.id, NURSE)
    again = await welfare.acknowledge(task.id, SignedIn("Otto", Role.CLINICIAN))
    assert (taken.acknowledged_by, again.acknowledged_by) == ("Nina", "Nina")
    assert [each.is_open for each in await welfare.tasks(NURSE)] == [False]
    house.clock.move(2 * 3600 + 1)
    assert await welfare.tasks(NURSE) == []


async def test_the_call_of_a_task_is_named_to_who_has_taken_it_on_and_to_no_other(house: House) -> None:
    await house.call("one", CRISIS, MENU, ended())
    (task,) = await house.tasks()
    assert task.context == ""
    mine = await house.welfare().acknowledge(task.id, NURSE)
    other = SignedIn("Otto", Role.CLINICIAN)
    late = await house.welfare().acknowledge(task.id, other)
    listed = [(await house.welfare().tasks(who))[0] for who in (NURSE, other)]
    assert [each.context for each in (mine, late, *listed)] == [f"{'one':0>32}", "", f"{'one':0>32}", ""]


async def test_open_tasks_stand_on_top_who_left_first_first(house: House) -> None:
    for number in "123":
        await house.call(f"call{number}", FLAG, ended(), number=f"+44770090000{number}")
        house.clock.move(5)
    tasks = await house.tasks()
    assert [str(each.number)[-1] for each in tasks] == ["1", "2", "3"]
    await house.welfare().acknowledge(tasks[0].id, NURSE)
    assert [str(each.number)[-1] for each in await house.welfare().tasks(NURSE)] == ["2", "3", "1"]


async def test_no_task_is_called_told_where_no_rule_names_anybody(house: House) -> None:
    await house.call("one", FLAG, ended())
    assert len(await house.tasks()) == 1
    house.clock.move(121)
    untold = Welfare(house.database, house.keys, house.clock, WelfareNotices(house.store, []))
    assert await untold.look_after() == 0
    assert [each.escalated_at for each in await house.tasks()] == [None]
    assert await house.welfare().look_after() == 1  # a rule was added
    assert len(await house.store.open_deliveries("email")) == 1


async def test_unacknowledged_after_two_minutes_the_duty_manager_is_told_once(house: House) -> None:
    await house.call("one", FLAG, ended())
    await house.call("two", FLAG, ended())
    one, _two = await house.tasks()
    await house.welfare().acknowledge(one.id, NURSE)
    house.clock.move(119)
    assert await house.welfare().look_after() == 0
    house.clock.move(1)
    await asyncio.gather(house.welfare().look_after(), house.welfare().look_after())  # two processes, each started anew
    assert await house.welfare().look_after() == 0
    (notice,) = await house.store.open_deliveries("email")
    assert notice.notice.recipient.name == "Duty manager"
    assert NUMBER[-6:] not in str(notice)
    assert [each.escalated_at is not None for each in await house.welfare().tasks(NURSE)] == [True, False]


async def short_calls(house: House, *, number: str = NUMBER, apart_s: float = 200, by: str = "caller") -> None:
    for n in range(3):
        await house.call(
            f"short{n}", MENU, ended("left_in_message" if by == "caller" else "dropped_by_us", by), number=number
        )
        house.clock.move(apart_s)


async def in_distress(house: House, number: str = NUMBER) -> bool:
    found = await house.repeats.find(read_number(number), house.clock.now())
    assert found.raises == found.distress
    return found.distress


async def test_three_calls_that_the_caller_ended_within_ten_minutes_are_distress(house: House) -> None:
    await short_calls(house)
    assert len(await house.tasks()) == 1  # who left a third time is looked after at once
    house.clock.time = NOW + timedelta(minutes=10)
    assert await in_distress(house)
    house.clock.move(1)
    assert not await in_distress(house)


@ONE_KIND
@pytest.mark.parametrize(
    ("number", "by", "apart_s"),
    [
        pytest.param(NUMBER, "us", 10, id="those that we dropped"),
        pytest.param(CARE_HOME, "caller", 10, id="a shared line"),
        pytest.param(NUMBER, "caller", 301, id="three in more than ten minutes"),
    ],
)
async def test_no_distress(house: House, empty_database: Database, number: str, by: str, apart_s: float) -> None:
    await short_calls(house, number=number, by=by, apart_s=apart_s)
    assert await house.tasks() == []
    assert not await in_distress(house, number)


async def test_a_line_in_distress_makes_one_open_task_however_often_it_hangs_up(house: House) -> None:
    await short_calls(house, apart_s=20)
    await house.call("fourth", MENU, ended())
    assert len(await house.tasks()) == 1
