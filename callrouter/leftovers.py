"""Calls whose end nobody saw: a process that kept live state in itself has died with them in progress.

Only for the embedded set-up, whose live state is gone after a restart; with a shared store the calls go on.
"""

from __future__ import annotations

from datetime import timedelta

import structlog

from callrouter.events import Ended, split
from callrouter.journal import Journal
from callrouter.view import CallView, fold
from infra.bus import Entry, EventStream
from infra.clock import Clock
from infra.crypto import SealError

LOOK_BACK = timedelta(days=2)

log = structlog.get_logger()


async def close_leftovers(journal: Journal, stream: EventStream, clock: Clock) -> int:
    """Give every unended call its end, so that none waits on the wallboard for ever; returns how many."""
    closed = 0
    for call_ref in await journal.unended(clock.now() - LOOK_BACK):
        try:
            recorded = await journal.read(call_ref)
        except SealError:
            log.error("leftover_unreadable", call_ref=call_ref)
            continue
        view = fold(recorded)
        if view is None:
            continue
        clear, _ = split(Ended(end_class=_end_class(view), reason="service_restarted", by="us"))
        await stream.append([Entry(call_ref, recorded[-1].seq + 1, clock.now(), Ended.kind, clear)])
        closed += 1
    return closed


def _end_class(view: CallView) -> str:
    """Whoever was talking was answered; whoever was not, we dropped (docs/safety/rules.md, 8)."""
    if view.answered_at is None:
        return "dropped_by_us"
    return "answered" if view.answer_evidence == "agent" else "answer_unknown"
