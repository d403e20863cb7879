"""Several workers share their lines: none is lost with the worker that held it, and none is counted twice."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from typing import Any, TypeAlias

import pytest

from callrouter.dispatch.lines import COOL_DOWN_S, TOLD_AGAIN_S
from callrouter.dispatch.providers import Provider
from callrouter.dispatch.redis_lines import LEASE_S
from callrouter.dispatch.shared import RENEW_S, SharedDispatch
from callrouter.ports import STATEMENT_S, Nobody, Offer, Waiting
from infra.redis import RedisAddress, RedisLink
from ivr.model import Band
from tests.hall import PATIENT_S, SOON_S, Hall, provider
from tests.hand_clock import NOON


@pytest.fixture
async def link(redis_servers: Any) -> AsyncIterator[RedisLink]:
    """A connection to an empty Redis."""
    made = RedisLink(RedisAddress.parse(redis_servers.empty("redis")), budget_s=PATIENT_S)
    yield made
    await made.close()


Two: TypeAlias = tuple[Hall, SharedDispatch, SharedDispatch]
NewTwo: TypeAlias = Callable[..., Two]


@pytest.fixture
async def new_two(link: RedisLink) -> AsyncIterator[NewTwo]:
    """Makes a hall with these providers and two workers."""
    halls: list[Hall] = []

    def make(*providers: Provider) -> Two:
        hall = Hall(*(providers or (provider("only", "111", lines=1),)), link=link)
        halls.append(hall)
        assert isinstance(hall.dispatch, SharedDispatch)
        return hall, hall.dispatch, hall.worker("second")

    yield make
    for hall in halls:
        await hall.settle()


async def is_free(hall: Hall, at: SharedDispatch) -> bool:
    """Whether one more caller would be put through at once."""
    found = await hall.seek("probe", band=Band.EMERGENCY, hold=False, at=at)
    await at.leave("probe")
    return isinstance(found, Offer)


async def test_line_that_one_worker_holds_is_taken_for_the_other(new_two: NewTwo) -> None:
    hall, one, other = new_two()
    assert isinstance(await hall.seek("call", at=one), Offer)

    assert isinstance(await hall.seek("next", at=other), Waiting)


async def test_line_that_one_worker_frees_is_offered_to_the_others_caller(new_two: NewTwo) -> None:
    hall, one, other = new_two()
    await hall.seek("call", at=one)
    await hall.seek("late", arrived=2, at=one)
    await hall.seek("early", arrived=1, at=other)
    await one.leave("call")

    assert await hall.next_offer() == ("early", "only")


async def test_failure_and_edges_word_are_known_to_all_workers(new_two: NewTwo) -> None:
    hall, one, other = new_two(provider("failing", "111"), provider("cut-off", "111"))
    await hall.seek("call", at=one)
    await one.leg_failed("call", "failing", "unreachable")
    await one.reachable("cut-off", "edge", False)

    assert isinstance(await hall.seek("next", at=other), Nobody)


async def test_line_of_a_worker_that_died_before_it_dialled_comes_back(new_two: NewTwo) -> None:
    hall, one, other = new_two()
    await hall.seek("call", at=one)
    await hall.seek("waiting", at=other)
    await hall.pass_time(LEASE_S - 1, other)
    assert hall.offers.empty()

    await hall.pass_time(1, other)
    assert await hall.next_offer() == ("waiting", "only")


async def test_worker_that_lives_keeps_its_callers_for_ever(new_two: NewTwo) -> None:
    hall, one, other = new_two()
    await hall.seek("talking", at=one)
    await hall.seek("waiting", at=one)
    await hall.pass_time(10 * LEASE_S)
    assert not await is_free(hall, other)

    await other.leave("talking")
    assert await hall.next_offer() == ("waiting", "only")


async def test_offer_whose_teller_died_is_told_again_by_another_worker(new_two: NewTwo) -> None:
    hall, one, other = new_two(provider("only", "111", lines=1), provider("spare", "clinician"))

    async def die(call_ref: str, offer: Offer) -> None:
        raise ConnectionError("killed before it could tell")

    one.on_offer = die
    await hall.seek("call", at=one)
    await hall.seek("waiting", at=other)
    await one.leave("call")
    await hall.pass_time(TOLD_AGAIN_S + 1, other)
    assert await hall.next_offer() == ("waiting", "only")

    await hall.settle()
    await hall.pass_time(TOLD_AGAIN_S + 1, other)
    assert hall.offers.empty(), "it was taken: it is not told a third time"


async def test_offer_that_is_on_its_way_is_told_once(new_two: NewTwo) -> None:
    hall, one, other = new_two()
    await hall.seek("call", at=one)
    await hall.seek("waiting", at=other)
    await one.leave("call")
    await hall.next_offer()
    await hall.settle()
    await hall.pass_time(TOLD_AGAIN_S + 1)

    assert hall.offers.empty()


async def test_caller_who_is_taken_over_keeps_the_line_when_the_old_worker_dies(new_two: NewTwo) -> None:
    hall, one, other = new_two()
    await hall.seek("talking", at=one)
    await other.keep("talking")
    await hall.pass_time(3 * LEASE_S, other)
    assert not await is_free(hall, other)

    await other.leave("talking")
    assert await is_free(hall, other)


async def test_line_of_a_talk_whose_worker_died_is_taken_for_as_long_as_the_network_shows_the_talk(
    new_two: NewTwo,
) -> None:
    hall, one, other = new_two()
    await hall.seek("talking", at=one)
    for _ in range(3):
        await hall.pass_time(LEASE_S - 1, other)
        await other.in_use(["talking", "unknown"])
    assert not await is_free(hall, other)

    await other.leave("talking")
    await other.in_use(["talking"])  # a look that crossed with the end
    assert await is_free(hall, other)


async def test_line_of_a_talk_that_the_network_shows_no_more_is_free_when_nobody_keeps_it(new_two: NewTwo) -> None:
    hall, one, other = new_two()
    await hall.seek("talking", at=one)
    await hall.pass_time(LEASE_S - 1, other)
    await other.in_use(["talking"])
    await hall.pass_time(LEASE_S - 1, other)
    assert not await is_free(hall, other)

    await hall.pass_time(1, other)
    assert await is_free(hall, other)


async def test_caller_who_waits_and_is_taken_over_asks_again_and_keeps_the_turn(new_two: NewTwo) -> None:
    hall, one, other = new_two()
    await hall.seek("talking", at=other)
    await hall.seek("first", arrived=1, at=one)
    await hall.seek("second", arrived=2, at=other)
    assert isinstance(await hall.seek("first", arrived=1, at=other), Waiting)
    await hall.pass_time(3 * LEASE_S, other)
    await other.leave("talking")

    assert await hall.next_offer() == ("first", "only")


async def test_worker_that_slept_holds_nothing_that_another_took_over_and_ended(new_two: NewTwo) -> None:
    hall, one, other = new_two()
    await hall.seek("talking", at=one)
    await other.keep("talking")
    await other.leave("talking")
    await hall.pass_time(RENEW_S + 1, one)  # it wakes, and renews what it thinks is its own

    assert await is_free(hall, other)


async def test_worker_from_whom_a_caller_was_taken_over_keeps_no_line_for_them(new_two: NewTwo) -> None:
    hall, one, other = new_two()
    await hall.seek("talking", at=one)
    await other.keep("talking")
    await hall.pass_time(RENEW_S + 1)
    await hall.pass_time(LEASE_S + 1, one)  # the other dies, and nobody takes the caller over

    assert await is_free(hall, one)


async def test_failure_that_comes_late_frees_nobody_elses_line(new_two: NewTwo) -> None:
    hall, one, other = new_two(provider("only", "111", lines=1), provider("spare", "111", lines=1))
    await hall.seek("call", at=one)
    await hall.pass_time(LEASE_S + 1, other)  # it was hung, and the line went to another caller
    assert await hall.seek("next", at=other) == Offer("only", "111")
    await one.leg_failed("call", "only", "busy")
    await one.leave("call")

    assert await hall.seek("third", at=other) == Offer("spare", "111")
    assert isinstance(await hall.seek("fourth", at=other), Waiting)


async def test_redis_that_forgot_everything_is_told_again(new_two: NewTwo, link: RedisLink) -> None:
    hall, one, other = new_two()
    await hall.seek("talking", at=one)
    await hall.seek("late", arrived=2, at=one)
    await hall.seek("early", arrived=1, at=other)
    await link.do("FLUSHALL")
    await hall.pass_time(RENEW_S + 1)
    assert not await is_free(hall, other)

    await other.leave("talking")
    assert await hall.next_offer() == ("early", "only")


BACK_S = -600.0
"""Redis' clock of the day is set back (NTP). What stands there then bears times that are still to come."""


