"""A service whose live calls are on a real Redis, and callers at every stage of a call."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from callrouter import events as ev
from callrouter.model import Arrival, Input, InputKind, Reply
from infra.degraded import DegradedStates
from infra.numbers import read_number
from infra.redis import RedisAddress, RedisLink
from infra.redis_state import RedisStates
from infra.redis_stream import RedisStream
from tests.service import CallService, build_calls

LAST_STAGE = 5
SOON_S = 60.0

_INPUTS = {
    2: (InputKind.DIGIT, "1"),
    3: (InputKind.LEG_ANSWERED, ""),
    4: (InputKind.TALK_ENDED, "provider normal"),
    5: (InputKind.HUNG_UP, ""),
}
"""What brings a caller who has begun (stage 1) to the next stage."""


@dataclass
class Caller:
    """One call, moved from stage to stage: menu, being connected, talking, after the talk, over."""

    service: CallService
    call_ref: str
    stage: int = 0
    reply: Reply | None = None

    async def step(self) -> None:
        """The next thing that happens to the caller."""
        self.stage += 1
        now = self.service.clock.now()
        key = f"{self.call_ref}.{self.stage}"
        if self.stage == 1:
            arrival = Arrival("test", "111", read_number("07700 900123"))
            given = Input(key, InputKind.STARTED, now, epoch=1, arrival=arrival)
        else:
            assert self.reply is not None
            kind, value = _INPUTS[self.stage]
            wait_id = self.reply.wait_id if kind is InputKind.DIGIT else ""
            given = Input(key, kind, now, wait_id=wait_id, value=value, epoch=1)
        self.reply = await self.service.calls.handle(self.call_ref, given)

    async def go_to(self, stage: int) -> None:
        """Everything that happens until then."""
        while self.stage < stage:
            await self.step()


@dataclass
class RedisHouse:
    """The service, what it says of its store, and its callers."""

    service: CallService
    states: DegradedStates
    back: asyncio.Event
    slowest_s: float = 0.0
    callers: list[Caller] = field(default_factory=list)

    def caller(self) -> Caller:
        """One more."""
        self.callers.append(Caller(self.service, f"call-{len(self.callers)}"))
        return self.callers[-1]

    async def at_every_stage(self, each: int = 4) -> None:
        """Callers at every stage but the last, ``each`` many."""
        wanted = [stage for stage in range(LAST_STAGE) for _ in range(each)]
        await asyncio.gather(*(self.caller().go_to(stage) for stage in wanted))

    async def all_go_on(self, by: int = LAST_STAGE) -> None:
        """Every caller goes ``by`` stages further, all at once; the longest that one waited is kept."""
        await asyncio.gather(*(self._go_on(each, by) for each in self.callers))

    async def _go_on(self, caller: Caller, by: int) -> None:
        for _ in range(min(by, LAST_STAGE - caller.stage)):
            began = time.monotonic()
            await caller.step()
            self.slowest_s = max(self.slowest_s, time.monotonic() - began)

    async def told(self) -> None:
        """The store is back and knows everything."""
        await asyncio.wait_for(self.back.wait(), SOON_S)

    async def every_event_once_and_in_order(self) -> int:
        """The journal of every call is whole; returns how many events there are."""
        events = 0
        for caller in self.callers:
            recorded = await self.service.journal(caller.call_ref)
            assert [each.seq for each in recorded] == list(range(1, len(recorded) + 1)), "none lost, none twice"
            kinds = [each.event.kind for each in recorded]
            whole = [
                kind for kind in kinds if kind in ("offered", "leg_started", "leg_answered", "talk_ended", "ended")
            ]
            assert whole == ["offered", "leg_started", "leg_answered", "talk_ended", "ended"], caller.call_ref
            ended = recorded[-1].event
            assert isinstance(ended, ev.Ended)
            assert ended.end_class == "answered"
            events += len(recorded)
        return events


@asynccontextmanager
async def redis_house(url: str, folder: Path, *, like: RedisHouse | None = None) -> AsyncIterator[RedisHouse]:
    """A service with its journal in ``folder`` and its live calls on the Redis of this address.

    ``like``: the next process of the same service, with the keys of this one.
    """
    back = asyncio.Event()
    link = RedisLink(RedisAddress.parse(url))
    stream = RedisStream(link)
    states = DegradedStates(
        RedisStates(link), stream, folder / "spool", on_change=lambda away: back.clear() if away else back.set()
    )
    service = await build_calls(folder, stores=(states, stream), keys=like.service.keys if like else None)
    running = asyncio.ensure_future(states.run())
    try:
        yield RedisHouse(service, states, back)
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        states.close()
        await service.close()
        await link.close()
