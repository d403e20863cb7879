"""A store at the other end of a network that can be cut, and processes that do without it meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from infra.bus import Entry, MemoryStream
from infra.degraded import DegradedStates
from infra.errors import StateUnavailable
from infra.state import MemoryStates, Stored, Version

KEEP_S = 60.0
SOON_S = 20.0
PROBE_S = 0.01
NOON = datetime(2026, 3, 28, 12, tzinfo=UTC)


@dataclass
class Network:
    """The way to the store: whole, cut, or losing the answers."""

    is_cut: bool = False
    loses_answers: bool = False

    async def go(self) -> None:
        await asyncio.sleep(0)
        if self.is_cut:
            raise StateUnavailable("cut")

    async def come_back(self) -> None:
        await asyncio.sleep(0)
        if self.loses_answers:
            raise StateUnavailable("no answer")


class Distant(MemoryStates):
    """A store at the other end of a network."""

    def __init__(self, stream: MemoryStream, network: Network) -> None:
        super().__init__(stream)
        self.network = network

    async def read(self, call_ref: str) -> Stored | None:
        await self.network.go()
        return await super().read(call_ref)

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
        await self.network.go()
        won = await super().commit(call_ref, expected, new, entries, keep_s=keep_s, due_s=due_s)
        await self.network.come_back()
        return won

    async def name(self, name: str, call_ref: str, *, keep_s: float) -> str:
        await self.network.go()
        return await super().name(name, call_ref, keep_s=keep_s)

    async def named(self, *names: str) -> list[str]:
        await self.network.go()
        return await super().named(*names)


@dataclass
class Process:
    """One process' view of the store."""

    states: DegradedStates
    changes: list[bool]
    back: asyncio.Event


@dataclass
class World:
    """A store, its stream, and the network between it and the first process."""

    folder: Path
    network: Network = field(default_factory=Network)

    def __post_init__(self) -> None:
        self.stream = MemoryStream()
        self.distant = Distant(self.stream, self.network)

    @asynccontextmanager
    async def process(self) -> AsyncIterator[Process]:
        changes: list[bool] = []
        back = asyncio.Event()

        def changed(away: bool) -> None:
            changes.append(away)
            back.clear() if away else back.set()

        states = DegradedStates(self.distant, self.stream, self.folder, on_change=changed, probe_s=PROBE_S)
        running = asyncio.ensure_future(states.run())
        try:
            yield Process(states, changes, back)
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
            states.close()

    async def entries(self) -> list[int]:
        """The ``seq`` of everything in the stream; of what comes again the first, as the journal has it."""
        batch = await self.stream.read("test", limit=999, wait_s=0)
        return list(dict.fromkeys(each.seq for _, each in batch))


def stored(step: int, value: bytes = b"sealed", epoch: int = 1) -> Stored:
    return Stored(Version(epoch, step), value, b"wrapped")


async def move(states: DegradedStates | MemoryStates, step: int, *, epoch: int = 1, ended: bool = False) -> bool:
    """The call's next step, with one event."""
    expected = Version(1, step - 1) if step > 1 else None
    entry = Entry("call", step, NOON, "node_entered", {}, b"sealed", b"key" if step == 1 else None)
    due_s = None if ended else KEEP_S
    return await states.commit("call", expected, stored(step, epoch=epoch), [entry], keep_s=KEEP_S, due_s=due_s)