async def test_provider_that_cools_down_is_tried_as_soon_though_the_clock_of_redis_was_set_back(
    new_two: NewTwo,
) -> None:
    hall, one, other = new_two()
    await hall.seek("call", at=one)
    await one.leg_failed("call", "only", "unreachable")
    hall.redis_off_s = BACK_S
    await hall.pass_time(COOL_DOWN_S["unreachable"])

    assert await is_free(hall, other)


async def test_line_of_a_dead_worker_is_free_in_time_though_the_clock_of_redis_was_set_back(new_two: NewTwo) -> None:
    hall, one, other = new_two()
    await hall.seek("call", at=one)
    await hall.seek("waiting", at=other)
    hall.redis_off_s = BACK_S
    await hall.pass_time(LEASE_S + 1, other)

    assert await hall.next_offer() == ("waiting", "only")


async def test_offer_is_told_again_though_the_clock_of_redis_was_set_back(new_two: NewTwo) -> None:
    hall, one, other = new_two()

    async def die(call_ref: str, offer: Offer) -> None:
        raise ConnectionError("killed before it could tell")

    one.on_offer = die
    await hall.seek("call", at=one)
    await hall.seek("waiting", at=other)
    await one.leave("call")
    hall.redis_off_s = BACK_S
    await hall.pass_time(TOLD_AGAIN_S + 1, other)

    assert await hall.next_offer() == ("waiting", "only")


