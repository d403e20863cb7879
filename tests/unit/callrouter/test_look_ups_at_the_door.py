"""Look-ups: within their budget or gone on without; a hang-up does not wait for them."""

from __future__ import annotations

import asyncio
from datetime import datetime
from pathlib import Path

import pytest
import structlog
from call_world import NUMBER, SOON_S, FindPlan, Hanging, House, NewHouse
from flows.player import inline

from callrouter import events as ev
from callrouter.model import InputKind
from callrouter.plans.pathways import FoundPlans
from callrouter.ports import PlanFound, RepeatFound
from careplans.service import CarePlans
from careplans.store import metadata
from infra.breaker import PAUSE_S, TRIPS
from infra.crypto import KeyRing
from infra.health import Health
from infra.numbers import Number
from infra.sql import connect_database
from ivr.actions.lookup import OUTCOMES
from ivr.model import Band, GatherWait, LegWait
from tests.plan_house import row


async def store_is_broken(number: Number) -> PlanFound:
    raise OSError(f"no route to the store of {number.e164}")


async def crisis_plan(number: Number) -> PlanFound:
    return PlanFound("candidates", "one", raises=True, candidates=("plan-1",))


async def was_cancelled(number: Number) -> PlanFound:
    raise asyncio.CancelledError


async def looked_up(house: House, what: str) -> ev.LookedUp:
    found = [each for each in await house.events(ev.LookedUp) if each.what == what]
    assert len(found) == 1
    return found[0]


async def test_plan_that_raises_is_told_to_the_person_and_not_to_the_caller(house: House) -> None:
    house.facts.plan = crisis_plan
    reply = await house.press("3", await house.start())

    assert isinstance(reply.wait, LegWait)
    assert reply.wait.target == "handlers", "a caller with a crisis plan is not diverted"
    found = await looked_up(house, "plan")
    assert found.outcome == "candidates"
    assert found.detail is not None
    assert found.detail["candidates"] == ["plan-1"]


async def test_hang_up_overtakes_a_look_up(house: House) -> None:
    hanging = Hanging()
    house.facts.plan = hanging
    pressed = asyncio.ensure_future(house.press("1", await house.start()))
    await asyncio.wait_for(hanging.begun.wait(), SOON_S)

    await asyncio.wait_for(house.tell(InputKind.HUNG_UP, "caller hung_up"), SOON_S)
    assert (await pressed).instructions == ()
    assert await house.end_class() == "left_in_message"
    assert await house.events(ev.LookedUp) == []


async def test_look_up_over_its_budget_is_unavailable_and_the_call_goes_on(house: House) -> None:
    house.facts.plan = Hanging()
    house.door = house.new_door(budget_s=0.01)
    reply = await house.press("1", await house.start())

    assert isinstance(reply.wait, LegWait)
    found = await looked_up(house, "plan")
    assert (found.outcome, found.reason) == ("unavailable", "timed_out")


async def test_earlier_calls_over_budget_are_an_error_and_not_a_no(house: House) -> None:
    async def hangs(number: Number, started: datetime) -> RepeatFound:
        await asyncio.Event().wait()
        raise AssertionError("never comes here")

    house.facts.repeat = hangs
    house.door = house.new_door(budget_s=0.01)
    await house.press("1", await house.start())

    found = await looked_up(house, "repeat")
    assert (found.outcome, found.reason) == ("ER", "timed_out")


@pytest.mark.parametrize("broken", [store_is_broken, was_cancelled])
async def test_look_up_that_fails_is_unavailable_and_the_call_goes_on(house: House, broken: FindPlan) -> None:
    house.facts.plan = broken
    reply = await house.press("1", await house.start())

    assert isinstance(reply.wait, LegWait)
    found = await looked_up(house, "plan")
    assert (found.outcome, found.reason) == ("unavailable", "failed")


@pytest.mark.parametrize("number", ["", "anonymous", "08979 123456"])
async def test_number_that_may_not_be_looked_up_is_not(house: House, number: str) -> None:
    house.facts.plan = store_is_broken
    await house.press("1", await house.start(number=number))

    found = await looked_up(house, "plan")
    assert found.outcome == "none"
    assert found.reason.startswith("number_")


@pytest.mark.parametrize(("outcome", "band"), [("RC", Band.RAISED), ("NRC", Band.NORMAL), ("ER", Band.NORMAL)])
async def test_repeat_caller_is_raised(house: House, outcome: str, band: Band) -> None:
    async def finds(number: Number, started: datetime) -> RepeatFound:
        assert number.e164 == NUMBER
        return RepeatFound(outcome, "test")

    house.facts.repeat = finds
    await house.press("1", await house.start())

    started = await house.events(ev.LegStarted)
    assert [each.band for each in started] == [band]


