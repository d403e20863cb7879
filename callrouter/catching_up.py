"""Who goes past the look-ups of the flow, by key 0, a red flag or a need, is looked up before somebody is sought.

What is found raises and stands on the page; the caller hears nothing of it and is asked nothing. Both look-ups are made
at once, within the budget of one; without an answer the caller goes on as after any other look-up.
"""

from __future__ import annotations

import asyncio

from callrouter import events as ev
from callrouter.asking import Asking, skipped
from callrouter.model import CallRecord
from callrouter.moves import happened
from ivr import engine
from ivr.flow import Flow
from ivr.model import LookupWait, OfferWait, Sprint


async def before_waiting(
    asking: Asking, record: CallRecord, flow: Flow, sprint: Sprint, events: list[ev.Event]
) -> Sprint:
    """The sprint with what the skipped look-ups say, if it ends in a search for somebody; else as it is.

    Skipped is what the flow asks of callers and nobody has asked in this call. Adds to ``events``.
    """
    if not isinstance(sprint.wait, OfferWait) or not (missed := skipped(record, flow, events)):
        return sprint
    waits = [LookupWait(sprint.session.node, what) for what in missed]
    answers = await asyncio.gather(*(asking.ask(wait, events) for wait in waits))
    found = {what: answer for what, (answer, _) in zip(missed, answers, strict=True) if answer is not None}
    if not found:  # the caller hung up while we looked
        return sprint
    events += [event for _, told in answers for event in told]
    after = engine.learned(flow, sprint.session, found)
    events += happened(after)
    return after
