"""Call-backs by sentence (docs/call-backs.md), on each kind of database: a promise is kept, and all can see so."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import text

from callrouter import events as ev
from callrouter.approvals import RoleMissing
from callrouter.call_backs.model import NoSuchCallBack, NotNow, NotYours
from callrouter.handover import Role, SignedIn
from callrouter.ports import PlanFound
from console.call_backs import add_call_backs
from infra.numbers import read_number
from infra.sql import Database
from tests.call_back_house import (
    ANSWERED,
    CARE_HOME,
    HANDLER,
    MINUTE,
    NOW,
    NUMBER,
    NURSE,
    PROMISED,
    House,
    ended,
)
from tests.console_browser import Console

ONE_KIND = pytest.mark.parametrize("database_kind", ["sqlite"])
"""What the database has no part in."""


@pytest.fixture
async def house(database: Database) -> House:
    house = House(database)
    await house.reader.join()
    await house.writer.join()
    return house


async def test_promise_is_kept_by_whoever_takes_it_on_and_every_step_is_in_the_journal(house: House) -> None:
    call_back = await house.promised()
    (listed,) = await house.list.listed(HANDLER)
    assert (listed.number, listed.context) == ("", "")  # a list tells no number and opens no call
    assert listed.owed_at == NOW + 20 * MINUTE

    taken = await house.list.take(call_back, HANDLER)
    assert (taken.number, taken.context) == (NUMBER, f"{'one':0>32}")
    assert (await house.list.tried(call_back, "answered", HANDLER)).outcome == "reached"

    assert await house.tells() == [
        PROMISED,
        ev.CallBackOpened(role="handler", user="Hana"),
        ev.CallBackTried(outcome="answered", role="handler", user="Hana"),
        ev.CallBackEnded(outcome="reached"),
    ]
    found = await house.repeats.find(read_number(NUMBER), NOW + MINUTE)
    assert found.outcome == "NRC"  # one encounter, whose start is the call's own
    assert await house.welfare.tasks(NURSE) == []


@ONE_KIND
async def test_three_tries_in_vain_ten_minutes_apart_give_the_caller_to_a_clinician(house: House) -> None:
    call_back = await house.promised()
    await house.in_vain(call_back)
    await house.list.take(call_back, NURSE)
    with pytest.raises(NotNow):
        await house.list.tried(call_back, "busy", NURSE)  # at once again counts for nothing
    house.clock.move(10 * 60)
    await house.list.tried(call_back, "busy", NURSE)
    house.clock.move(10 * 60)
    await house.in_vain(call_back, "failed")

    (over,) = await house.list.listed(HANDLER)
    assert (over.outcome, over.tries) == ("gave_up", 3)
    told = await house.tells()
    assert [each.outcome for each in told if isinstance(each, ev.CallBackTried)] == ["no_answer", "busy", "failed"]
    assert told[-1] == ev.CallBackEnded(outcome="gave_up")
    (task,) = await house.welfare.tasks(NURSE)
    assert (task.number, task.last_step) == (NUMBER, "call_back")


async def test_of_two_people_one_has_it_and_a_desk_that_was_left_keeps_nobody_waiting(house: House) -> None:
    call_back = await house.promised()
    first, second = await asyncio.gather(
        house.list.take(call_back, HANDLER), house.list.take(call_back, NURSE), return_exceptions=True
    )
    assert sorted([type(first).__name__, type(second).__name__]) == ["CallBack", "NotYours"]
    other = NURSE if isinstance(second, NotYours) else HANDLER
    with pytest.raises(NotYours):
        await house.list.open(call_back, other)
    with pytest.raises(NotYours):
        await house.list.tried(call_back, "answered", other)

    house.clock.move(15 * 60)
    assert (await house.list.take(call_back, other)).number == NUMBER


@ONE_KIND
async def test_each_look_at_the_number_is_recorded(house: House) -> None:
    call_back = await house.promised()
    await house.list.take(call_back, HANDLER)
    await house.list.open(call_back, HANDLER)

    opened = [each for each in await house.tells() if isinstance(each, ev.CallBackOpened)]
    assert opened == [ev.CallBackOpened(role="handler", user="Hana")] * 2
    rows = await house.database.read(lambda connection: connection.execute(text("SELECT * FROM call_back_steps")).all())
    assert "Hana" not in str(rows)  # once told, who it was stands sealed in the journal alone


@ONE_KIND
async def test_what_was_told_twice_is_in_the_journal_once(house: House) -> None:
    call_back = await house.promised()
    await house.in_vain(call_back)
    before = await house.tells()
    await house.database.write(
        lambda connection: connection.execute(text("UPDATE call_back_steps SET is_told = false"))
    )  # whoever told it died before it could say so

    assert len(await house.tells()) == len(before)


@ONE_KIND
async def test_step_of_a_call_that_is_not_in_the_journal_yet_is_told_later(house: House) -> None:
    assert (await house.promising().promise(house.record("one"), "111")).outcome == "promised"
    house.clock.move(3600)  # its end was never seen
    (listed,) = await house.list.listed(HANDLER)
    await house.list.take(listed.id, HANDLER)
    assert await house.kept.teller.step() == 0

    await house.begins("one")
    assert [each.kind for each in await house.tells()] == ["call_back_opened"]


@ONE_KIND
async def test_caller_who_is_answered_on_the_line_is_not_rung_as_well(house: House) -> None:
    await house.begins("one")
    await house.promising().promise(house.record("one"), "111")
    (listed,) = await house.list.listed(HANDLER)
    with pytest.raises(NotNow, match="still on the line"):
        await house.list.take(listed.id, HANDLER)
    await house.ends("one", PROMISED, ANSWERED, ended("answered"))

    assert (await house.tells())[-1] == ev.CallBackEnded(outcome="withdrawn")


@ONE_KIND
async def test_answer_of_a_switch_alone_leaves_the_call_owed(house: House) -> None:
    await house.begins("one")
    await house.promising().promise(house.record("one"), "111")
    switch = ev.LegAnswered(provider="north", evidence="answer_unknown")
    await house.ends("one", PROMISED, switch, ended("answer_unknown"))

    (listed,) = await house.list.listed(HANDLER)
    assert (listed.is_open, listed.is_on_the_line(NOW)) == (True, False)


async def test_caller_who_rings_again_is_put_first_and_closes_it_once_answered(house: House) -> None:
    call_back = await house.promised()
    again = await house.promising().possible(house.record("two"))
    assert (again.outcome, again.raises) == ("not_possible", True)

    await house.begins("two")
    await house.ends("two", ended("abandoned"))
    assert [each.is_open for each in await house.list.listed(HANDLER)] == [True]  # nobody has spoken with them

    await house.begins("three")
    await house.ends("three", ANSWERED, ended("answered"))
    assert (await house.tells())[-1] == ev.CallBackEnded(outcome="rang_again")
    with pytest.raises(NotNow, match="rang again"):
        await house.list.take(call_back, HANDLER)


@ONE_KIND
async def test_a_caller_whom_we_cut_off_and_who_waits_again_is_not_rung(house: House) -> None:
    call_back = await house.promised()
    await house.begins("again", resumes="one")
    await house.ends("again")
    with pytest.raises(NotNow, match="still on the line"):
        await house.list.take(call_back, HANDLER)

    await house.ends("again", ended("abandoned"))
    assert (await house.list.take(call_back, HANDLER)).number == NUMBER


@ONE_KIND
async def test_the_end_of_a_call_whose_beginning_is_lost_holds_up_nobody(house: House) -> None:
    await house.promised()
    house.call_keys["lost"] = house.keys.new_data_key()
    await house.ends("lost", ANSWERED, ended("answered"))

    assert [each.is_open for each in await house.list.listed(HANDLER)] == [True]


@ONE_KIND
async def test_an_earlier_call_from_the_same_line_does_not_close_a_later_promise(house: House) -> None:
    await house.begins("zero")
    house.clock.move(60)
    await house.promised()
    await house.ends("zero", ANSWERED, ended("answered"))

    assert [each.is_open for each in await house.list.listed(HANDLER)] == [True]


@ONE_KIND
async def test_a_call_that_never_comes_to_the_journal_holds_up_no_clinician(house: House) -> None:
    await house.promising().promise(house.record("one"), "111")
    house.clock.move(3600)
    (listed,) = await house.list.listed(HANDLER)
    for _ in range(3):
        await house.in_vain(listed.id)
        house.clock.move(10 * 60)
    assert await house.welfare.tasks(NURSE) == []
    house.clock.move(3600)
    await house.kept.teller.step()

    (task,) = await house.welfare.tasks(NURSE)
    assert task.number == NUMBER


async def test_promise_that_is_late_is_told_and_stops_further_promises(house: House) -> None:
    await house.promised()
    await house.kept.step(0)
    assert house.kept.late_s == 0.0
    house.clock.move(22 * 60)
    await house.kept.step(0)
    assert house.kept.late_s == 120.0

    other = house.record("two", "+447700900124")
    assert (await house.promising().possible(other)).outcome == "not_possible"
    assert (await house.promising().promise(other, "111")).outcome == "not_possible"
    assert len(await house.list.listed(HANDLER)) == 1


@ONE_KIND
async def test_promise_asked_twice_is_one_and_a_resumed_call_has_the_same(house: House) -> None:
    promising = house.promising()
    assert (await promising.promise(house.record("one"), "111")).outcome == "promised"
    assert (await promising.promise(house.record("one"), "111")).outcome == "promised"
    assert (await promising.promise(house.record("two", resumes="one"), "111")).outcome == "promised"

    assert len(await house.list.listed(HANDLER)) == 1


@ONE_KIND
@pytest.mark.parametrize(
    ("number", "plan", "raises"),
    [
        ("anonymous", PlanFound("none", ""), False),
        ("08979 123456", PlanFound("none", ""), False),
        (CARE_HOME, PlanFound("none", ""), False),
        ("+33123456789", PlanFound("none", ""), False),
        ("0909 8790123", PlanFound("none", ""), False),
        ("070 7123 4567", PlanFound("none", ""), False),
        (NUMBER, PlanFound("unavailable", "failed"), False),
        (NUMBER, PlanFound("candidates", "by_number", raises=True), True),
    ],
    ids=[
        "withheld",
        "filler",
        "shared line",
        "abroad",
        "premium rate",
        "personal number",
        "plans unknown",
        "crisis plan",
    ],
)
async def test_who_is_never_asked(house: House, number: str, plan: PlanFound, raises: bool) -> None:
    house.plans.found = plan
    found = await house.promising().possible(house.record("one", number))

    assert (found.outcome, found.raises) == ("not_possible", raises)


@ONE_KIND
async def test_repeat_caller_is_raised_and_never_asked(house: House) -> None:
    for hours in (1, 2):
        await house.repeats.keep(f"earlier{hours}", NUMBER, NOW - timedelta(hours=hours))

    assert (await house.promising().possible(house.record("one"))).raises


@ONE_KIND
async def test_ordinary_caller_is_asked_where_somebody_is_bound_to_ring(house: House) -> None:
    assert (await house.promising().possible(house.record("one"))).outcome == "possible"
    assert (await house.promising(is_on=False).possible(house.record("one"))).outcome == "not_possible"
    assert (await house.promising(is_on=False).promise(house.record("one"), "111")).outcome == "not_possible"


@ONE_KIND
async def test_only_who_takes_calls_sees_and_keeps_them(house: House) -> None:
    call_back = await house.promised()
    for role in (Role.COMMISSIONER, Role.PUBLIC_HEALTH, Role.ADMINISTRATOR):
        with pytest.raises(RoleMissing):
            await house.list.listed(SignedIn("Sam", role))
        with pytest.raises(RoleMissing):
            await house.list.take(call_back, SignedIn("Sam", role))
    with pytest.raises(NoSuchCallBack):
        await house.list.take("nothing", HANDLER)
    with pytest.raises(NotYours):
        await house.list.open(call_back, HANDLER)  # before it was taken on
    with pytest.raises(NotNow):
        await house.list.tried(call_back, "spoke", HANDLER)


@ONE_KIND
async def test_who_has_taken_it_on_may_open_it_under_another_name(house: House) -> None:
    call_back = await house.promised()
    await house.list.take(call_back, HANDLER)
    console = Console(house.clock, lambda router, web: add_call_backs(router, web, house.list, house.clock))
    other = SignedIn("u-9", Role.HANDLER, name="Hana")
    for who, has_it in ((replace(HANDLER, name="Hana Example"), True), (other, False)):
        async with console.browser(who) as browser:
            listed = (await browser.client.get("/call-backs")).text
        assert (f'href="/call-backs/{call_back}"' in listed) is has_it


@ONE_KIND
async def test_number_is_sealed(house: House) -> None:
    await house.promised()
    rows = await house.database.read(lambda connection: connection.execute(text("SELECT * FROM call_backs")).all())

    assert NUMBER[3:] not in str(rows)
