"""A call whose version of the flow is not to be used here: unknown to this worker, or recalled as unsafe.

It goes to a person of 111 at this very input. Words are listened to first: whoever says a red flag at that moment goes
there in the highest band, as they would have in any version.
"""

from __future__ import annotations

import asyncio

from callrouter import events as ev
from callrouter.lookups import Lookups
from callrouter.model import CallRecord, Input, InputKind
from callrouter.ports import Flows
from ivr import engine
from ivr.flow import Flow
from ivr.model import GatherWait, Heard, LookupWait, Sprint


async def go_on_elsewhere(
    record: CallRecord, given: Input, heard: Heard, flows: Flows, lookups: Lookups, hung_up: asyncio.Future[None]
) -> tuple[Flow, Sprint, list[ev.Event]]:
    """The flow in which the call goes on, what the input does to it there, and what the journal shall know."""
    flow = flows.for_dialled(record.dialled, record.call_ref)
    session, events = record.session, list[ev.Event]()
    if given.kind is InputKind.SPEECH_FINAL and isinstance(session.wait, GatherWait):
        wait = LookupWait(session.node, "understand", heard.value)
        answer, told = await lookups.answer(record, wait, flow, hung_up)
        events += told
        if answer is not None and answer.red_flag:
            return flow, engine.flagged(flow, session, answer), events
    why = "flow_recalled" if flows.is_recalled(session.version) else "flow_version_unknown"
    return flow, engine.resume_elsewhere(flow, session, heard, why), events