async def test_word_of_a_dead_watch_is_forgotten_though_the_clock_of_redis_was_set_back(new_two: NewTwo) -> None:
    hall, one, other = new_two()
    await one.reachable("only", "edge", False)
    hall.redis_off_s = BACK_S
    await hall.pass_time(STATEMENT_S + 1)

    assert await is_free(hall, other)


async def test_callers_keep_line_and_place_though_the_clock_of_redis_was_set_ahead(new_two: NewTwo) -> None:
    hall, one, other = new_two()
    await hall.seek("talking", at=one)
    await hall.seek("late", arrived=2, at=one)
    await hall.seek("early", arrived=1, at=other)
    hall.redis_off_s = -BACK_S
    await hall.pass_time(2 * RENEW_S + 1)
    assert hall.offers.empty()

    await other.leave("talking")
    assert await hall.next_offer() == ("early", "only")


async def test_caller_who_rings_back_after_a_drop_is_as_early_as_before(new_two: NewTwo) -> None:
    hall, one, other = new_two()
    await hall.seek("talking", arrived=0, at=one)
    await hall.seek("dropped", arrived=1, at=one)
    await hall.seek("patient", arrived=300, at=other)
    await one.leave("dropped")
    await other.seek("resumed", ("111",), Band.NORMAL, NOON + timedelta(seconds=1), hold=True)
    await one.leave("talking")

    assert await hall.next_offer() == ("resumed", "only")


async def test_many_workers_that_ask_at_once_share_out_each_line_once(new_two: NewTwo) -> None:
    hall, one, other = new_two(provider("a", "111", lines=7), provider("b", "111", lines=13))
    found = await asyncio.wait_for(
        asyncio.gather(*(hall.seek(f"call{n}", arrived=n, at=(one, other)[n % 2]) for n in range(50))), SOON_S
    )

    lines = [each.provider for each in found if isinstance(each, Offer)]
    assert (lines.count("a"), lines.count("b")) == (7, 13)
    assert sum(isinstance(each, Waiting) for each in found) == 30
