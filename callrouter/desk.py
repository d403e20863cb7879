"""The hand-over desk: what the console asks for when somebody answers a call."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta

from callrouter import events as ev
from callrouter.calls import Calls
from callrouter.errors import PlanClosed, TooManyTries
from callrouter.handover import CallPage, OpenedPlan, PlanNotice, SignedIn
from callrouter.journal import Journal
from callrouter.timeline import rows
from callrouter.view import CallView, fold
from careplans.errors import PlanStoreFailed, PlanUnreadable
from careplans.errors import TooManyTries as TriesUsedUp
from careplans.model import Viewer
from careplans.service import CarePlans
from infra.clock import Clock

AFTER_THE_CALL = timedelta(minutes=60)
"""How long who took a call may still open the plan that it matched (docs/safety/rules.md, 6)."""


class Desk:
    """:class:`callrouter.handover.CallPages` from the journal and the plan store."""

    def __init__(
        self, journal: Journal, calls: Calls, plans: CarePlans, provider_names: Mapping[str, str], clock: Clock
    ) -> None:
        self._journal = journal
        self._calls = calls
        self._plans = plans
        self._names = dict(provider_names)
        self._clock = clock

    async def page(self, context: str, who: SignedIn) -> CallPage | None:
        """See :meth:`callrouter.handover.CallPages.page`."""
        call_ref = await self._journal.call_of_context(context)
        if call_ref is None:
            return None
        await self._calls.note(call_ref, ev.ContextOpened(role=who.role, user=who.user))
        recorded = await self._journal.read(call_ref)
        view = fold(recorded)
        if view is None:
            return None
        provider = self._names.get(view.provider or "", view.provider or "")
        return CallPage(view, _notice(view), _repeat(view), rows(recorded, self._names), provider)

    async def check_birth_date(self, context: str, born: date, who: SignedIn) -> tuple[OpenedPlan, ...]:
        """See :meth:`callrouter.handover.CallPages.check_birth_date`."""
        call_ref = await self._journal.call_of_context(context)
        view = fold(await self._journal.read(call_ref)) if call_ref else None
        if view is None:
            return ()
        if view.ended_at is not None and self._clock.now() - view.ended_at > AFTER_THE_CALL:
            raise PlanClosed("this call ended more than an hour ago")
        found = view.finding("plan")
        viewer = Viewer(user=who.user, role=who.role, call_ref=view.call_ref)
        try:
            opened = await self._plans.open_by_birth_date(found.candidates if found else [], born, viewer)
        except TriesUsedUp as error:
            raise TooManyTries from error
        except (PlanStoreFailed, PlanUnreadable) as error:
            raise PlanClosed("plans cannot be read just now") from error
        return tuple(
            OpenedPlan(
                person=plan.person,
                kind=plan.kind,
                source=plan.source,
                author_org=plan.author_org,
                valid_from=plan.valid_from,
                review_by=plan.review_by,
                stale=plan.stale,
                handler_line=plan.handler_line,
                detail=plan.detail,
            )
            for plan in opened
        )


def _notice(view: CallView) -> PlanNotice:
    found = view.finding("plan")
    if found is None:
        return PlanNotice("unavailable", "not_looked_up", 0)
    return PlanNotice(found.outcome, found.reason, found.people)


def _repeat(view: CallView) -> str:
    found = view.finding("repeat")
    return found.outcome if found else "ER"