async def test_a_line_in_distress_is_raised_whatever_the_rule_of_repeat_calls_says(house: House) -> None:
    async def finds(number: Number, started: datetime) -> RepeatFound:
        return RepeatFound("NRC", "fewer_than_two_earlier", distress=True)

    house.facts.repeat = finds
    await house.press("1", await house.start())

    assert [each.band for each in await house.events(ev.LegStarted)] == [Band.RAISED]
    assert (await looked_up(house, "repeat")).detail == {"distress": True}


async def test_words_that_are_a_red_flag_lead_to_the_first_clinician(house: House) -> None:
    menu = await house.start()
    reply = await house.tell(InputKind.SPEECH_FINAL, "i can't breathe", to=menu)

    assert isinstance(reply.wait, LegWait)
    assert reply.wait.target == "clinicians"
    flag = (await house.events(ev.RedFlagHeard))[0]
    assert (flag.words, flag.category) == ("i can't breathe", "breathing")
    started = (await house.events(ev.LegStarted))[0]
    assert started.band == Band.EMERGENCY


async def test_plans_under_other_keys_are_not_none_and_the_next_caller_is_looked_up_all_the_same(
    house: House, tmp_path: Path
) -> None:
    database = connect_database(f"sqlite:///{tmp_path}/plans.db")
    await database.write(metadata.create_all)
    await CarePlans(database, KeyRing(b"m" * 32, b"i" * 32), house.clock).load([row(2)])
    house.facts.plan = FoundPlans(CarePlans(database, KeyRing(b"n" * 32, b"j" * 32), house.clock)).find
    for at in range(TRIPS + 1):
        reply = await house.press("3", await house.start(f"call {at}", number="07700 900101"))
        assert isinstance(reply.wait, LegWait), "who may have a plan is not diverted"
        told = [each for each in await house.events(ev.LookedUp, f"call {at}") if each.what == "plan"]
        assert [(each.outcome, each.reason) for each in told] == [("unavailable", "keys_do_not_fit")]
    await database.close()


async def test_words_that_nobody_understands_ask_again(house: House) -> None:
    menu = await house.start()
    reply = await house.tell(InputKind.SPEECH_FINAL, "fnord", to=menu)

    assert isinstance(reply.wait, GatherWait)
    assert reply.wait_id != menu.wait_id


async def a_call(house: House, call_ref: str) -> ev.LookedUp:
    """A caller who presses 1 and reaches a line; how the look-up of plans went."""
    reply = await house.press("1", await house.start(call_ref))
    assert isinstance(reply.wait, LegWait)
    await house.tell(InputKind.HUNG_UP, "caller hung_up", call_ref=call_ref)
    found = [each for each in await house.events(ev.LookedUp, call_ref) if each.what == "plan"]
    assert len(found) == 1
    return found[0]


async def says_unavailable(number: Number) -> PlanFound:
    return PlanFound("unavailable", "store_failed")


@pytest.mark.parametrize("broken", [store_is_broken, was_cancelled, says_unavailable])
async def test_a_store_that_failed_three_callers_is_not_asked_for_the_fourth(house: House, broken: FindPlan) -> None:
    asked = 0

    async def counts(number: Number) -> PlanFound:
        nonlocal asked
        asked += 1
        return await broken(number)

    house.facts.plan = counts
    found = [await a_call(house, f"call{n}") for n in range(5)]

    assert asked == 3
    assert [each.outcome for each in found] == ["unavailable"] * 5
    assert [each.gap for each in found[3:]] == ["skipped"] * 2


async def test_a_store_that_is_back_is_asked_again_after_a_pause(house: House) -> None:
    house.facts.plan = store_is_broken
    for n in range(4):
        await a_call(house, f"call{n}")
    house.facts.plan = crisis_plan
    assert (await a_call(house, "meanwhile")).gap == "skipped"
    house.clock.move(PAUSE_S)
    assert (await a_call(house, "probe")).outcome == "candidates"
    assert (await a_call(house, "after")).outcome == "candidates"


async def test_while_plans_fail_earlier_calls_are_still_looked_up(house: House) -> None:
    house.facts.plan = store_is_broken
    for n in range(4):
        await a_call(house, f"call{n}")
    repeats = [each for each in await house.events(ev.LookedUp, "call3") if each.what == "repeat"]
    assert [(each.gap, each.outcome) for each in repeats] == [("", "NRC")]


