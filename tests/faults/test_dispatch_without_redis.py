"""Redis is gone, hung or full: callers are put through all the same, and afterwards every line is counted right."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

import pytest

from callrouter.dispatch.redis_lines import LEASE_S
from callrouter.dispatch.shared import RENEW_S, SharedDispatch
from callrouter.ports import Nobody, Offer, Waiting
from infra.redis import RedisAddress, RedisLink
from ivr.model import Band
from tests.hall import SOON_S, Hall, provider
from tests.missing import or_skip
from tests.redis_server import RedisServer
from tests.wire import Wire

pytestmark = pytest.mark.alone

BUDGET_S = 1.0  # more than in production: a busy machine must not look like a fault


@pytest.fixture(scope="module")
def server() -> Iterator[RedisServer]:
    """A Redis that a test may hurt."""
    with or_skip(), RedisServer() as made:
        yield made


@pytest.fixture
def wire(server: RedisServer) -> Iterator[Wire]:
    """The first worker's own wire to Redis."""
    with Wire(server.port) as made:
        yield made


@dataclass
class House:
    """Two workers on one Redis that can be hurt."""

    hall: Hall
    server: RedisServer
    wire: Wire
    one: SharedDispatch
    other: SharedDispatch

    def stop(self) -> None:
        self.server.pause()

    async def mend(self, first: str = "one") -> None:
        """Redis answers again, and both workers have noticed, one of them before the other."""
        self.server.resume()
        while getattr(self, first).alone:
            await getattr(self, first).sweep()
        deadline = asyncio.get_running_loop().time() + 4 * SOON_S
        while self.one.alone or self.other.alone:
            assert asyncio.get_running_loop().time() < deadline, "Redis was not found again"
            await self.hall.pass_time(1)
        await self.hall.settle()

    async def is_free(self, at: SharedDispatch) -> bool:
        found = await self.hall.seek("probe", band=Band.EMERGENCY, hold=False, at=at)
        await at.leave("probe")
        return isinstance(found, Offer)


NewHouse: TypeAlias = Callable[..., Awaitable[House]]


@pytest.fixture
async def new_house(server: RedisServer, wire: Wire) -> AsyncIterator[NewHouse]:
    """Makes a house; ``lines`` of the one provider of 111."""
    links: list[RedisLink] = []
    houses: list[House] = []

    async def make(lines: int = 1) -> House:
        urls = (f"redis://127.0.0.1:{wire.port}", server.url)
        links.extend(RedisLink(RedisAddress.parse(url), budget_s=BUDGET_S) for url in urls)
        hall = Hall(provider("only", "111", lines=lines), provider("doctor", "clinician", lines=1), link=links[0])
        assert isinstance(hall.dispatch, SharedDispatch)
        houses.append(House(hall, server, wire, hall.dispatch, hall.worker("second", links[1])))
        return houses[-1]

    server.client.flushall()
    yield make
    server.resume()
    for house in houses:
        await house.hall.settle()
    for link in links:
        await link.close()


async def test_hung_redis_costs_one_budget_and_then_nothing(new_house: NewHouse) -> None:
    house = await new_house(lines=100)
    await house.hall.seek("before", at=house.one)
    house.stop()
    loop = asyncio.get_running_loop()
    began = loop.time()
    await house.hall.seek("first", at=house.one)
    first = loop.time() - began
    found = [await house.hall.seek(f"call{n}", at=house.one) for n in range(50)]
    rest = loop.time() - began - first

    assert house.one.alone
    assert all(isinstance(each, Offer) for each in found)
    assert rest < first, "fifty callers together waited less than the one who found out"


async def test_callers_keep_their_turn_while_redis_is_away(new_house: NewHouse) -> None:
    house = await new_house()
    await house.hall.seek("talking", at=house.one)
    await house.hall.seek("late", arrived=9, at=house.one)
    await house.hall.seek("early", arrived=1, at=house.one)
    house.stop()
    await house.hall.seek("urgent", arrived=20, band=Band.URGENT, at=house.one)
    served, holder = [], "talking"
    for _ in range(3):
        await house.one.leave(holder)
        holder, _provider = await house.hall.next_offer()
        served.append(holder)

    assert served == ["urgent", "early", "late"]


async def test_provider_that_failed_or_was_out_of_reach_stays_so_while_redis_is_away(new_house: NewHouse) -> None:
    house = await new_house()
    await house.hall.seek("call", at=house.one)
    await house.one.leg_failed("call", "only", "unreachable")
    await house.one.reachable("doctor", "edge", False)
    house.stop()

    assert isinstance(await house.hall.seek("call", "111", "clinician", at=house.one), Nobody)


async def test_lines_taken_while_redis_was_away_are_counted_by_all_afterwards(new_house: NewHouse) -> None:
    house = await new_house(lines=2)
    house.stop()
    await house.hall.seek("at one", at=house.one)
    await house.hall.seek("at other", at=house.other)
    await house.mend()
    assert isinstance(await house.hall.seek("third", at=house.one), Waiting)

    await house.other.leave("at other")
    assert await house.hall.next_offer() == ("third", "only")


