"""A reference for whom a call was passed on to: GP out-of-hours, ambulance control (docs/safety/rules.md, 6)."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, select

from careplans.access.on_call import PlansOnCall
from careplans.access.references import issue_reference
from careplans.access.rules import Action
from careplans.audit.chain import What
from careplans.audit.tables import plan_audit
from careplans.audit.trail import AuditTrail
from careplans.errors import NotConfirmed, UnknownOrganisation
from careplans.model import Viewer
from careplans.store import SealedPlan, plans_by_id
from infra.clock import Clock
from infra.roles import Role

_CHECKS = (What.CHECKED_RIGHT, What.CHECKED_WRONG, What.OPENED)
_BY = (Role.HANDLER, Role.CLINICIAN)


class PassingOn:
    """``organisations``: those to which calls are passed, in the words in which their people are signed in."""

    def __init__(
        self, on_call: PlansOnCall, audit: AuditTrail, clock: Clock, organisations: Sequence[str] = ()
    ) -> None:
        self.organisations = tuple(organisations)
        self._on_call = on_call
        self._audit = audit
        self._clock = clock

    async def pass_on(self, context: str, organisation: str, viewer: Viewer) -> str:
        """A new reference, for that organisation, to the plans of whom the last check in this call confirmed.

        It is entered in the audit in the same transaction. Raises :class:`UnknownOrganisation`, :class:`NotConfirmed`,
        and what :meth:`PlansOnCall.call_of` and :meth:`AuditTrail.within` raise; then there is none.
        """
        call = await self._on_call.call_of(context, viewer, Action.PASS_ON)
        if organisation not in self.organisations:
            raise UnknownOrganisation("calls are not passed on to this organisation")
        now = self._clock.now()

        def issue(connection: Connection) -> str:
            ids = [plan.found.id for plan in confirmed_plans(connection, call.call_ref)]
            if not ids:
                raise NotConfirmed("the last check in this call confirmed no patient with a care plan")
            ref = issue_reference(connection, ids, organisation, now)
            entries = self._audit.entries(viewer, What.PASSED_ON, ids, call_ref=call.call_ref, about=ref)
            self._audit.enter(connection, viewer, entries)
            return ref

        return await self._audit.within(issue)


def confirmed_plans(connection: Connection, call_ref: str) -> Sequence[SealedPlan]:
    """The live plans that the last check in this call opened for somebody who takes calls: the audit is the witness.

    The last one only, right or wrong: where several people share a line, whoever was checked last is the patient, and
    if that was wrong nobody knows who is.
    """
    checks = (
        select(plan_audit.c.attempt, plan_audit.c.plan, plan_audit.c.what)
        .where(plan_audit.c.call_ref == call_ref, plan_audit.c.what.in_(_CHECKS), plan_audit.c.role.in_(_BY))
        .order_by(plan_audit.c.seq.desc())
    )
    rows = connection.execute(checks).all()
    last = [row for row in rows if row.attempt == rows[0].attempt]
    ids = [row.plan for row in last if row.plan is not None and row.what != What.CHECKED_WRONG]
    return plans_by_id(connection, ids) if ids else []
