"""Asked on a call's page about earlier ones: the caller's own answer, and the rule with the patient's details."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy.exc import SQLAlchemyError

from callrouter import events as ev
from callrouter.approvals import Refused, RoleMissing, StoreAway
from callrouter.calls import Calls
from callrouter.handover import SignedIn
from callrouter.journal import Journal
from callrouter.ports import RepeatFound
from callrouter.repeat.contacts import EarlierReport, RepeatCalls
from callrouter.repeat.patient import FEWEST_IN_COMMON, Patient
from callrouter.view import CallView, fold
from infra.clock import Clock
from infra.numbers import read_number

ANSWERS = ("yes", "no", "not_known")
AFTER_THE_CALL = timedelta(minutes=60)


class NotNow(Refused):
    """Earlier calls cannot be looked for from this page. The text says why."""

    error_id = "earlier_calls_closed"


@dataclass(frozen=True, slots=True)
class Earlier:
    """What the rule says with the details that were typed; ``reports`` for a repeat caller (RC) only."""

    outcome: str
    reports: tuple[EarlierReport, ...] = ()


class EarlierCalls:
    """Used by who takes the call, while it lasts and for an hour after. Every use is an event of the call."""

    def __init__(
        self, journal: Journal, calls: Calls, repeats: RepeatCalls, clock: Clock, owners: Mapping[str, str]
    ) -> None:
        """``owners``: the ODS code of each provider, by its id."""
        self._journal = journal
        self._calls = calls
        self._repeats = repeats
        self._clock = clock
        self._owners = dict(owners)

    async def answered(self, context: str, answer: str, who: SignedIn) -> None:
        """Record what the caller said to "have you, or has someone for you, called 111 twice in the last four days?".

        Raises :class:`RoleMissing`, :class:`NotNow`.
        """
        if answer not in ANSWERS:
            raise NotNow("choose yes, no or not known")
        view = await self._call(context, who)
        await self._calls.note(view.call_ref, ev.RepeatAnswered(answer=answer, role=who.role, user=who.user))

    async def look(self, context: str, patient: Patient, who: SignedIn) -> Earlier:
        """Apply the rule with the patient's details, and keep them (as keyed hashes) with this call for later ones.

        Raises :class:`RoleMissing`; :class:`NotNow` with fewer than three details, and when the look cannot be recorded
        (after :data:`callrouter.model.MOST_LOOKS`, or the call is forgotten): then nothing is shown.
        Raises :class:`StoreAway`.
        """
        if self._repeats.traits(patient).known < FEWEST_IN_COMMON:
            raise NotNow("enter at least three of the details")
        view = await self._call(context, who)
        assert view.offered_at is not None
        found = await self._repeats.find(read_number(view.number), view.offered_at, patient, resumes=view.resumes)
        if not await self._calls.note(view.call_ref, _event(found, who)):
            raise NotNow("no look can be recorded: this call's limit is reached, or it is forgotten. Ask the caller")
        try:
            if view.answered_at is not None:
                await self._keep(view, patient)
            reports = await self._repeats.reports(found.encounters) if found.outcome == "RC" else []
        except (SQLAlchemyError, OSError) as error:
            raise StoreAway("earlier calls cannot be read just now: ask the caller") from error
        return Earlier(found.outcome, tuple(reports))

    async def _keep(self, view: CallView, patient: Patient) -> None:
        """A person has spoken with the caller: this call is an encounter, and now it is known whose."""
        assert view.offered_at is not None
        call_ref, traits = view.resumes or view.call_ref, self._repeats.traits(patient)
        provider = self._owners.get(view.provider or "", view.provider or "")
        await self._repeats.keep(
            call_ref, view.number, view.offered_at, provider=provider, context=view.context, traits=traits
        )
        await self._repeats.identify(call_ref, traits)

    async def _call(self, context: str, who: SignedIn) -> CallView:
        if who.role not in ev.AGENT_ROLES:
            raise RoleMissing("earlier calls are for who takes this one")
        call_ref = await self._journal.call_of_context(context)
        view = fold(await self._journal.read(call_ref)) if call_ref else None
        if view is None or view.offered_at is None:
            raise NotNow("there is no such call")
        if view.ended_at is not None and self._clock.now() - view.ended_at > AFTER_THE_CALL:
            raise NotNow("this call ended more than an hour ago")
        return view


def _event(found: RepeatFound, who: SignedIn) -> ev.RepeatChecked:
    earlier = [at.isoformat() for at in found.earlier]
    return ev.RepeatChecked(
        outcome=found.outcome, reason=found.reason, earlier=earlier or None, role=who.role, user=who.user
    )
