"""Whatever happens to the network and to the process: what was committed stands, and every event is told, in order."""

from __future__ import annotations

import asyncio
import tempfile
from contextlib import AsyncExitStack
from pathlib import Path

from distant_store import KEEP_S, SOON_S, Process, World, stored
from hypothesis import given
from hypothesis import strategies as st

from infra.bus import Entry
from infra.state import Stored, Version
from tests.hand_clock import NOON

HAPPENINGS = st.lists(
    st.sampled_from(["commit", "commit", "commit", "read", "cut", "lose answers", "heal", "moment", "restart"]),
    max_size=25,
)


class Story:
    """One call, carried by one process at a time."""

    def __init__(self, folder: Path) -> None:
        self.world = World(folder)
        self.committed: list[Stored] = []

    async def play(self, happenings: list[str]) -> None:
        """Let everything happen, then let the network be whole, and look."""
        network = self.world.network
        await self.world.stream.join("test")
        stack = AsyncExitStack()
        process = await stack.enter_async_context(self.world.process())
        for each in happenings:
            match each:
                case "cut":
                    network.is_cut = True
                case "lose answers":
                    network.loses_answers = True
                case "heal":
                    network.is_cut = network.loses_answers = False
                case "moment":
                    await asyncio.sleep(0.02)
                case "restart":
                    await stack.aclose()
                    process = await stack.enter_async_context(self.world.process())
                case "read":
                    await self.read(process)
                case "commit":
                    await self.commit(process)
        network.is_cut = network.loses_answers = False
        await self.settled(process)
        await self.look(process)
        await stack.aclose()
        assert list(self.world.folder.iterdir()) == []

    async def read(self, process: Process) -> Stored | None:
        """What the process knows: the newest, or nothing if it began while the store was away."""
        found = await process.states.read("call")
        newest = self.committed[-1] if self.committed else None
        known = found == newest or process.states.degraded
        assert known, "an older state, though the store is there"
        return found

    async def commit(self, process: Process) -> None:
        found = await self.read(process)
        newest = self.committed[-1] if self.committed else None
        if found != newest:
            return  # a process that does not know the call does not carry it
        seq = len(self.committed) + 1
        new = stored(seq)
        entry = Entry("call", seq, NOON, "node_entered", {})
        expected = Version(1, seq - 1) if found else None
        assert await process.states.commit("call", expected, new, [entry], keep_s=KEEP_S, due_s=KEEP_S)
        self.committed.append(new)

    async def settled(self, process: Process) -> None:
        if process.states.degraded:
            await asyncio.wait_for(process.back.wait(), SOON_S)

    async def look(self, process: Process) -> None:
        newest = self.committed[-1] if self.committed else None
        assert await self.world.distant.read("call") == newest
        assert await process.states.read("call") == newest
        assert await self.world.entries() == list(range(1, len(self.committed) + 1))


@given(HAPPENINGS)
def test_what_was_committed_stands_and_every_event_is_told_in_order(happenings: list[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(Story(Path(folder) / "spool").play(happenings))
