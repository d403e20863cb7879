"""The hand-over desk: what the console asks for when somebody answers a call."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping
from datetime import date

import structlog

from callrouter import events as ev
from callrouter.approvals import Refused
from callrouter.calls import Calls
from callrouter.errors import PlanClosed, TooManyTries
from callrouter.handover import CallPage, OpenedPlan, PlanNotice, SignedIn
from callrouter.journal import Journal
from callrouter.plans.matched_calls import JournalCalls
from callrouter.plans.pages import shown, viewer_of
from callrouter.timeline import rows
from callrouter.view import CallView, fold
from careplans.access.on_call import PlansOnCall
from careplans.errors import NoRelationship, NotAllowed, PlanStoreFailed, PlanUnreadable, SeveralPeople
from careplans.errors import TooManyTries as TriesUsedUp
from careplans.model import OpenedPlan as Opened
from careplans.showing import checked
from infra.ages import age_band
from infra.clock import Clock

log = structlog.get_logger()


class NotYourCall(Refused):
    """The call came to another organisation (docs/safety/rules.md, 6). A clinician breaks the glass to see a plan."""

    error_id = "not_your_call"
    status = 403


class Desk:
    """:class:`callrouter.handover.CallPages` from the journal and the plan store."""

    def __init__(
        self,
        journal: Journal,
        calls: Calls,
        plans: PlansOnCall,
        matched: JournalCalls,
        provider_names: Mapping[str, str],
        clock: Clock,
    ) -> None:
        """``matched``: to whom a call came."""
        self._journal = journal
        self._matched = matched
        self._clock = clock
        self._calls = calls
        self._plans = plans
        self._names = dict(provider_names)

    async def page(self, context: str, who: SignedIn) -> CallPage | None:
        """See :meth:`callrouter.handover.CallPages.page`. Raises :class:`NotYourCall`, which is recorded."""
        call_ref = await self._journal.call_of_context(context)
        recorded = await self._journal.read(call_ref) if call_ref else []
        view, call = fold(recorded), await self._matched.of(recorded)
        if call_ref is None or view is None or call is None:
            return None
        viewer = viewer_of(who)
        if not call.is_of(viewer):
            await self._plans.turn_away(viewer, call_ref)
            raise NotYourCall("this call was not put through to your organisation")
        await self._calls.note(call_ref, ev.ContextOpened(role=who.role, user=who.user))
        provider = self._names.get(view.provider or "", view.provider or "")
        return CallPage(view, _notice(view), _repeat(view), rows(recorded, self._names), provider)

    async def check_birth_date(self, context: str, born: date, who: SignedIn) -> tuple[OpenedPlan, ...]:
        """See :meth:`callrouter.handover.CallPages.check_birth_date`."""
        plans = await _opened(self._plans.open_by_birth_date(context, born, viewer_of(who)))
        return await self._checked(context, plans, "birth_date", who)

    async def open_checked(self, context: str, who: SignedIn) -> tuple[OpenedPlan, ...]:
        """See :meth:`callrouter.handover.CallPages.open_checked`."""
        plans = await _opened(self._plans.open_checked(context, viewer_of(who)))
        return await self._checked(context, plans, "said", who)

    async def _checked(self, context: str, plans: tuple[Opened, ...], by: str, who: SignedIn) -> tuple[OpenedPlan, ...]:
        """The call itself learns that somebody checked, right or wrong: from now on it is at that match level.

        The plans were opened, and the audit says so: they are shown, whether the call can be told or not.
        """
        match = checked(plans, by)
        event = ev.PlanChecked(
            role=who.role, by=by, outcome=match.outcome.value, user=who.user,
            raises=any(each.raises for each in match.candidates), plans=[each.plan_id for each in match.candidates],
        )  # fmt: skip
        born = next((each.born for each in plans if each.born is not None), None)
        band = age_band(born, self._clock.now()) if born is not None else None
        try:
            if (call_ref := await self._journal.call_of_context(context)) is not None:
                await self._calls.note(call_ref, event)
                if band is not None:
                    await self._calls.note(call_ref, ev.AgeBandKnown(by="plan", band=band))
        except Exception as error:  # noqa: BLE001 - whatever it is, somebody has the caller on the line
            log.error("plan_check_not_noted", error=type(error).__name__)
        return tuple(shown(plan) for plan in plans)


async def _opened(opening: Awaitable[tuple[Opened, ...]]) -> tuple[Opened, ...]:
    try:
        return await opening
    except TriesUsedUp as error:
        raise TooManyTries from error
    except (NoRelationship, NotAllowed, SeveralPeople) as error:
        raise PlanClosed(str(error)) from error
    except (PlanStoreFailed, PlanUnreadable) as error:
        raise PlanClosed("plans cannot be read just now") from error


def _notice(view: CallView) -> PlanNotice:
    found = view.finding("plan")
    if found is None:
        return PlanNotice("unavailable", "not_looked_up", 0)
    if view.confirmed_by:
        return PlanNotice(view.plan_level, view.confirmed_by, found.people, view.confirmed_at, view.unmatched_at)
    return PlanNotice(view.plan_level, found.reason, found.people)


def _repeat(view: CallView) -> str:
    found = view.finding("repeat")
    return found.outcome if found else "ER"
