"""Waiting: offers that come late, deadlines that pass, and lines that come back."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime

import pytest
from call_world import NUMBER, House, NewHouse, everybody, provider
from flows.player import inline

from callrouter import events as ev
from callrouter.dispatch.lines import COOL_DOWN_S
from callrouter.dispatch.providers import Providers
from callrouter.model import Arrival, Input, InputKind
from callrouter.ports import Offer, Sought
from infra.numbers import read_number
from ivr.flow import Flow
from ivr.model import Band, Connect, GoneWait, HandBack, LegWait, OfferWait
from tests.loaded_flows import LoadedFlows

SHORT_S = 0.02


def queue_of(hold_s: float) -> Flow:
    """A flow that is one queue, with a wait shorter than any author may write."""
    flow = inline("queue", queue={"action": "queue", "services": ["clinician"], "hold_s": 60})
    short = flow.nodes["queue"].model_copy(update={"hold_s": hold_s})
    return flow.model_copy(update={"nodes": {"queue": short}})


class Broken:
    """A dispatch that cannot be reached."""

    async def seek(
        self, call_ref: str, services: Sequence[str], band: Band, arrived: datetime, *, hold: bool
    ) -> Sought:
        raise ConnectionError("no dispatch")

    async def leg_failed(self, call_ref: str, provider: str, cause: str) -> None:
        pass

    async def leg_answered(self, call_ref: str, provider: str) -> None:
        pass

    async def keep(self, call_ref: str) -> None:
        pass

    async def in_use(self, call_refs: Collection[str]) -> None:
        pass

    async def leave(self, call_ref: str) -> None:
        pass

    async def reachable(self, provider: str, edge: str, up: bool | None) -> None:
        pass


@pytest.fixture
async def one_line(new_house: NewHouse) -> House:
    """A house with one line for each service; the handlers' is taken by the call ``first``."""
    house = await new_house(providers=everybody(lines=1))
    await house.talk("first")
    return house


async def free_the_line(house: House) -> None:
    await house.tell(InputKind.TALK_ENDED, "caller normal", call_ref="first")


async def test_offer_for_a_caller_who_is_gone_gives_the_line_back(one_line: House) -> None:
    await one_line.press("1", await one_line.start("gone"))
    await one_line.press("1", await one_line.start("next"))
    await one_line.tell(InputKind.HUNG_UP, call_ref="gone")
    await one_line.door.offered("gone", Offer("handlers", "111"))
    await free_the_line(one_line)

    assert (await one_line.next_performed()).call_ref == "next"


async def test_place_of_a_life_whose_call_began_again_is_given_up(one_line: House) -> None:
    await one_line.press("1", await one_line.start("call"))
    again = Arrival("test", "111", read_number(NUMBER), begins_again="call")  # what was known of it cannot be read
    began = Input("again", InputKind.STARTED, one_line.clock.now(), epoch=2, arrival=again)
    reply = await one_line.door.handle("calle2", began)
    await one_line.tell(InputKind.DIGIT, "1", to=reply, call_ref="calle2", epoch=2)
    await free_the_line(one_line)

    assert (await one_line.next_performed()).call_ref == "calle2", "nobody is on the first life's line"


async def test_offer_that_crosses_with_the_hang_up_goes_to_the_next(one_line: House) -> None:
    await one_line.press("1", await one_line.start("gone"))
    await one_line.press("1", await one_line.start("next"))
    await one_line.dispatch.leave("first")  # the offer to "gone" is on its way now
    await one_line.tell(InputKind.HUNG_UP, call_ref="gone")

    assert (await one_line.next_performed()).call_ref == "next"
    assert await one_line.end_class("gone") == "abandoned"


async def test_offer_for_a_call_that_nobody_knows_gives_the_line_back(one_line: House) -> None:
    await one_line.dispatch.leave("first")
    offer = await one_line.dispatch.seek("forgotten", ("111",), Band.NORMAL, one_line.clock.now(), hold=True)
    assert isinstance(offer, Offer)
    await one_line.door.offered("forgotten", offer)

    reply = await one_line.press("1", await one_line.start("next"))
    assert isinstance(reply.wait, LegWait)


async def test_offer_that_comes_twice_keeps_the_line_of_the_leg(one_line: House) -> None:
    await one_line.press("1", await one_line.start("second"))
    await free_the_line(one_line)
    ringing = await one_line.next_performed()
    await one_line.door.offered("second", Offer("handlers", "111"))

    third = await one_line.press("1", await one_line.start("third"))
    assert isinstance(ringing.wait, LegWait)
    assert isinstance(third.wait, OfferWait), "the only line is being dialled for the second caller"


async def test_offer_of_a_service_that_the_caller_does_not_wait_for_is_late(one_line: House) -> None:
    waiting = await one_line.press("1", await one_line.start("second"))
    await one_line.door.offered("second", Offer("dental", "dental"))

    assert (await one_line.door.present("second")).wait_id == waiting.wait_id


