"""SIP wired: a worker for each Asterisk of the settings, and a watch that looks at it from outside."""

from __future__ import annotations

import asyncio
import glob
import secrets
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path

from adapters.asterisk.absence import Absence, is_connected, say_connected
from adapters.asterisk.ami import Ami
from adapters.asterisk.ari import Ari
from adapters.asterisk.recordings import LEASE_S as RECORDINGS_LEASE_S
from adapters.asterisk.recordings import TakeRecordings
from adapters.asterisk.rest import rest_client
from adapters.asterisk.watch import AsteriskWatch
from adapters.asterisk.worker import SipWorker
from callrouter.edges import Edge, edges
from callrouter.errors import ConfigurationError
from callrouter.readiness import ASTERISK
from callrouter.recordings.service import Recordings
from callrouter.resuming import CutOff
from callrouter.running import dispatching
from callrouter.sweep import Sweep
from callrouter.wiring import Service
from infra.health import Health
from infra.lease import Lease
from infra.loops import repeat, until_next
from ivr.voices import language_of

LOOK_EVERY_S = 2.0
"""An answer or end that no worker saw is known after this, and the three seconds in which a worker may still tell."""
SAY_EVERY_S = 1.0
WATCH_AGAIN_S = (0.1, 0.5, 1.0, LOOK_EVERY_S)
"""Between the watch's tries to connect: an Asterisk that is back is seen by the look after the next at the latest."""


def sip_workers(service: Service) -> list[SipWorker]:
    """A worker for the calls of each Asterisk; none where the settings name no Asterisk, or at a background process."""
    settings = service.settings
    found = edges(settings) if settings.parts != "background" else []
    if not found:
        return []
    if settings.prompts_audio_dir is None:
        raise ConfigurationError(
            "CALLROUTER_PROMPTS_AUDIO_DIR: needed for SIP calls; make it with `callrouter prompts`"
        )
    audio = audio_files(settings.prompts_audio_dir, service.prompts)
    # a name of its own for each start: a dead worker's application may still hold channels under the old one
    app = f"callrouter-{secrets.token_hex(4)}"
    password = settings.ari_password.get_secret_value()
    workers = []
    for edge in found:
        told = _tells(service.health, _part(edge, found))
        ari = Ari(edge.ari_url, app, settings.ari_user, password, told=told)
        workers.append(SipWorker(ari, service.calls, service.clock, audio, edge=edge.name, turns=service.turns))
    return workers


@asynccontextmanager
async def telling_who_is_connected(service: Service) -> AsyncIterator[None]:
    """Tell the watch, again and again, which Asterisks this process is connected to."""
    found = edges(service.settings)

    async def step(_wait_s: float) -> int:
        for edge in found:
            if service.health.works(_part(edge, found)):
                await say_connected(service.stores.leases, edge.name)
        await asyncio.sleep(SAY_EVERY_S)
        return 0

    loop = asyncio.create_task(repeat("connected", step, full=1))
    try:
        yield
    finally:
        loop.cancel()
        await asyncio.gather(loop, return_exceptions=True)


def _part(edge: Edge, among: Sequence[Edge]) -> str:
    return ASTERISK if len(among) == 1 else f"{ASTERISK}:{edge.name}"


def _another_answers(watches: Mapping[str, AsteriskWatch], name: str) -> bool:
    return any(each.answers for each in watches.values() if each.edge != name)


def _tells(health: Health, part: str) -> Callable[[bool], None]:
    def told(connected: bool) -> None:
        if connected:
            health.ok(part)
        else:
            health.failed(part, "not_connected")

    health.expect(part)
    return told


def audio_files(folder: Path, keys: Iterable[str]) -> AudioFiles:
    """Where Asterisk finds each prompt; raises :class:`ConfigurationError` naming those that are missing."""
    files = AudioFiles(folder.resolve())
    # other voices stand in for one another: without a Polish voice here, Polish callers hear the first language
    if missing := [key for key in keys if not language_of(key) and key not in files]:
        raise ConfigurationError(f"{folder}: no audio for {', '.join(missing)} (make it with `callrouter prompts`)")
    return files


class AudioFiles(Mapping[str, str]):
    """Prompt key → what Asterisk plays. A recording that comes while the service runs is found, too."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._found: dict[str, str] = {}

    def __getitem__(self, key: str) -> str:
        if key not in self._found:
            if not any(self._folder.glob(f"{glob.escape(key)}.*")):
                raise KeyError(key)
            self._found[key] = f"sound:{self._folder / key}"
        return self._found[key]

    def __iter__(self) -> Iterator[str]:
        return iter({each.stem: None for each in self._folder.glob("*.wav*") if not each.name.startswith(".")})

    def __len__(self) -> int:
        return sum(1 for _ in self)


@asynccontextmanager
async def watching(service: Service) -> AsyncIterator[None]:
    """Look at every Asterisk from outside, and after calls that nobody moves. One process at a time does it."""
    settings = service.settings
    password = settings.ari_password.get_secret_value()
    holder = secrets.token_hex(8)
    watches: dict[str, AsteriskWatch] = {}
    cut_off = CutOff(service.stores.states, service.keys, service.after_calls.shared.__contains__)
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(dispatching(service))
        for edge in edges(settings):
            ari = Ari(edge.ari_url, f"watch-{holder}", settings.ari_user, password, retry_seconds=WATCH_AGAIN_S)
            await stack.enter_async_context(ari)
            ami = Ami(*edge.ami, settings.ari_user, password) if edge.ami else None
            if ami is not None:
                await stack.enter_async_context(ami)
            absence = Absence(
                service.clock,
                partial(is_connected, service.stores.leases, edge.name),
                partial(say_connected, service.stores.leases, edge.name),
                partial(_another_answers, watches, edge.name),
                service.stores.trusted,
            )
            watches[edge.name] = AsteriskWatch(
                edge.name, ari, ami, service.calls, service.dispatch, service.clock, service.stores.trusted, absence,
                cut_off.doubt,
            )  # fmt: skip
        sweep = Sweep(service.stores.states, service.calls, watches, service.clock)
        step = partial(_look, list(watches.values()), sweep)
        lease = partial(Lease, service.stores.leases, holder=holder)
        loops = [asyncio.create_task(repeat("watch", step, full=1, lease=lease(name="watch")))]
        for edge in edges(settings):
            taking, name = await _taking(service, edge, stack), f"recordings:{edge.name}"
            its = lease(name=name, seconds=RECORDINGS_LEASE_S)
            loops.append(asyncio.create_task(repeat(name, taking.step, full=1, lease=its, lost=taking.lost)))
        try:
            yield
        finally:
            for loop in loops:
                loop.cancel()
            await asyncio.gather(*loops, return_exceptions=True)


async def _taking(service: Service, edge: Edge, stack: AsyncExitStack) -> TakeRecordings:
    """What takes the recordings from one Asterisk; a stuck one keeps nobody from those of the others."""
    settings = service.settings
    client = rest_client(edge.ari_url, settings.ari_user, settings.ari_password.get_secret_value())
    recordings = Recordings(service.database, service.keys, service.clock, service.calls.note)
    return TakeRecordings(await stack.enter_async_context(client), recordings, service.clock, service.health, edge.name)


async def _look(watches: list[AsteriskWatch], sweep: Sweep, _wait_s: float) -> int:
    await asyncio.gather(*(each.look() for each in watches))
    await sweep.step()
    await asyncio.sleep(until_next(LOOK_EVERY_S))
    return 0
