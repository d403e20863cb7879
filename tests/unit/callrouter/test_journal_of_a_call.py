"""The journal: each event once, in order without gaps, and nothing personal in clear anywhere."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator

import pytest
import structlog
from call_world import House
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from callrouter import events as ev
from callrouter.journal import JournalWriter
from callrouter.model import InputKind
from callrouter.ports import PlanFound
from infra.numbers import Number

SAID = "i can't breathe"
PLAN_ID = "plan-canary-7f3a"
USER = "ada.canary@example.org"
CANARIES = ("447700900123", "7700900123", "breathe", PLAN_ID, USER)


async def finds_a_plan(number: Number) -> PlanFound:
    return PlanFound("candidates", "one", raises=True, candidates=(PLAN_ID,))


async def whole_call(house: House) -> None:
    """A caller who says a red flag after a key, talks, is taken over, and whose page is opened."""
    house.facts.plan = finds_a_plan
    menu = await house.start()
    again = await house.press("9", menu)
    await house.press("1", menu)
    leg = await house.tell(InputKind.SPEECH_FINAL, SAID, to=again)
    assert leg.wait.kind == "leg"
    await house.tell(InputKind.LEG_RINGING)
    await house.tell(InputKind.LEG_ANSWERED)
    await house.tell(InputKind.TAKEN_OVER, epoch=2)
    await house.door.note("call", ev.ContextOpened(role="handler", user=USER))


async def other_call(house: House) -> None:
    """A caller whose number was looked up."""
    house.facts.plan = finds_a_plan
    await house.press("1", await house.start("other"))


async def test_every_event_is_there_once_without_gaps(house: House) -> None:
    await whole_call(house)
    await house.tell(InputKind.HUNG_UP, "caller hung_up", epoch=2)
    recorded = await house.recorded()

    assert [each.seq for each in recorded] == list(range(1, len(recorded) + 1))
    kinds = [each.event.kind for each in recorded]
    once = {"offered", "no_match", "late_input", "red_flag_heard", "leg_started", "leg_ringing", "leg_answered"}
    assert all(kinds.count(kind) == 1 for kind in once | {"taken_over", "context_opened", "talk_ended", "ended"})
    assert (kinds[0], kinds[-1]) == ("offered", "ended")
    order = [kinds.index(kind) for kind in ("offered", "red_flag_heard", "leg_started", "leg_answered", "ended")]
    assert order == sorted(order)


async def test_writer_that_is_told_twice_writes_once(house: House) -> None:
    await whole_call(house)
    before = await house.recorded()
    entries = [entry for _, entry in await house.stream.read("test", limit=999, wait_s=0)]
    await house.journal.write(entries)
    await house.journal.write(entries)

    assert await house.recorded() == before


async def test_writer_that_dies_before_acknowledging_loses_nothing(house: House) -> None:
    await whole_call(house)
    batch = await house.stream.read(JournalWriter.GROUP, limit=3, wait_s=0)
    await house.journal.write([entry for _, entry in batch])

    recorded = await house.recorded()
    assert [each.seq for each in recorded] == list(range(1, len(recorded) + 1))
    assert await house.stream.read(JournalWriter.GROUP, limit=9, wait_s=0) == []


async def test_personal_fields_come_back_for_those_who_hold_the_key(house: House) -> None:
    await whole_call(house)
    await other_call(house)
    events = [each.event for each in await house.recorded()]

    offered = events[0]
    assert isinstance(offered, ev.Offered)
    assert offered.number == "+447700900123"
    assert [each.value for each in events if isinstance(each, ev.InputTaken)] == ["9", SAID]
    found = await house.events(ev.LookedUp, "other")
    assert found[0].detail is not None
    assert found[0].detail["candidates"] == [PLAN_ID]


async def test_call_is_found_by_its_context(house: House) -> None:
    reply = await house.start()
    await house.writer.drain()

    assert await house.journal.call_of_context(reply.context) == "call"
    assert await house.journal.call_of_context("nobody") is None


@pytest.fixture
def logged() -> Iterator[list[structlog.typing.EventDict]]:
    with structlog.testing.capture_logs() as captured:
        yield captured


async def test_nothing_personal_is_in_clear_anywhere(
    house: House, logged: list[structlog.typing.EventDict], caplog: pytest.LogCaptureFixture
) -> None:
    async def store_is_broken(number: Number) -> PlanFound:
        raise OSError(f"no route to the store of {number.e164}")

    await whole_call(house)
    await other_call(house)
    house.facts.plan = store_is_broken
    await house.press("1", await house.start("third"))
    entries = [entry for _, entry in await house.stream.read("test", limit=999, wait_s=0)]
    states = [await house.states.read(call_ref) for call_ref in ("call", "other", "third")]
    await house.recorded()
    await house.database.close()

    files = b"".join(each.read_bytes() for each in house.file.parent.glob("calls.db*"))
    clear = [json.dumps([entry.facts, entry.kind, entry.call_ref], default=str) for entry in entries]
    sealed = b"".join((entry.sealed or b"") + (entry.wrapped_key or b"") for entry in entries)
    values = b"".join(state.value + state.wrapped_key for state in states if state is not None)
    assert len(logged) > 0, "the failed look-up was logged"
    everything = (*clear, *map(str, logged), caplog.text, repr(entries), repr(states))
    for canary in CANARIES:
        assert canary.encode() not in files + sealed + values, canary
        assert not any(canary in text for text in everything), canary


def _events() -> st.SearchStrategy[ev.Event]:
    values: dict[str, st.SearchStrategy[object]] = {
        "str": st.text(max_size=9),
        "str | None": st.none() | st.text(max_size=9),
        "list[str] | None": st.none() | st.lists(st.text(max_size=9), max_size=3),
        "list[str]": st.lists(st.text(max_size=9), max_size=3),
        "int": st.integers(0, 99),
        "bool | None": st.none() | st.booleans(),
        "float": st.floats(0, 9e5),
        "tuple[str, ...]": st.lists(st.text(max_size=5), max_size=3).map(tuple),
        "Any": st.none() | st.lists(st.text(max_size=5), max_size=3),
        "dict[str, Any] | None": st.none() | st.dictionaries(st.text(max_size=5), st.text(max_size=5)),
    }
    kinds = [
        st.builds(kind, **{f.name: values[str(f.type)] for f in dataclasses.fields(kind)}) for kind in ev.KINDS.values()
    ]
    return st.one_of(kinds)


@given(_events())
@settings(suppress_health_check=[HealthCheck.too_slow])
def test_event_survives_being_split_and_joined(event: ev.Event) -> None:
    clear, secret = ev.split(event)

    assert ev.join(event.kind, json.loads(json.dumps(clear)), secret) == event
