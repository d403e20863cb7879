"""What the door says of a call-back: nothing is promised that is not certain, and nobody waits for it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

import pytest
from call_world import NUMBER, SOON_S, ExactWords
from flows.player import inline

from callrouter.lookups import Lookups
from callrouter.model import CallRecord
from callrouter.ports import CallBackFound, CallBacks, PlanFound, RepeatFound
from infra.numbers import read_number
from ivr.model import LookupWait, Session
from tests.hand_clock import NOON, HandClock

FLOW = inline("person", person={"action": "queue", "services": ["111"], "hold_s": 60})
PROMISE = LookupWait("ring", "call_back", "111", stage="promise")
RECORD = CallRecord(
    call_ref="one", context="c", network="sip", number=read_number(NUMBER), dialled="111", offered_at=NOON,
    arrived_at=NOON, session=Session("f", "1", "ring", {}, {}, {}, PROMISE, ()), epoch=1, step=1, seq=1,
    wait_id="1.1", replies={},
)  # fmt: skip


class NeverAsked:
    """The other look-ups."""

    async def find(self, *_args: object, **_more: object) -> PlanFound | RepeatFound:
        raise NotImplementedError

    async def check_birth_date(self, *_args: object, **_how: object) -> PlanFound:
        raise NotImplementedError


@dataclass
class Promises:
    """Promises as a test wants them: ``hangs`` until it is cancelled, or ``fails``."""

    hangs: bool = False
    fails: bool = False
    begun: asyncio.Event = field(default_factory=asyncio.Event)

    async def possible(self, record: CallRecord) -> CallBackFound:
        return CallBackFound("possible")

    async def promise(self, record: CallRecord, service: str) -> CallBackFound:
        self.begun.set()
        if self.hangs:
            await asyncio.Event().wait()
        if self.fails:
            raise OSError("the database is away")
        return CallBackFound("promised")


def lookups(call_backs: CallBacks | None, budget_s: float = 0.01) -> Lookups:
    never = NeverAsked()
    return Lookups(
        plans=never, repeats=never, understanding=ExactWords(), clock=HandClock(), budget_s=budget_s,  # type: ignore[arg-type]
        call_backs=call_backs,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("promises", "outcome"),
    [
        (Promises(), "promised"),
        (Promises(hangs=True), "not_possible"),
        (Promises(fails=True), "not_possible"),
        (None, "not_possible"),
    ],
    ids=["kept", "late", "database away", "nothing keeps any"],
)
async def test_only_what_is_kept_in_time_is_promised(promises: Promises | None, outcome: str) -> None:
    answer, events = await lookups(promises).answer(RECORD, PROMISE, FLOW, asyncio.Future())

    assert answer is not None
    assert answer.outcome == outcome
    assert [each.kind for each in events] == ["looked_up"]


async def test_hang_up_overtakes_a_promise() -> None:
    promises = Promises(hangs=True)
    hung_up: asyncio.Future[None] = asyncio.Future()
    asked = asyncio.create_task(lookups(promises, budget_s=SOON_S).answer(RECORD, PROMISE, FLOW, hung_up))
    await asyncio.wait_for(promises.begun.wait(), SOON_S)
    hung_up.set_result(None)

    assert await asyncio.wait_for(asked, SOON_S) == (None, [])
