"""The look-ups of one step of a call: those of the caller that follow one upon the other are asked at once.

A flow names its look-ups one after another, and each is a round trip while the caller waits. Those of the caller, by
number alone, do not depend on one another. Where anything else stands between two of them, each is asked in its turn.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from callrouter import events as ev
from callrouter.lookups import Lookups
from callrouter.model import CallRecord
from callrouter.moves import OF_THE_CALLER
from ivr.actions.lookup import Lookup
from ivr.flow import Flow
from ivr.model import Answered, LookupWait

Answer = tuple[Answered | None, list[ev.Event]]


class Asking:
    """Answers look-ups as :meth:`callrouter.lookups.Lookups.answer`, each within the budget that it has there.

    What is asked ahead is what this step comes to, unless the caller hangs up.
    """

    def __init__(self, lookups: Lookups, record: CallRecord, flow: Flow, hung_up: asyncio.Future[None]) -> None:
        self._lookups = lookups
        self._record = record
        self._flow = flow
        self._hung_up = hung_up
        self._ahead: dict[str, asyncio.Task[Answer]] = {}

    async def answer(self, wait: LookupWait, events: list[ev.Event]) -> Answered | None:
        """None: the caller hung up while we looked. Adds to ``events``, which are those of this step so far."""
        answered, told = await self.ask(wait, events)
        events += told
        return answered

    async def ask(self, wait: LookupWait, events: Sequence[ev.Event]) -> Answer:
        """The answer and what the journal is told, which is not among ``events`` yet."""
        if (asked := self._ahead.pop(wait.what, None)) is not None:
            return await asked
        if wait.what in OF_THE_CALLER:
            unasked = skipped(self._record, self._flow, events)
            for what in _in_a_row(self._flow, wait.node):
                if what in unasked and what != wait.what and what not in self._ahead:
                    self._ahead[what] = asyncio.create_task(self._ask(LookupWait(wait.node, what)))
        return await self._ask(wait)

    async def _ask(self, wait: LookupWait) -> Answer:
        return await self._lookups.answer(self._record, wait, self._flow, self._hung_up)

    def close(self) -> None:
        """Give up what was asked and is not wanted."""
        for each in self._ahead.values():
            each.cancel()


def _in_a_row(flow: Flow, node_id: str) -> list[str]:
    """What is asked by the look-up at this node and those that follow without anything between them."""
    found: list[str] = []
    while isinstance(node := flow.node(node_id), Lookup) and node.what not in found:
        found.append(node.what)
        node_id = flow.target(node_id, "next")
    return found


def skipped(record: CallRecord, flow: Flow, events: Sequence[ev.Event]) -> list[str]:
    """What the flow asks of the caller, by number alone, and nobody has asked in this call, ``events`` included."""
    if len(record.looked_up) == len(OF_THE_CALLER):
        return []
    asked = {*record.looked_up, *(each.what for each in events if isinstance(each, ev.LookedUp))}
    wanted = {each.what for each in flow.nodes.values() if isinstance(each, Lookup)}
    return [what for what in OF_THE_CALLER if what in wanted and what not in asked]