async def test_a_breaker_that_opens_shows_in_health_and_is_logged_once_without_a_number(house: House) -> None:
    house.facts.plan = store_is_broken
    house.door = house.new_door(health=(health := Health(house.clock)))
    with structlog.testing.capture_logs() as logs:
        for n in range(6):
            await a_call(house, f"call{n}")
    assert {each.name: each.state for each in health.parts()} == {
        "plans": "failed", "repeats": "ok", "understanding": "ok",
    }  # fmt: skip
    assert [each["part"] for each in logs if each["event"] == "part_failed"] == ["plans"]
    assert NUMBER not in str(logs)


async def test_callers_without_a_number_say_nothing_about_the_store(house: House) -> None:
    house.facts.plan = store_is_broken
    for n in range(6):
        if n % 2:
            await house.press("1", await house.start(f"withheld{n}", number="anonymous"))
        else:
            await a_call(house, f"call{n}")
    assert (await a_call(house, "last")).gap == "skipped"


async def test_plan_and_earlier_calls_are_asked_at_once_and_each_once(house: House) -> None:
    asked = asyncio.Event()
    times = 0

    async def plan_after_the_other(number: Number) -> PlanFound:
        await asked.wait()
        return PlanFound("none", "no_plan")

    async def earlier(number: Number, started: datetime) -> RepeatFound:
        nonlocal times
        times += 1
        asked.set()
        return RepeatFound("NRC", "no_contact")

    house.facts.plan, house.facts.repeat = plan_after_the_other, earlier
    await house.press("1", await house.start())

    assert (await looked_up(house, "plan")).outcome == "none", "one does not wait for the other"
    assert (await looked_up(house, "repeat")).outcome == "NRC"
    assert times == 1


async def test_both_hang_and_are_given_up_together_so_that_the_caller_waits_for_one_budget(house: House) -> None:
    seen: list[str] = []

    async def hangs() -> None:
        seen.append("asked")
        try:
            await asyncio.Event().wait()
        finally:
            seen.append("given up")

    async def plan(number: Number) -> PlanFound:
        await hangs()
        raise AssertionError("never comes here")

    async def earlier(number: Number, started: datetime) -> RepeatFound:
        await hangs()
        raise AssertionError("never comes here")

    house.facts.plan, house.facts.repeat = plan, earlier
    house.door = house.new_door(budget_s=0.01)
    reply = await house.press("1", await house.start())

    assert isinstance(reply.wait, LegWait)
    assert seen == ["asked"] * 2 + ["given up"] * 2
    found = [await looked_up(house, what) for what in ("plan", "repeat")]
    assert [(each.outcome, each.gap) for each in found] == [("unavailable", "timed_out"), ("ER", "timed_out")]
    assert [each.band for each in await house.events(ev.LegStarted)] == [Band.RAISED]


@pytest.mark.parametrize("hanging", ["plan", "repeat"])
async def test_one_that_hangs_takes_nothing_from_the_other(house: House, hanging: str) -> None:
    async def earlier(number: Number, started: datetime) -> RepeatFound:
        if hanging == "repeat":
            await asyncio.Event().wait()
        return RepeatFound("RC", "two_earlier")

    house.facts.plan = Hanging() if hanging == "plan" else crisis_plan
    house.facts.repeat = earlier
    house.door = house.new_door(budget_s=0.01)
    reply = await house.press("1", await house.start())

    assert isinstance(reply.wait, LegWait)
    found = {what: (each.outcome, each.gap) for what in ("plan", "repeat") for each in [await looked_up(house, what)]}
    answered = {"plan": ("candidates", ""), "repeat": ("RC", "")}
    late = {"plan": ("unavailable", "timed_out"), "repeat": ("ER", "timed_out")}
    assert found == {**answered, hanging: late[hanging]}


async def test_what_a_flow_asks_after_a_question_is_asked_once_and_then(new_house: NewHouse) -> None:
    flow = inline(
        "find",
        {"plan": {"values": list(OUTCOMES["plan"])}, "repeat": {"values": list(OUTCOMES["repeat"])}},
        find={"action": "lookup", "what": "plan", "into": "plan", "exits": {"next": "menu"}},
        menu={
            "action": "menu", "prompts": ["menu"], "keys": {"1": "go"},
            "exits": {"go": "earlier", "no_input": "person", "no_match": "person"},
        },
        earlier={"action": "lookup", "what": "repeat", "into": "repeat", "exits": {"next": "person"}},
        person={"action": "queue", "services": ["111"], "hold_s": 60},
    )  # fmt: skip
    house, asked = await new_house(flow=flow), 0

    async def earlier(number: Number, started: datetime) -> RepeatFound:
        nonlocal asked
        asked += 1
        return RepeatFound("NRC", "no_contact")

    house.facts.repeat = earlier
    menu = await house.start()
    assert (asked, isinstance(menu.wait, GatherWait)) == (0, True)
    await house.press("1", menu)
    assert asked == 1
