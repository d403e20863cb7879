"""The contract of leases: every implementation of ``Leases`` holds it."""

from __future__ import annotations

import asyncio

import pytest

from infra.lease import Leases, MemoryLeases
from infra.redis import RedisLink
from infra.redis_lease import RedisLeases

LONG_S = 60.0
MOMENT_S = 0.02


@pytest.fixture
def leases(link: RedisLink | None) -> Leases:
    """Leases in this process, or on each kind of Redis."""
    return MemoryLeases() if link is None else RedisLeases(link)


async def test_one_holds_and_may_renew_the_other_waits(leases: Leases) -> None:
    assert await leases.hold("journal", "one", LONG_S)

    assert not await leases.hold("journal", "two", LONG_S)
    assert await leases.hold("journal", "one", LONG_S)


async def test_of_many_at_once_exactly_one_gets_it(leases: Leases) -> None:
    got = await asyncio.gather(*(leases.hold("journal", f"holder-{n}", LONG_S) for n in range(20)))

    assert got.count(True) == 1


async def test_leases_of_other_names_are_free(leases: Leases) -> None:
    assert await leases.hold("journal", "one", LONG_S)
    assert await leases.hold("encounters", "two", LONG_S)


async def test_lease_that_was_given_back_is_free_at_once(leases: Leases) -> None:
    await leases.hold("journal", "one", LONG_S)
    await leases.release("journal", "one")

    assert await leases.hold("journal", "two", LONG_S)


async def test_only_the_holder_gives_it_back(leases: Leases) -> None:
    await leases.hold("journal", "one", LONG_S)
    await leases.release("journal", "two")

    assert not await leases.hold("journal", "two", LONG_S)


async def test_anybody_may_ask_whether_it_is_held_and_takes_nothing_by_asking(leases: Leases) -> None:
    assert not await leases.is_held("journal")
    await leases.hold("journal", "one", LONG_S)
    assert await leases.is_held("journal")
    await leases.release("journal", "one")
    assert not await leases.is_held("journal")


async def test_lease_of_the_dead_lapses(leases: Leases) -> None:
    await leases.hold("journal", "one", MOMENT_S)
    await asyncio.sleep(2 * MOMENT_S)

    assert not await leases.is_held("journal")
    assert await leases.hold("journal", "two", LONG_S)
    assert not await leases.hold("journal", "one", LONG_S)


async def test_renewing_gives_it_its_time_anew(leases: Leases) -> None:
    await leases.hold("journal", "one", MOMENT_S)
    await leases.hold("journal", "one", LONG_S)
    await asyncio.sleep(2 * MOMENT_S)

    assert not await leases.hold("journal", "two", LONG_S)