async def test_lines_given_back_while_redis_was_away_are_free_for_all_afterwards(new_house: NewHouse) -> None:
    house = await new_house()
    await house.hall.seek("talking", at=house.one)
    house.stop()
    await house.one.leave("talking")
    await house.mend()

    assert await house.is_free(house.other)


async def test_places_taken_while_redis_was_away_are_one_line_afterwards(new_house: NewHouse) -> None:
    house = await new_house()
    await house.hall.seek("talking", at=house.one)
    await house.hall.seek("second", arrived=2, at=house.one)
    await house.hall.seek("fourth", arrived=4, at=house.other)
    house.stop()
    await house.hall.seek("first", arrived=1, at=house.one)
    await house.one.leave("fourth")  # a caller of the other's who hung up here
    await house.mend()
    await house.hall.seek("third", arrived=3, at=house.other)
    served, holder = [], "talking"
    for _ in range(3):
        await house.other.leave(holder)
        holder, _provider = await house.hall.next_offer()
        served.append(holder)

    assert served == ["first", "second", "third"]


@pytest.mark.parametrize("first", ["one", "other"])
async def test_caller_who_left_at_another_worker_meanwhile_is_not_brought_back(new_house: NewHouse, first: str) -> None:
    house = await new_house()
    house.stop()
    await house.hall.seek("talking", at=house.one)
    await house.hall.pass_time(1, house.one)
    await house.other.leave("talking")  # its end was told to the other worker
    await house.mend(first)
    await house.hall.pass_time(RENEW_S + 1)

    assert await house.is_free(house.one)


async def test_worker_that_alone_was_cut_off_respects_what_the_others_did(new_house: NewHouse) -> None:
    house = await new_house(lines=2)
    await house.hall.seek("talking", at=house.one)
    await house.hall.seek("moved", at=house.one)
    house.wire.cut()
    await house.hall.seek("moved", at=house.one)
    await house.one.leave("talking")
    assert house.one.alone
    await house.hall.pass_time(1, house.one)
    await house.other.keep("moved")  # taken over, and then over
    await house.other.leave("moved")
    await house.other.keep("talking")  # a caller who is taken over has not left: what was heard before is stale
    house.wire.mend()
    await house.mend()
    await house.hall.pass_time(RENEW_S + 1)

    assert isinstance(await house.hall.seek("next", at=house.one), Offer)
    assert isinstance(await house.hall.seek("after", at=house.one), Waiting)


async def test_worker_that_alone_was_cut_off_does_not_take_a_caller_back(new_house: NewHouse) -> None:
    house = await new_house()
    await house.hall.seek("talking", at=house.one)
    house.wire.cut()
    await house.hall.seek("talking", at=house.one)
    await house.hall.pass_time(1, house.one)
    await house.other.keep("talking")
    house.wire.mend()
    await house.mend()
    await house.hall.pass_time(LEASE_S + 1, house.one)  # the other dies, and nobody takes the caller over

    assert await house.is_free(house.one)


async def test_caller_who_is_taken_over_while_redis_is_away_keeps_the_line(new_house: NewHouse) -> None:
    house = await new_house()
    await house.hall.seek("talking", at=house.one)
    house.stop()
    await house.other.keep("talking")
    await house.mend()
    await house.hall.pass_time(4 * RENEW_S, house.other)  # the first worker is dead by now

    assert not await house.is_free(house.other)


async def test_nobody_is_offered_two_lines_over_an_outage(new_house: NewHouse) -> None:
    house = await new_house(lines=3)
    for n in range(3):
        await house.hall.seek(f"talking{n}", at=house.one)
    for n in range(6):
        await house.hall.seek(f"call{n}", arrived=n, at=(house.one, house.other)[n % 2])
    house.stop()
    await house.one.leave("talking0")
    await house.other.leave("talking1")
    await house.mend()
    for n in range(3):
        await house.one.leave(f"talking{n}")
        await house.hall.settle()
    offered = [house.hall.offers.get_nowait()[0] for _ in range(house.hall.offers.qsize())]

    assert len(offered) == len(set(offered))
    assert set(offered) >= {"call0", "call1"}


async def test_redis_that_is_full_still_shares_out_lines(new_house: NewHouse) -> None:
    house = await new_house()
    await house.hall.seek("talking", at=house.one)
    house.server.client.config_set("maxmemory", 1)
    try:
        assert isinstance(await house.hall.seek("waiting", at=house.other), Waiting)
        await house.one.leave("talking")
        assert await house.hall.next_offer() == ("waiting", "only")
        assert not house.one.alone
        assert not house.other.alone
    finally:
        house.server.client.config_set("maxmemory", 0)


async def test_redis_that_was_killed_and_lost_everything_is_told_again(new_house: NewHouse) -> None:
    house = await new_house()
    await house.hall.seek("talking", at=house.one)
    await house.hall.seek("waiting", at=house.other)
    house.server.kill()
    await house.hall.pass_time(1)
    assert house.one.alone
    assert house.other.alone
    house.server.start()
    house.server.client.flushall()
    await house.mend()
    assert not await house.is_free(house.other)

    await house.one.leave("talking")
    assert await house.hall.next_offer() == ("waiting", "only")
