"""Calls that ended: before a person answered, the distress flag of a line and the welfare task of a caller at risk; and
what an end means for who was promised a call back."""

from __future__ import annotations

import structlog

from callrouter.call_backs.service import CallBackList
from callrouter.journal import Journal
from callrouter.ports import Plans
from callrouter.repeat.contacts import RepeatCalls
from callrouter.view import CallView, fold
from callrouter.welfare.service import Left, Welfare
from infra.bus import Entry, EventStream, take
from infra.crypto import SealError
from infra.numbers import read_number

UNANSWERED = frozenset(
    {
        "abandoned",
        "left_in_message",
        "deflected",
        "self_served",
        "served_elsewhere",
        "call_back",
        "dropped_by_us",
        "answer_unknown",
    }
)
"""End classes of calls that no person answered, as far as anybody can tell: a switch's answer is not a person's."""

CALLER_LEFT = frozenset({"abandoned", "left_in_message", "deflected"})

log = structlog.get_logger()


class Unanswered:
    """Reads the event stream as the group ``unanswered``; what it must know of a call is in its journal."""

    GROUP = "unanswered"
    BATCH = 100  # as many as the index of encounters takes

    def __init__(
        self,
        stream: EventStream,
        journal: Journal,
        repeats: RepeatCalls,
        welfare: Welfare,
        call_backs: CallBackList,
        plans: Plans,
    ) -> None:
        self._stream = stream
        self._journal = journal
        self._repeats = repeats
        self._welfare = welfare
        self._call_backs = call_backs
        self._plans = plans
        self._is_owed: bool | None = None

    async def join(self) -> None:
        """Become a reader: calls that end from here on will be looked at."""
        await self._stream.join(self.GROUP)

    async def step(self, wait_s: float) -> int:
        """Look at what has ended, at most one batch; returns how many entries were read.

        A call whose journal is not written yet is left for the next step: nothing is acknowledged past it. While
        nobody is owed a call back, one question for a batch is all that this costs.
        """
        self._is_owed = None  # whoever was promised a call in this batch was so before it was read
        return await take(self._stream, self.GROUP, self._look_at, limit=self.BATCH, wait_s=wait_s)

    async def _look_at(self, entry: Entry) -> bool:
        if entry.kind == "offered" and (contact := entry.facts.get("resumes")):
            await self._call_backs.back_on_the_line(str(contact))
        if entry.kind != "ended":
            return True
        if self._is_owed is None:
            self._is_owed = await self._call_backs.any_open()
        unanswered = entry.facts.get("end_class") in UNANSWERED
        if not (unanswered or self._is_owed):
            return True
        try:
            view = fold(await self._journal.read(entry.call_ref))
        except SealError:
            log.error("unanswered_call_unreadable", call_ref=entry.call_ref)  # one such call must not stop the rest
            return True
        if view is None or view.ended_at is None:
            return False
        if self._is_owed:
            await self._call_backs.call_ended(view)
        if unanswered:
            await self._after(view)
        return True

    async def _after(self, view: CallView) -> None:
        assert view.ended_at is not None
        distress = False
        if view.number is not None and view.end_class in CALLER_LEFT and view.ended_by == "caller":
            distress = await self._repeats.keep_short(view.call_ref, view.number, view.ended_at)
        risk = at_risk(view) or await self._may_have_a_plan(view)
        if not (risk or distress):
            return
        left = Left(view.resumes or view.call_ref, view.context, view.node, view.ended_at, view.number)
        if await self._welfare.make(left, once_for_number=not risk):
            log.warning("welfare_task_made", call_ref=view.call_ref)

    async def _may_have_a_plan(self, view: CallView) -> bool:
        """Asked now for who went before the flow asked: in the first words, in the menu, by key 0."""
        if view.number is None or view.finding("plan") is not None:
            return False
        found = await self._plans.find(read_number(view.number))
        return found.raises or found.outcome == "unavailable"


def at_risk(view: CallView) -> bool:
    """A red flag, the distress flag, or a crisis or end-of-life plan at any level but none (rules.md, 1)."""
    plan = any(found.raises for what, found in view.findings if what in ("plan", "birth_date"))
    return bool(view.red_flags) or plan or view.in_distress