async def test_wait_that_lasts_too_long_moves_on_by_itself(new_house: NewHouse) -> None:
    house = await new_house(providers=everybody(lines=1), flow=queue_of(SHORT_S))
    await house.start("first")
    assert isinstance((await house.start("second")).wait, OfferWait)

    moved = await house.next_performed()
    assert moved.call_ref == "second"
    assert [each.target for each in moved.instructions if isinstance(each, Connect)] == ["handlers"]


async def test_deadline_of_a_wait_that_is_over_does_nothing(new_house: NewHouse) -> None:
    house = await new_house(providers=everybody(lines=1), flow=queue_of(SHORT_S))
    await house.start("first")
    await house.start("gone")
    await house.tell(InputKind.HUNG_UP, call_ref="gone")
    await house.start("witness")

    assert (await house.next_performed()).call_ref == "witness", "its deadline was later, and came first"


async def test_partial_words_do_not_begin_the_deadline_anew(house: House) -> None:
    menu = await house.start()
    await house.tell(InputKind.SPEECH_PARTIAL, "to", to=menu)
    moved = await house.tell(InputKind.TIMER, to=menu)

    assert isinstance(moved.wait, LegWait)


async def test_caller_whom_nobody_can_take_is_handed_to_the_network(new_house: NewHouse) -> None:
    house = await new_house(providers=Providers((provider("dental", "dental"),)))
    reply = await house.press("1", await house.start())

    assert reply.instructions[-1] == HandBack("default_service_unreachable")
    assert isinstance(reply.wait, GoneWait)
    assert await house.events(ev.HandedBack) == [ev.HandedBack(reason="default_service_unreachable")]


async def test_dispatch_that_fails_hands_the_caller_to_the_network(house: House) -> None:
    menu = await house.start()
    reply = await house.tell(InputKind.DIGIT, "1", to=menu, door=house.new_door(dispatch=Broken()))

    assert reply.instructions[-1] == HandBack("default_service_unreachable")


async def test_caller_who_was_handed_back_keeps_no_place(one_line: House) -> None:
    waiting = await one_line.press("1", await one_line.start("patient"))
    again = await one_line.tell(InputKind.TIMER, to=waiting, call_ref="patient")
    back = await one_line.tell(InputKind.TIMER, to=again, call_ref="patient")
    assert isinstance(back.instructions[-1], HandBack)

    await one_line.press("1", await one_line.start("next"))
    await free_the_line(one_line)
    assert (await one_line.next_performed()).call_ref == "next"


async def test_line_comes_back_after_each_way_that_a_call_can_end(new_house: NewHouse) -> None:
    house = await new_house(providers=everybody(lines=1))
    ways: list[Sequence[tuple[InputKind, str]]] = [
        [(InputKind.HUNG_UP, "caller")],
        [(InputKind.LEG_ANSWERED, ""), (InputKind.HUNG_UP, "caller")],
        [(InputKind.LEG_ANSWERED, ""), (InputKind.TALK_ENDED, "provider normal"), (InputKind.HUNG_UP, "provider")],
        [(InputKind.LEG_ANSWERED, ""), (InputKind.LEG_ENDED, "provider normal")],
        [(InputKind.LEG_FAILED, "busy")],
        [(InputKind.LEG_ENDED, "provider")],
    ]
    for number, way in enumerate(ways):
        reply = await house.press("3", await house.start(f"call{number}"))
        assert [each.target for each in reply.instructions if isinstance(each, Connect)] == ["dental"], way
        for kind, value in way:
            await house.tell(kind, value, call_ref=f"call{number}")
        await house.tell(InputKind.HUNG_UP, "caller", call_ref=f"call{number}")
        house.clock.move(60)


class Unreadable(LoadedFlows):
    """Flows of which nothing can be had any more: a defect in the middle of a call."""

    def version(self, name: str, version: str) -> Flow | None:
        raise RuntimeError("a defect of ours")


async def test_defect_while_an_offer_is_taken_hands_the_caller_to_the_fall_back(one_line: House) -> None:
    await one_line.press("1", await one_line.start("next"))
    broken = one_line.new_door(flows=Unreadable(one_line.flow))
    await broken.offered("next", Offer("handlers", "111"))

    performed = await one_line.next_performed()
    assert [each.kind for each in performed.instructions] == ["hand_back"]
    await one_line.tell(InputKind.HUNG_UP, call_ref="next")
    assert await one_line.end_class("next") == "answer_unknown"


async def test_provider_that_answers_a_caller_is_not_failing_any_more(new_house: NewHouse) -> None:
    house = await new_house(providers=everybody())
    for call_ref in ("first", "second"):
        await house.press("3", await house.start(call_ref))
        await house.tell(InputKind.LEG_FAILED, "busy", call_ref=call_ref)
        house.clock.move(4)
    await house.press("3", await house.start("third"))
    await house.tell(InputKind.LEG_ANSWERED, call_ref="third")
    await house.press("3", await house.start("fourth"))
    await house.tell(InputKind.LEG_FAILED, "busy", call_ref="fourth")

    house.clock.move(COOL_DOWN_S["busy"])
    assert await house.has_a_line("dental"), "two seconds again, not eight"
