"""The contract of live call state: every implementation of ``CallStates`` holds it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest

from infra.bus import Entry, EventStream, MemoryStream
from infra.redis import RedisLink
from infra.redis_state import RedisStates
from infra.redis_stream import RedisStream
from infra.state import CallStates, MemoryStates, Stored, Version

KEEP_S = 60.0
MOMENT_S = 0.02
NOON = datetime(2026, 3, 28, 12, tzinfo=UTC)


@dataclass(frozen=True)
class Store:
    """A store and the stream that its commits append to."""

    states: CallStates
    stream: EventStream

    async def entries(self) -> list[tuple[str, int]]:
        """What commits appended since the test began."""
        return [(each.call_ref, each.seq) for _, each in await self.stream.read("test", limit=99, wait_s=0)]


@pytest.fixture
async def store(link: RedisLink | None) -> Store:
    """A store in this process, or on each kind of Redis, with a reader of its stream."""
    stream: MemoryStream | RedisStream = MemoryStream() if link is None else RedisStream(link)
    states = MemoryStates(stream) if isinstance(stream, MemoryStream) else RedisStates(link)
    await stream.join("test")
    return Store(states, stream)


def stored(epoch: int, step: int, value: bytes = b"sealed") -> Stored:
    return Stored(Version(epoch, step), value, b"wrapped")


def entry(seq: int, call_ref: str = "call") -> Entry:
    return Entry(call_ref, seq, NOON, "offered", {})


async def begin(store: Store, call_ref: str = "call") -> Version:
    first = stored(1, 1)
    assert await store.states.commit(call_ref, None, first, (), keep_s=KEEP_S, due_s=None)
    return first.version


async def test_call_that_never_started_is_nothing(store: Store) -> None:
    assert await store.states.read("call") is None


async def test_what_was_committed_is_read(store: Store) -> None:
    await store.states.commit("call", None, stored(1, 1, b"\x00\xff"), (), keep_s=KEEP_S, due_s=None)

    assert await store.states.read("call") == stored(1, 1, b"\x00\xff")
    assert await store.states.read("other") is None


async def test_commit_replaces_only_the_version_that_was_read(store: Store) -> None:
    first = await begin(store)
    assert await store.states.commit("call", first, stored(1, 2, b"won"), (), keep_s=KEEP_S, due_s=None)

    assert not await store.states.commit("call", first, stored(1, 2, b"lost"), (), keep_s=KEEP_S, due_s=None)
    assert await store.states.read("call") == stored(1, 2, b"won")


async def test_call_starts_once(store: Store) -> None:
    await begin(store)

    assert not await store.states.commit("call", None, stored(1, 1, b"again"), (), keep_s=KEEP_S, due_s=None)
    assert await store.states.read("call") == stored(1, 1)


async def test_call_that_is_not_there_cannot_be_replaced(store: Store) -> None:
    assert not await store.states.commit("call", Version(1, 1), stored(1, 2), (), keep_s=KEEP_S, due_s=None)
    assert await store.states.read("call") is None


async def test_newer_owner_may_commit_and_an_older_may_not(store: Store) -> None:
    first = await begin(store)
    taken = stored(2, 2)
    assert await store.states.commit("call", first, taken, (), keep_s=KEEP_S, due_s=None)

    assert not await store.states.commit("call", taken.version, stored(1, 3), (entry(1),), keep_s=KEEP_S, due_s=None)
    assert await store.states.read("call") == taken
    assert await store.entries() == []


async def test_of_many_at_once_exactly_one_wins(store: Store) -> None:
    first = await begin(store)
    race = [
        store.states.commit("call", first, stored(1, 2, bytes([n])), (entry(n),), keep_s=KEEP_S, due_s=None)
        for n in range(20)
    ]
    won = [n for n, has_won in enumerate(await asyncio.gather(*race)) if has_won]

    assert len(won) == 1
    assert await store.states.read("call") == stored(1, 2, bytes(won))
    assert await store.entries() == [("call", won[0])]


async def test_the_same_commit_again_has_won_and_is_done_once(store: Store) -> None:
    first = await begin(store)
    after = stored(1, 2, b"sealed once")
    for _ in range(2):
        assert await store.states.commit("call", first, after, (entry(1),), keep_s=KEEP_S, due_s=None)

    assert await store.entries() == [("call", 1)]


async def test_start_that_is_told_twice_has_won_and_is_done_once(store: Store) -> None:
    for _ in range(2):
        assert await store.states.commit("call", None, stored(1, 1), (entry(1),), keep_s=KEEP_S, due_s=None)

    assert await store.entries() == [("call", 1)]


async def test_calls_do_not_get_in_each_others_way(store: Store) -> None:
    one, two = await begin(store, "one"), await begin(store, "two")

    assert await store.states.commit("one", one, stored(1, 2), (), keep_s=KEEP_S, due_s=None)
    assert await store.states.commit("two", two, stored(1, 2), (), keep_s=KEEP_S, due_s=None)


async def test_entries_are_appended_with_the_commit_and_in_its_order(store: Store) -> None:
    first = await begin(store)
    assert await store.states.commit("call", first, stored(1, 2), (entry(1), entry(2)), keep_s=KEEP_S, due_s=None)
    assert await store.states.commit("call", Version(1, 2), stored(1, 3), (entry(3),), keep_s=KEEP_S, due_s=None)

    assert await store.entries() == [("call", 1), ("call", 2), ("call", 3)]


async def test_commit_that_loses_appends_nothing(store: Store) -> None:
    await begin(store)
    assert not await store.states.commit("call", None, stored(1, 1, b"other"), (entry(1),), keep_s=KEEP_S, due_s=None)

    assert await store.entries() == []


async def test_state_is_forgotten_after_its_time_and_the_call_may_start_again(store: Store) -> None:
    await store.states.commit("call", None, stored(1, 1), (), keep_s=MOMENT_S, due_s=None)
    await asyncio.sleep(2 * MOMENT_S)

    assert await store.states.read("call") is None
    assert not await store.states.commit("call", Version(1, 1), stored(1, 2), (), keep_s=KEEP_S, due_s=None)
    assert await store.states.commit("call", None, stored(1, 1), (), keep_s=KEEP_S, due_s=None)


async def test_every_commit_gives_the_state_its_time_anew(store: Store) -> None:
    keep_s = MOMENT_S
    # A busy machine may take longer than a moment between two commits: the state is gone then, and so is the question.
    while not await committed_in_time(store, f"kept-{keep_s}", keep_s):
        keep_s *= 2
    await asyncio.sleep(2 * keep_s)

    assert await store.states.read(f"kept-{keep_s}") == stored(1, 2)


async def committed_in_time(store: Store, call_ref: str, keep_s: float) -> bool:
    """Two commits, the first kept for that time: whether the second still found it, and is kept for long."""
    assert keep_s < KEEP_S / 2, "no second commit ever finds the first"
    await store.states.commit(call_ref, None, stored(1, 1), (), keep_s=keep_s, due_s=None)
    return await store.states.commit(call_ref, Version(1, 1), stored(1, 2), (), keep_s=KEEP_S, due_s=None)


async def test_first_who_gives_a_name_wins(store: Store) -> None:
    assert await store.states.named("CA1") == []
    assert await store.states.name("CA1", "one", keep_s=KEEP_S) == "one"
    assert await store.states.name("CA1", "two", keep_s=KEEP_S) == "one"
    assert await store.states.name("CA1", "one", keep_s=KEEP_S) == "one"
    assert await store.states.named("CA1") == ["one"]


async def test_the_calls_of_several_names_come_in_the_order_of_their_names(store: Store) -> None:
    await store.states.name("CA1", "one", keep_s=KEEP_S)
    await store.states.name("CA3", "three", keep_s=KEEP_S)
    assert await store.states.named("CA3", "CA2", "CA1") == ["three", "one"]


async def test_of_many_who_name_at_once_all_hear_of_the_same_call(store: Store) -> None:
    heard = await asyncio.gather(*(store.states.name("CA1", f"call-{n}", keep_s=KEEP_S) for n in range(20)))

    assert len(set(heard)) == 1
    assert await store.states.named("CA1") == [heard[0]]


async def test_name_is_forgotten_after_its_time(store: Store) -> None:
    await store.states.name("CA1", "one", keep_s=MOMENT_S)
    await asyncio.sleep(2 * MOMENT_S)

    assert await store.states.named("CA1") == []
    assert await store.states.name("CA1", "two", keep_s=KEEP_S) == "two"


async def due(store: Store, call_ref: str, seconds: float | None, expected: Version | None = None) -> Version:
    new = stored(1, expected.step + 1 if expected else 1)
    assert await store.states.commit(call_ref, expected, new, (), keep_s=KEEP_S, due_s=seconds)
    return new.version


async def test_call_is_overdue_when_nobody_moved_it_on_in_time(store: Store) -> None:
    await due(store, "soon", KEEP_S)
    await due(store, "never", None)
    await due(store, "late", -5.0)
    await due(store, "later", -9.0)

    assert await store.states.overdue(late_s=1, limit=9) == ["later", "late"]
    assert await store.states.overdue(late_s=1, limit=1) == ["later"]
    assert await store.states.overdue(late_s=7, limit=9) == ["later"]
    assert await store.states.overdue(late_s=1, limit=9) == ["later", "late"], "they stay listed"


async def test_commit_replaces_or_removes_the_due_time(store: Store) -> None:
    moved, over = await due(store, "moved", -5.0), await due(store, "over", -5.0)
    await due(store, "moved", KEEP_S, moved)
    await due(store, "over", None, over)

    assert await store.states.overdue(late_s=1, limit=9) == []


async def test_commit_that_loses_leaves_the_due_time(store: Store) -> None:
    await due(store, "call", -5.0)
    assert not await store.states.commit("call", None, stored(1, 1, b"other"), (), keep_s=KEEP_S, due_s=KEEP_S)

    assert await store.states.overdue(late_s=1, limit=9) == ["call"]


async def test_call_that_was_forgotten_is_not_overdue(store: Store) -> None:
    await store.states.commit("call", None, stored(1, 1), (), keep_s=MOMENT_S, due_s=-5.0)
    await asyncio.sleep(2 * MOMENT_S)

    assert await store.states.overdue(late_s=1, limit=9) == []
