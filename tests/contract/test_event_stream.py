"""The contract of the event stream: every implementation of ``EventStream`` holds it."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import pytest

from infra.bus import Entry, EventStream, MemoryStream
from infra.redis import RedisLink
from infra.redis_stream import RedisStream

NOON = datetime(2026, 3, 28, 12, tzinfo=UTC)
LONG_S = 30.0
IDLE_S = 1.0  # until what nobody works on is given to somebody


@pytest.fixture
async def stream(link: RedisLink | None) -> EventStream:
    """A stream in this process, or on each kind of Redis, with one reader group."""
    made: EventStream = MemoryStream() if link is None else RedisStream(link, idle_s=IDLE_S)
    await made.join("journal")
    return made


def entry(seq: int) -> Entry:
    return Entry(
        "call", seq, NOON, "node_entered", {"node": "menu"}, b"\x00sealed\xff", b"\x01wrapped" if seq == 1 else None
    )


async def waiting(stream: EventStream, group: str = "journal", limit: int = 99) -> list[int]:
    return [each.seq for _, each in await stream.read(group, limit=limit, wait_s=0)]


async def acknowledge(stream: EventStream, count: int, group: str = "journal") -> None:
    batch = await stream.read(group, limit=count, wait_s=0)
    await stream.acknowledge(group, [position for position, _ in batch])


async def test_entries_come_whole_and_in_order(stream: EventStream) -> None:
    await stream.append([entry(1), entry(2)])
    await stream.append([entry(3)])

    batch = await stream.read("journal", limit=99, wait_s=0)
    assert [each for _, each in batch] == [entry(1), entry(2), entry(3)]
    assert len({position for position, _ in batch}) == 3, "each entry has a place of its own"


async def test_batch_is_no_longer_than_asked_for(stream: EventStream) -> None:
    await stream.append([entry(n) for n in range(1, 6)])

    assert await waiting(stream, limit=2) == [1, 2]


async def test_entries_come_again_until_they_are_acknowledged(stream: EventStream) -> None:
    await stream.append([entry(1), entry(2), entry(3)])
    assert await waiting(stream) == await waiting(stream) == [1, 2, 3]

    await acknowledge(stream, 2)
    assert await waiting(stream) == [3]
    await acknowledge(stream, 1)
    assert await waiting(stream) == []


async def test_acknowledging_again_or_earlier_changes_nothing(stream: EventStream) -> None:
    await stream.append([entry(1), entry(2), entry(3)])
    first, second, _ = (position for position, _ in await stream.read("journal", limit=3, wait_s=0))
    await stream.acknowledge("journal", [first, second])
    await stream.acknowledge("journal", [first, second])
    await stream.acknowledge("journal", [first])

    assert await waiting(stream) == [3]


async def test_what_is_acknowledged_out_of_turn_does_not_come_again(stream: EventStream) -> None:
    await stream.append([entry(1), entry(2), entry(3)])
    _, second, _ = (position for position, _ in await stream.read("journal", limit=3, wait_s=0))
    await stream.acknowledge("journal", [second])

    assert await waiting(stream) == [1, 3]
    await acknowledge(stream, 2)
    assert await waiting(stream) == []


async def test_passing_reader_begins_with_what_is_still_kept(stream: EventStream) -> None:
    await stream.append([entry(1), entry(2)])
    await stream.join("wallboard", durable=False)
    await stream.append([entry(3)])

    assert await waiting(stream, "wallboard") == [1, 2, 3]
    await acknowledge(stream, 3, "wallboard")
    assert await waiting(stream, "wallboard") == []
    await stream.append([entry(4)])
    assert await waiting(stream, "wallboard") == [4]


async def test_passing_reader_that_joins_again_reads_again(stream: EventStream) -> None:
    await stream.join("wallboard", durable=False)
    await stream.append([entry(1), entry(2)])
    await acknowledge(stream, 2, "wallboard")
    await stream.join("wallboard", durable=False)

    assert await waiting(stream, "wallboard") == [1, 2]


async def test_passing_reader_that_leaves_keeps_nothing_from_going(stream: EventStream) -> None:
    await stream.join("wallboard", durable=False)
    await stream.leave("wallboard")
    await stream.leave("wallboard")
    await stream.append([entry(1), entry(2)])
    await acknowledge(stream, 2)
    await stream.append([entry(3)])
    assert await waiting(stream) == [3]
    await stream.join("wallboard", durable=False)
    assert 3 in await waiting(stream, "wallboard")


async def test_each_group_has_a_place_of_its_own(stream: EventStream) -> None:
    await stream.join("figures")
    await stream.append([entry(1), entry(2)])
    await acknowledge(stream, 2)

    assert await waiting(stream) == []
    assert await waiting(stream, "figures") == [1, 2]


async def test_group_that_was_away_misses_nothing(stream: EventStream) -> None:
    await stream.join("figures")
    for n in range(1, 50):
        await stream.append([entry(n)])
        await acknowledge(stream, 1)

    assert await waiting(stream, "figures", limit=99) == list(range(1, 50))


async def test_group_that_joins_late_reads_from_there_on(stream: EventStream) -> None:
    await stream.append([entry(1)])
    await stream.join("late")
    await stream.append([entry(2)])

    assert await waiting(stream, "late") == [2]
    assert await waiting(stream) == [1, 2]


async def test_joining_again_keeps_the_place(stream: EventStream) -> None:
    await stream.append([entry(1), entry(2)])
    await acknowledge(stream, 1)
    await stream.join("journal")

    assert await waiting(stream) == [2]


async def test_reader_who_waits_is_woken_by_an_entry(stream: EventStream) -> None:
    reading = asyncio.ensure_future(stream.read("journal", limit=9, wait_s=LONG_S))
    await asyncio.sleep(0)
    assert not reading.done()
    await stream.append([entry(1)])

    batch = await asyncio.wait_for(reading, timeout=LONG_S / 3)
    assert [each.seq for _, each in batch] == [1]


async def test_every_group_that_waits_is_woken(stream: EventStream) -> None:
    await stream.join("figures")
    readers = [asyncio.ensure_future(stream.read(group, limit=9, wait_s=LONG_S)) for group in ("journal", "figures")]
    await asyncio.sleep(0)
    await stream.append([entry(1)])

    batches = await asyncio.wait_for(asyncio.gather(*readers), timeout=LONG_S / 3)
    assert [len(batch) for batch in batches] == [1, 1]


async def test_reader_who_waits_in_vain_gets_nothing(stream: EventStream) -> None:
    assert await stream.read("journal", limit=9, wait_s=0.01) == []


async def test_reader_who_gives_up_leaves_the_stream_as_it_was(stream: EventStream) -> None:
    reading = asyncio.ensure_future(stream.read("journal", limit=9, wait_s=LONG_S))
    await asyncio.sleep(0)
    reading.cancel()
    await asyncio.gather(reading, return_exceptions=True)
    await stream.append([entry(1)])

    batch = await stream.read("journal", limit=9, wait_s=LONG_S)
    assert [each.seq for _, each in batch] == [1]
