"""A caller whom we cut off and who rings back is not asked again, and comes before others."""

from __future__ import annotations

import time
from types import SimpleNamespace

import pytest
from call_world import NUMBER, House, NewHouse, everybody

from callrouter import events as ev
from callrouter.model import InputKind
from ivr.model import Band, Connect, GatherWait, LegWait, OfferWait, Play

pytestmark = pytest.mark.asyncio


async def cut_off(house: House, call_ref: str = "call") -> None:
    """Our exchange was started again: the line is gone."""
    await house.tell(InputKind.HUNG_UP, "us edge_restarted", call_ref=call_ref)


async def test_a_dropped_call_is_closed_as_dropped(new_house: NewHouse) -> None:
    house = await new_house()
    await house.start()
    await cut_off(house)
    assert await house.end_class() == "dropped_by_us"


async def test_a_talk_that_we_dropped_stays_answered_and_says_who_ended_it(new_house: NewHouse) -> None:
    house = await new_house()
    await house.talk()
    await cut_off(house)
    assert await house.end_class() == "answered"
    assert [each.by for each in await house.events(ev.Ended)] == ["us"]


async def test_who_was_talking_is_put_through_at_once_when_they_ring_back(new_house: NewHouse) -> None:
    house = await new_house()
    await house.talk()
    await cut_off(house)
    house.clock.move(60)
    reply = await house.start("again", key="again")
    assert isinstance(reply.wait, LegWait)
    heard = [prompt for each in reply.instructions if isinstance(each, Play) for prompt in each.prompts]
    assert heard == ["emergency_999", "recording_notice", "sorry_cut_off"]
    assert [each.target for each in reply.instructions if isinstance(each, Connect)] == ["handlers"]
    offered = (await house.events(ev.Offered, "again"))[0]
    assert offered.resumes == "call"


async def test_who_was_in_the_menu_hears_the_menu_and_is_not_sent_to_its_start(new_house: NewHouse) -> None:
    house = await new_house()
    await house.start()
    await cut_off(house)
    reply = await house.start("again", key="again")
    assert isinstance(reply.wait, GatherWait)
    assert reply.wait.node == "main_menu"


async def test_who_waited_keeps_the_time_of_their_first_call_and_goes_ahead(new_house: NewHouse) -> None:
    house = await new_house(providers=everybody(lines=1))
    await house.talk("other")
    first = await house.start()
    assert isinstance((await house.press("1", first)).wait, OfferWait)
    await cut_off(house)
    house.clock.move(30)
    late = await house.start("late", number="+447700900124", key="late")
    assert isinstance((await house.press("1", late)).wait, OfferWait)
    house.clock.move(30)
    reply = await house.start("again", key="again")
    assert isinstance(reply.wait, OfferWait)
    assert reply.wait.band is Band.RAISED
    await house.tell(InputKind.TALK_ENDED, "caller 16", call_ref="other")
    assert (await house.next_performed()).call_ref == "again"


@pytest.mark.parametrize("how", ["caller 16", "provider 16"])
async def test_who_was_not_cut_off_begins_anew(new_house: NewHouse, how: str) -> None:
    house = await new_house()
    await house.start()
    await house.tell(InputKind.HUNG_UP, how)
    again = await house.start("again", key="again")
    assert (await house.events(ev.Offered, "again"))[0].resumes is None
    assert isinstance(again.wait, GatherWait)


async def test_one_caller_resumes_and_the_next_from_that_line_begins_anew(new_house: NewHouse) -> None:
    house = await new_house()
    await house.talk()
    await cut_off(house)
    await house.start("again", key="again")
    await house.tell(InputKind.HUNG_UP, "caller 16", call_ref="again")
    third = await house.start("third", key="third")
    assert isinstance(third.wait, GatherWait)
    assert (await house.events(ev.Offered, "third"))[0].resumes is None


async def test_who_is_cut_off_twice_goes_on_twice(new_house: NewHouse) -> None:
    house = await new_house()
    await house.talk()
    await cut_off(house)
    await house.start("again", key="again")
    await cut_off(house, "again")
    assert isinstance((await house.start("third", key="third")).wait, LegWait)
    assert (await house.events(ev.Offered, "third"))[0].resumes == "call", "all three are one contact"


@pytest.mark.parametrize(
    ("cut_off_at", "goes_on_with"),
    [
        pytest.param({"first": 0, "second": 5}, "second", id="the place before it is empty"),
        pytest.param({"first": 0, "second": 5, "third": 15.5}, "third", id="it took the place of one that lapsed"),
    ],
)
async def test_the_last_of_several_goes_on_also_when_an_earlier_ones_time_is_over(
    new_house: NewHouse, monkeypatch: pytest.MonkeyPatch, cut_off_at: dict[str, float], goes_on_with: str
) -> None:
    """Minutes after the first was cut off, whose note lapses after fifteen."""
    house, now = await new_house(), time.monotonic()
    for call_ref in cut_off_at:
        await house.start(call_ref, key=call_ref)
        house.clock.move(60)
    for call_ref, minute in (*cut_off_at.items(), ("", 16.0)):
        monkeypatch.setattr("infra.state.time", SimpleNamespace(monotonic=lambda at=now + minute * 60: at))
        if call_ref:
            await cut_off(house, call_ref)
    await house.start("again", key="again")
    assert (await house.events(ev.Offered, "again"))[0].resumes == goes_on_with


async def test_a_line_of_many_goes_on_with_nobodys_call_and_hears_of_none(new_house: NewHouse) -> None:
    house = await new_house()
    house.shared_lines.add(NUMBER)
    await house.talk()
    await cut_off(house)
    reply = await house.start("again", key="again")
    assert (await house.events(ev.Offered, "again"))[0].resumes is None
    heard = [prompt for each in reply.instructions if isinstance(each, Play) for prompt in each.prompts]
    assert "sorry_cut_off" not in heard


async def test_another_number_begins_anew(new_house: NewHouse) -> None:
    house = await new_house()
    await house.talk()
    await cut_off(house)
    await house.start("other", number="+447700900199", key="other")
    assert (await house.events(ev.Offered, "other"))[0].resumes is None


async def test_a_withheld_number_begins_anew(new_house: NewHouse) -> None:
    house = await new_house()
    await house.start(number="anonymous")
    await cut_off(house)
    await house.start("again", number="anonymous", key="again")
    assert (await house.events(ev.Offered, "again"))[0].resumes is None


async def test_nothing_readable_of_the_number_names_the_dropped_call(new_house: NewHouse) -> None:
    house = await new_house()
    await house.start(number=NUMBER)
    await cut_off(house)
    names = getattr(house.states, "_names", {})
    assert names
    assert not any(NUMBER.lstrip("+") in name for name in names)
