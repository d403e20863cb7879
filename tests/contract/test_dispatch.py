"""Dispatch: who takes which caller next. One suite for the one in this process and the one that workers share."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from typing import TypeAlias

import pytest

from callrouter.dispatch.lines import COOL_DOWN_S
from callrouter.dispatch.providers import Provider
from callrouter.ports import STATEMENT_S, Nobody, Offer, Waiting
from infra.redis import RedisLink
from ivr.model import Band
from tests.hall import Hall, provider

ANYBODY = ("clinician", "111")


NewHall: TypeAlias = Callable[..., Hall]


@pytest.fixture
async def new_hall(link: RedisLink | None) -> AsyncIterator[NewHall]:
    """Makes a hall with these providers, in this process or on each kind of Redis."""
    made: list[Hall] = []

    def make(*providers: Provider, cool_down_s: Mapping[str, float] = COOL_DOWN_S) -> Hall:
        made.append(Hall(*providers, link=link, cool_down_s=cool_down_s))
        return made[-1]

    yield make
    for hall in made:
        await hall.settle()


async def one_line(new_hall: NewHall, *services: str) -> Hall:
    """A hall whose only line is taken."""
    hall = new_hall(provider("handlers", *(services or ("111",)), lines=1))
    assert isinstance(await hall.seek("talking"), Offer)
    return hall


async def test_free_provider_is_offered_at_once(new_hall: NewHall) -> None:
    hall = new_hall(provider("handlers", "111"))

    assert await hall.seek("call") == Offer("handlers", "111")


async def test_first_service_that_has_a_line_wins(new_hall: NewHall) -> None:
    hall = new_hall(provider("handlers", "111"), provider("clinicians", "clinician", lines=1))

    assert await hall.seek("one", *ANYBODY) == Offer("clinicians", "clinician")
    assert await hall.seek("two", *ANYBODY) == Offer("handlers", "111")


async def test_least_loaded_provider_of_a_service_is_chosen(new_hall: NewHall) -> None:
    hall = new_hall(provider("small", "111", lines=2), provider("large", "111", lines=4))
    chosen = [await hall.seek(f"call{n}") for n in range(6)]

    assert Counter(each.provider for each in chosen if isinstance(each, Offer)) == {"small": 2, "large": 4}
    assert isinstance(await hall.seek("call6"), Waiting)


async def test_line_that_is_given_back_goes_by_band_and_then_by_arrival(new_hall: NewHall) -> None:
    hall = await one_line(new_hall)
    await hall.waits(
        ("late", Band.NORMAL, 9), ("early", Band.NORMAL, 1), ("raised", Band.RAISED, 8),
        ("urgent", Band.URGENT, 7), ("emergency", Band.EMERGENCY, 10),
    )  # fmt: skip
    served = []
    holder = "talking"
    for _ in range(5):
        await hall.dispatch.leave(holder)
        holder, _provider = await hall.next_offer()
        served.append(holder)

    assert served == ["emergency", "urgent", "raised", "early", "late"]


async def test_newcomer_does_not_overtake_those_who_wait(new_hall: NewHall) -> None:
    hall = await one_line(new_hall)
    await hall.waits(("waiting", Band.NORMAL, 1))
    await hall.dispatch.leave("talking")

    assert isinstance(await hall.seek("newcomer", arrived=2), Waiting)
    assert (await hall.next_offer())[0] == "waiting"


async def test_newcomer_does_not_overtake_when_a_line_is_free_and_not_offered_yet(new_hall: NewHall) -> None:
    hall = new_hall(provider("only", "111", lines=1))
    await hall.seek("call")
    await hall.dispatch.leg_failed("call", "only", "busy")
    await hall.waits(("early", Band.NORMAL, 1))
    hall.clock.move(COOL_DOWN_S["busy"])
    assert isinstance(await hall.seek("newcomer", arrived=2), Waiting)

    await hall.dispatch.leave("nobody")
    assert (await hall.next_offer())[0] == "early"


async def test_caller_who_waits_for_either_gets_whoever_is_free_first(new_hall: NewHall) -> None:
    hall = new_hall(provider("clinicians", "clinician", lines=1), provider("handlers", "111", lines=1))
    await hall.seek("one", "clinician")
    await hall.seek("two", "111")
    assert isinstance(await hall.seek("raised", *ANYBODY, band=Band.RAISED), Waiting)

    await hall.dispatch.leave("two")
    assert await hall.next_offer() == ("raised", "handlers")


async def test_caller_who_leaves_gives_up_the_place(new_hall: NewHall) -> None:
    hall = await one_line(new_hall)
    await hall.waits(("first", Band.NORMAL, 1), ("second", Band.NORMAL, 2))
    await hall.dispatch.leave("first")
    await hall.dispatch.leave("talking")

    assert (await hall.next_offer())[0] == "second"


async def test_asking_again_keeps_the_same_line(new_hall: NewHall) -> None:
    hall = new_hall(provider("handlers", "111", lines=2))

    assert await hall.seek("call") == await hall.seek("call")
    assert isinstance(await hall.seek("other"), Offer), "one caller holds one line"


async def test_line_of_a_service_that_is_not_wanted_any_more_is_given_back(new_hall: NewHall) -> None:
    hall = new_hall(provider("dental", "dental", lines=1), provider("handlers", "111"))
    assert await hall.seek("call", "dental") == Offer("dental", "dental")

    assert await hall.seek("call", "111") == Offer("handlers", "111")
    assert await hall.seek("other", "dental") == Offer("dental", "dental")


async def test_service_that_nobody_offers_is_nobody(new_hall: NewHall) -> None:
    assert isinstance(await new_hall(provider("handlers", "111")).seek("call", "optician"), Nobody)


async def test_busy_service_is_nobody_to_one_who_cannot_hold(new_hall: NewHall) -> None:
    hall = await one_line(new_hall)

    assert isinstance(await hall.seek("call", hold=False), Nobody)
    await hall.dispatch.leave("talking")
    assert isinstance(await hall.seek("other"), Offer), "who could not hold keeps no place"


async def test_one_who_held_and_may_not_any_more_loses_the_place(new_hall: NewHall) -> None:
    hall = await one_line(new_hall)
    await hall.waits(("call", Band.EMERGENCY, 0))
    assert isinstance(await hall.seek("call", hold=False), Nobody)
    await hall.dispatch.leave("talking")

    assert isinstance(await hall.seek("other"), Offer)


@pytest.mark.parametrize("cause", [*COOL_DOWN_S, "something new"])
async def test_provider_that_failed_is_passed_over_while_it_cools(new_hall: NewHall, cause: str) -> None:
    hall = new_hall(provider("bad", "111", lines=1), provider("good", "111", lines=1))
    assert await hall.seek("call") == Offer("bad", "111")
    await hall.dispatch.leg_failed("call", "bad", cause)

    assert await hall.seek("call") == Offer("good", "111")
    cools = COOL_DOWN_S.get(cause, COOL_DOWN_S["unreachable"])
    hall.clock.move(cools - 0.1)
    assert isinstance(await hall.seek("other"), Waiting)
    hall.clock.move(0.1)
    assert await hall.seek("third", band=Band.URGENT) == Offer("bad", "111")


async def test_when_all_cool_there_is_nobody(new_hall: NewHall) -> None:
    hall = new_hall(provider("only", "111"))
    await hall.seek("call")
    await hall.dispatch.leg_failed("call", "only", "unreachable")

    assert isinstance(await hall.seek("call"), Nobody)


async def test_failure_told_twice_gives_back_one_line(new_hall) -> None:
    hall = new_hall(provider("only", "111", lines=1), provider("spare", "111", lines=1))
    await hall.seek("call")
    await hall.dispatch.leg_failed("call", "only", "busy")
    await hall.dispatch.leg_failed("call", "only", "busy")
    await hall.dispatch.leave("call")
    hall.clock.move(60)

    assert isinstance(await hall.seek("one"), Offer)
    assert isinstance(await hall.seek("two"), Offer)
    assert isinstance(await hall.seek("three"), Waiting)


async def test_failure_told_again_does_not_touch_the_next_provider(new_hall: NewHall) -> None:
    hall = new_hall(provider("bad", "111", lines=1), provider("good", "111", lines=1))
    await hall.seek("call")
    await hall.dispatch.leg_failed("call", "bad", "busy")
    assert await hall.seek("call") == Offer("good", "111")
    await hall.dispatch.leg_failed("call", "bad", "busy")

    assert await hall.seek("call") == Offer("good", "111")
    assert isinstance(await hall.seek("other"), Waiting)


async def test_those_who_wait_are_offered_a_provider_that_has_cooled(new_hall: NewHall) -> None:
    quick = {"busy": 0.01, "unreachable": 0.01}
    hall = new_hall(provider("only", "111", lines=1), provider("other", "clinician", lines=1), cool_down_s=quick)
    await hall.seek("taken", "clinician")
    await hall.seek("call")
    await hall.dispatch.leg_failed("call", "only", "busy")
    assert isinstance(await hall.seek("call", *ANYBODY), Waiting)

    await hall.pass_time(0.01)
    assert await hall.next_offer() == ("call", "only")


async def fails(hall: Hall, cause: str, call_ref: str = "call") -> None:
    """The caller is offered the only provider, which fails."""
    assert await hall.seek(call_ref) == Offer("only", "111")
    await hall.dispatch.leg_failed(call_ref, "only", cause)


async def cools_for(hall: Hall) -> float:
    """After how many seconds the only provider is offered again, to the half second."""
    for halves in range(200):
        if isinstance(await hall.seek("probe", hold=False), Offer):
            await hall.dispatch.leave("probe")
            return halves / 2
        hall.clock.move(0.5)
    raise AssertionError("it is never offered again")


async def test_provider_that_keeps_failing_is_passed_over_longer_each_time_up_to_a_minute(new_hall: NewHall) -> None:
    hall = new_hall(provider("only", "111"))
    cooled = []
    for _ in range(8):
        await fails(hall, "busy")
        cooled.append(await cools_for(hall))

    assert cooled == [2, 4, 8, 16, 32, 60, 60, 60]


async def test_provider_that_answers_begins_anew(new_hall: NewHall) -> None:
    hall = new_hall(provider("only", "111"))
    for _ in range(3):
        await fails(hall, "busy")
        await cools_for(hall)
    await hall.seek("call")
    await hall.dispatch.leg_answered("call", "only")
    await hall.dispatch.leave("call")

    await fails(hall, "busy")
    assert await cools_for(hall) == 2


async def test_callers_who_fail_together_count_once(new_hall: NewHall) -> None:
    hall = new_hall(provider("only", "111"))
    for n in range(5):
        await hall.seek(f"call{n}")
    for n in range(5):
        await hall.dispatch.leg_failed(f"call{n}", "only", "busy")

    assert await cools_for(hall) == 2


async def test_provider_whose_every_edge_says_down_is_not_offered(new_hall: NewHall) -> None:
    hall = new_hall(provider("first", "111"), provider("second", "111"))
    await hall.dispatch.reachable("first", "a", False)
    await hall.dispatch.reachable("first", "b", True)
    assert await hall.seek("one") == Offer("first", "111"), "one edge reaches it"
    await hall.dispatch.leave("one")

    await hall.dispatch.reachable("first", "b", False)
    assert await hall.seek("two") == Offer("second", "111")
    await hall.dispatch.reachable("second", "a", False)
    assert isinstance(await hall.seek("three"), Nobody)


async def test_word_of_an_edge_lasts_until_it_is_taken_back_or_too_old(new_hall: NewHall) -> None:
    hall = new_hall(provider("only", "111"))
    await hall.dispatch.reachable("only", "a", False)
    hall.clock.move(STATEMENT_S - 0.1)
    assert isinstance(await hall.seek("one"), Nobody)
    hall.clock.move(0.1)
    assert isinstance(await hall.seek("one"), Offer)

    await hall.dispatch.reachable("only", "a", False)
    assert isinstance(await hall.seek("two"), Nobody)
    await hall.dispatch.reachable("only", "a", None)
    assert isinstance(await hall.seek("two"), Offer)


async def test_those_who_wait_are_offered_a_provider_that_is_reached_again(new_hall: NewHall) -> None:
    hall = new_hall(provider("only", "111"), provider("other", "clinician", lines=1))
    await hall.seek("taken", "clinician")
    await hall.dispatch.reachable("only", "a", False)
    assert isinstance(await hall.seek("call", *ANYBODY), Waiting)

    await hall.dispatch.reachable("only", "a", True)
    assert await hall.next_offer() == ("call", "only")
