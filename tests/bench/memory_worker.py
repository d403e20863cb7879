"""The call layer without SQL: `Calls` and the worker for Asterisk, a journal that is read and thrown away.

``python -m tests.bench.memory_worker`` runs until it is told to end; the environment names Asterisk and the audio.
It listens on BENCH_PORT once it is connected, and does nothing there.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import signal
from pathlib import Path

import uvloop

from adapters.asterisk.ari import Ari
from adapters.asterisk.worker import SipWorker
from callrouter.calls import Calls
from callrouter.dispatch.local import LocalDispatch
from callrouter.dispatch.providers import read_providers
from callrouter.flows import load_flow, load_prompts
from callrouter.hours import read_hours
from callrouter.lookups import Lookups
from callrouter.nearby import Nearby
from callrouter.settings import Settings
from callrouter.sip import audio_files
from infra.bus import MemoryStream
from infra.clock import SystemClock
from infra.crypto import KeyRing
from infra.loops import repeat
from infra.state import MemoryStates
from tests.loaded_flows import LoadedFlows
from tests.service import FakePlans, FakeRepeats, Understanding


class Discard:
    """A reader of the stream that keeps nothing."""

    def __init__(self, stream: MemoryStream) -> None:
        self._stream = stream

    async def join(self) -> None:
        """Become a reader."""
        await self._stream.join("discard")

    async def step(self, wait_s: float) -> int:
        """Take what waits, at most 500 entries."""
        batch = await self._stream.read("discard", limit=500, wait_s=wait_s)
        if batch:
            await self._stream.acknowledge("discard", [position for position, _ in batch])
        return len(batch)


def _calls(stream: MemoryStream) -> Calls:
    clock, settings = SystemClock(), Settings()
    providers = read_providers(Path(os.environ["BENCH_PROVIDERS"]))
    dispatch = LocalDispatch(providers, clock)
    calls = Calls(
        states=MemoryStates(stream),
        flows=LoadedFlows(load_flow(settings.flow_file)),
        lookups=Lookups(
            plans=FakePlans(),
            repeats=FakeRepeats(),
            understanding=Understanding(),
            clock=clock,
            nearby=Nearby(clock, hours=read_hours(settings.hours_file)),
        ),
        dispatch=dispatch,
        keys=KeyRing(os.urandom(32), os.urandom(32)),
        clock=clock,
        new_id=lambda: secrets.token_hex(16),
        answers={each.id: each.answers for each in providers},
    )
    dispatch.on_offer = calls.offered
    return calls


async def _run() -> None:
    stream = MemoryStream()
    reader, calls = Discard(stream), _calls(stream)
    await reader.join()
    audio = audio_files(Path(os.environ["BENCH_PROMPTS"]), load_prompts(Settings().prompts_file))
    app = f"callrouter-{secrets.token_hex(4)}"
    ari = Ari(os.environ["BENCH_ARI_URL"], app, os.environ["BENCH_ARI_USER"], os.environ["BENCH_ARI_PASSWORD"])
    stopped = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopped.set)
    reading = asyncio.create_task(repeat("discard", reader.step, full=500))
    async with SipWorker(ari, calls, SystemClock(), audio):
        await ari.wait_connected()
        async with await asyncio.start_server(_say_nothing, "127.0.0.1", int(os.environ["BENCH_PORT"])):
            await stopped.wait()
    reading.cancel()


async def _say_nothing(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.close()


if __name__ == "__main__":
    uvloop.run(_run())
