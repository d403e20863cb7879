"""A house for faults: the real worker, ARI client and door, before an Asterisk whose every word a test decides."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from adapters.asterisk.ari import Ari, AriEvent
from adapters.asterisk.worker import SipWorker
from callrouter import events as ev
from callrouter.calls import Calls
from callrouter.dispatch.providers import Providers
from callrouter.errors import UnknownCall
from callrouter.model import CallRecord, Input, InputKind, Reply
from callrouter.ports import Performer
from infra.clock import SystemClock
from infra.turns import Turns
from ivr.model import Wait
from tests.faults.ari_server import SOON_S, AriServer, Caller, asterisk
from tests.service import PROMPTS, PROVIDERS, CallService, a_provider, build_calls

LEASE_S = 2.0
AUDIO = {key: f"sound:{key}" for key in PROMPTS}
ONE_LINE = Providers((a_provider("one-eleven", "111", tel="+442079460101", lines=1),))


class FailingDoor:
    """The real door, until it is told to fail at inputs of a kind, or to be slow. It tells what comes, and what it has
    done with."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls
        self.fails_at: set[InputKind] = set()
        self.handled: asyncio.Queue[tuple[str, Input]] = asyncio.Queue()
        self.given_up: asyncio.Queue[tuple[str, str]] = asyncio.Queue()
        self.came: asyncio.Queue[InputKind] = asyncio.Queue()
        self.goes_on = asyncio.Event()
        self.goes_on.set()

    async def handle(self, call_ref: str, given: Input) -> Reply:
        """As the door, or a defect."""
        if given.kind in self.fails_at:
            raise RuntimeError("a defect")
        self.came.put_nowait(given.kind)
        await self.goes_on.wait()
        try:
            return await self._calls.handle(call_ref, given)
        finally:
            self.handled.put_nowait((call_ref, given))

    async def present(self, call_ref: str) -> Reply:
        """As the door."""
        return await self._calls.present(call_ref)

    async def give_up(self, call_ref: str, reason: str) -> bool:
        """As the door."""
        known = await self._calls.give_up(call_ref, reason)
        self.given_up.put_nowait((call_ref, reason))
        return known

    async def record(self, call_ref: str) -> CallRecord | None:
        """As the door."""
        return await self._calls.record(call_ref)

    async def knows(self, call_ref: str) -> bool:
        """As the door."""
        return await self._calls.knows(call_ref)

    async def first_of(self, key: str, call_ref: str) -> str:
        """As the door."""
        return await self._calls.first_of(key, call_ref)

    def perform_with(self, network: str, performer: Performer) -> None:
        """As the door."""
        self._calls.perform_with(network, performer)


class BrokenAudio(Mapping[str, str]):
    """``broken_audio``: every prompt is there, and none can be read."""

    def __contains__(self, key: object) -> bool:
        return True

    def __getitem__(self, key: str) -> str:
        raise RuntimeError("a defect")

    def __iter__(self) -> Iterator[str]:
        return iter(())

    def __len__(self) -> int:
        return 0


class EndingAri(Ari):
    """``ending_listener``: the events end at one that the test sends; the connection stays."""

    LAST = "LastEvent"

    def __init__(self, *args: Any, **how: Any) -> None:
        super().__init__(*args, **how)
        self.ended = asyncio.Event()

    async def events(self) -> AsyncIterator[AriEvent]:
        """As the client's, until the last."""
        async for event in super().events():
            if event.type == self.LAST:
                self.ended.set()
                return
            yield event


@dataclass
class SipHouse:
    """Everything that a test holds."""

    asterisk: AriServer
    service: CallService
    door: FailingDoor
    ari: Ari
    worker: SipWorker

    async def handled(self, kind: InputKind) -> tuple[str, Input]:
        """The next input of this kind that the door has done with, and of which call."""
        async with asyncio.timeout(SOON_S):
            while True:
                call_ref, given = await self.door.handled.get()
                if given.kind is kind:
                    return call_ref, given

    def door_input(self, kind: InputKind, value: str, to: Reply) -> Input:
        """An input in answer to a reply, as another worker would give it."""
        return Input(f"{kind}.elsewhere", kind, self.service.clock.now(), to.wait_id, value, to.epoch)

    async def wait_of(self, call_ref: str) -> Wait:
        """What the call waits for now."""
        return (await self.service.calls.present(call_ref)).wait

    async def knows(self, call_ref: str) -> bool:
        """Whether the door has ever heard of the call."""
        try:
            await self.service.calls.present(call_ref)
        except UnknownCall:
            return False
        return True

    async def kinds(self, call_ref: str) -> list[str]:
        """The journal of a call, kinds only."""
        return [each.kind for each in await self.service.events(call_ref)]

    async def offered(self, call_ref: str) -> ev.Offered:
        """How the call came."""
        return next(each for each in await self.service.events(call_ref, "offered") if isinstance(each, ev.Offered))

    async def ended(self, call_ref: str) -> ev.Ended:
        """The one end of a call."""
        found = [each for each in await self.service.events(call_ref, "ended") if isinstance(each, ev.Ended)]
        assert len(found) == 1
        return found[0]

    async def in_the_menu(self, caller: Caller, epoch: int = 1) -> None:
        """The caller is owned and has heard the main menu."""
        await self.asterisk.enter_stasis(caller, epoch)
        await self.asterisk.wait_asked("sound:main_menu", len(self.asterisk.requests("sound:main_menu")) + 1)

    async def in_a_talk(self, caller: Caller) -> None:
        """The caller has pressed 1 and talks to 111."""
        await self.in_the_menu(caller)
        await self.asterisk.press(caller, "1")
        await self.asterisk.wait_asked("-to")
        await self.asterisk.leave_stasis(caller)
        await self.asterisk.dial(caller, "ANSWER")
        await self.handled(InputKind.LEG_ANSWERED)


@asynccontextmanager
async def sip_house(
    folder: Path,
    *,
    providers: Providers = PROVIDERS,
    audio: Mapping[str, str] = AUDIO,
    client: type[Ari] = Ari,
    lease_s: float = LEASE_S,
    request_seconds: float = 1.0,
    turns: Turns | None = None,
) -> AsyncIterator[SipHouse]:
    """A worker that is connected; its ``client`` waits ``request_seconds`` for an answer."""
    service = await build_calls(folder, providers=providers)
    door = FailingDoor(service.calls)
    try:
        async with asterisk() as server:
            ari = client(
                server.url, "callrouter-w1", "user", "secret", retry_seconds=(0.02,), request_seconds=request_seconds
            )
            worker = SipWorker(ari, door, SystemClock(), audio, lease_s=lease_s, turns=turns)
            async with worker:
                await ari.wait_connected()
                yield SipHouse(server, service, door, ari, worker)
    finally:
        await service.close()
