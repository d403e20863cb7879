"""Plans opened by who takes the call: a birth date that the caller gives, or a clinician's "I have checked"."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from sqlalchemy import Connection

from careplans.access.ports import MatchedCall, MatchedCalls
from careplans.access.rules import AFTER_THE_CALL, Action, may
from careplans.audit import chain
from careplans.audit.chain import AuditEntry, What
from careplans.audit.tables import plan_audit
from careplans.audit.trail import AuditTrail
from careplans.errors import NoRelationship, NotAllowed, PlanStoreFailed, SeveralPeople, TooManyTries
from careplans.model import OpenedPlan, Viewer, group_by_person, london_date
from careplans.reading import read_plans
from careplans.sealing import Sealer
from careplans.showing import born_on, opened
from careplans.store import SealedPlan
from careplans.tables import lock_for_writing
from infra.clock import Clock
from infra.crypto import KeyRing
from infra.sql import Database

TRIES = 5
"""Birth dates that one person may get wrong in one call: a misheard digit or two, no search."""


class PlansOnCall:
    """Plans that a call matched, for the person who has the call, until 60 min after its end.

    Each try is recorded, right, wrong or refused. While the caller is there, a record that cannot be written is kept
    for later and the plan is shown; afterwards nothing is shown without its record.
    """

    def __init__(
        self,
        database: Database,
        keyring: KeyRing,
        clock: Clock,
        audit: AuditTrail,
        calls: MatchedCalls,
        *,
        tries: int = TRIES,
    ) -> None:
        self._database = database
        self._sealer = Sealer(keyring)
        self._clock = clock
        self._audit = audit
        self._calls = calls
        self._tries = tries

    async def open_by_birth_date(self, context: str, birth_date: date, viewer: Viewer) -> tuple[OpenedPlan, ...]:
        """The plans of the one person on this line who was born on that day, newest first; empty if none.

        Different persons with that birth date: nothing opens. Plans of one person all open, also where sources
        disagree. Restricted plans never open this way (docs/safety/rules.md, 3 and 7).

        Raises :class:`NotAllowed` for a role that takes no calls, :class:`NoRelationship` for a call that is not known,
        is long over or came to another organisation, :class:`TooManyTries` once the viewer has been wrong ``tries``
        times in this call (being right costs no try: a page may be opened again), :class:`PlanStoreFailed`,
        :class:`PlanUnreadable`. Then nothing is disclosed.
        """
        call = await self.call_of(context, viewer, Action.CHECK_BIRTH_DATE)
        stored = await read_plans(self._database, call.plans)
        right = born_on(self._sealer, stored, birth_date)
        what, shown = (What.CHECKED_RIGHT, right) if right else (What.CHECKED_WRONG, stored)
        if not await self._try_recorded(viewer, call, self._entries(viewer, what, call, shown)):
            raise TooManyTries("no more birth dates in this call")
        return self._opened(right, viewer)

    async def open_checked(self, context: str, viewer: Viewer) -> tuple[OpenedPlan, ...]:
        """The plans of the one person on this line, for a clinician who says "I have checked" whom they speak with.

        Raises :class:`SeveralPeople` on a shared line, where a birth date must tell who it is; else as
        :meth:`open_by_birth_date`. Empty where nothing is stored any more that may be found by number.
        """
        call = await self.call_of(context, viewer, Action.SAY_CHECKED)
        stored = [each for each in await read_plans(self._database, call.plans) if not each.found.restricted]
        if len(group_by_person(stored)) > 1:
            await self._record(viewer, call, self._entries(viewer, What.REFUSED, call))
            raise SeveralPeople("several people on this line: a date of birth must tell who it is")
        shown = self._opened(stored, viewer)
        await self._record(viewer, call, self._entries(viewer, What.OPENED if stored else What.REFUSED, call, stored))
        return shown

    async def call_of(self, context: str, viewer: Viewer, action: Action) -> MatchedCall:
        """The call, if this person may do this in it; what they may not is recorded.

        Raises :class:`NotAllowed`, :class:`NoRelationship`, :class:`PlanStoreFailed`.
        """
        if not may(viewer.role, action):
            await self.turn_away(viewer)
            raise NotAllowed("this role may not open plans in this way")
        call = await self._calls.by_context(context)
        if call is None:
            await self.turn_away(viewer)
            raise NoRelationship("there is no such call")
        if call.ended_at is not None and self._clock.now() - call.ended_at > AFTER_THE_CALL:
            await self.turn_away(viewer, call.call_ref)
            raise NoRelationship("this call ended more than an hour ago")
        if not call.is_of(viewer):
            await self.turn_away(viewer, call.call_ref)
            raise NoRelationship("this call was not put through to your organisation")
        return call

    async def turn_away(self, viewer: Viewer, call_ref: str = "") -> None:
        """Record that somebody was refused a call, or its plans."""
        refusal = self._audit.entries(viewer, What.REFUSED, call_ref=call_ref)
        await self._audit.record_or_spool(viewer, refusal)  # nothing is shown either way

    def _entries(
        self, viewer: Viewer, what: What, call: MatchedCall, shown: Sequence[SealedPlan] = ()
    ) -> list[AuditEntry]:
        return self._audit.entries(viewer, what, [plan.found.id for plan in shown], call_ref=call.call_ref)

    async def _try_recorded(self, viewer: Viewer, call: MatchedCall, entries: Sequence[AuditEntry]) -> bool:
        """Record a try if there is one left, else its refusal. Says whether there was."""
        refusal, actors = self._entries(viewer, What.REFUSED, call), self._audit.actors(viewer.user)

        def record(connection: Connection) -> bool:
            lock_for_writing(connection, plan_audit)
            # what was spooled stands in the chain by now, in this same transaction
            left = chain.wrong_tries(connection, actors, call.call_ref) < self._tries
            self._audit.enter(connection, viewer, entries if left else refusal)
            return left

        try:
            return await self._audit.within(record)
        except PlanStoreFailed:
            if call.ended_at is not None:
                raise
            # counted now: others that were tried at once may have been kept while this one waited for the database
            left = self._audit.spooled_tries(viewer, call.call_ref) < self._tries
            self._audit.keep_for_later(entries if left else refusal)
            return left

    async def _record(self, viewer: Viewer, call: MatchedCall, entries: Sequence[AuditEntry]) -> None:
        if call.ended_at is None:
            await self._audit.record_or_spool(viewer, entries)
        else:
            await self._audit.record(viewer, entries)

    def _opened(self, plans: Sequence[SealedPlan], viewer: Viewer) -> tuple[OpenedPlan, ...]:
        today = london_date(self._clock.now())
        with_detail = may(viewer.role, Action.READ_DETAIL)
        return opened(self._sealer, plans, today, with_detail=with_detail)
