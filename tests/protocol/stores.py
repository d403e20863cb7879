"""The real store in the model: every commit that a worker tries is tried on an implementation of ``CallStates``."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from infra.bus import Entry, MemoryStream
from infra.state import CallStates, MemoryStates, Stored, Version
from tests.protocol.state import Record

CALL = "call"
KEEP_S = 60.0
HELD, NEW = b"held", b"new"
"""No two workers seal alike: what one has written is never octet for octet what another writes."""


class RealStore:
    """:data:`tests.protocol.moves.Store`: one fresh store for each different question; ``answers`` are remembered."""

    def __init__(self, fresh: Callable[[], CallStates] = lambda: MemoryStates(MemoryStream())) -> None:
        self._fresh = fresh
        self.answers: dict[tuple[Record | None, Record | None, Record], bool] = {}

    def __call__(self, held: Record | None, read: Record | None, new: Record) -> bool:
        question = (held, read, new)
        if question not in self.answers:
            self.answers[question] = _finished(ask(self._fresh(), CALL, *question))
        return self.answers[question]


async def ask(states: CallStates, call: str, held: Record | None, read: Record | None, new: Record) -> bool:
    """Whether a store that holds this takes that commit; it must then hold it, and else what it held."""
    if held is not None:
        assert await states.commit(call, None, _stored(held, HELD), (), keep_s=KEEP_S, due_s=None)
    expected = _version(read) if read else None
    taken = await states.commit(call, expected, _stored(new, NEW), (), keep_s=KEEP_S, due_s=None)
    holds = _stored(new, NEW) if taken else held and _stored(held, HELD)
    assert await states.read(call) == holds
    return taken


class StoreWithoutEpochs(MemoryStates):
    """A store that forgets to compare epochs: it takes every commit whose version is the newest."""

    async def commit(
        self,
        call_ref: str,
        expected: Version | None,
        new: Stored,
        entries: Sequence[Entry],
        *,
        keep_s: float,
        due_s: float | None,
    ) -> bool:
        """As the contract says, but for the epoch."""
        found = await self.read(call_ref)
        if (found.version if found else None) != expected:
            return False
        self._calls[call_ref] = (new, float("inf"))
        return True


def _version(record: Record) -> Version:
    return Version(record.epoch, record.step)


def _stored(record: Record, sealed_by: bytes) -> Stored:
    return Stored(_version(record), bytes([record.life]) + sealed_by, b"key")


def _finished(work: Coroutine[Any, Any, bool]) -> bool:
    """The result of work that never waits: a store in the process, without an event loop."""
    try:
        work.send(None)
    except StopIteration as done:
        return bool(done.value)
    raise AssertionError("a store inside the process has nothing to wait for")
