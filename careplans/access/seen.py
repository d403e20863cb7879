"""Who saw a patient's plans: the audit, read for information governance. Reading it is recorded, too."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime

from sqlalchemy import Connection, select

from careplans.access.patient import PatientAsked, find_patient
from careplans.access.rules import Action, may
from careplans.audit.chain import What
from careplans.audit.people import UNKNOWN, People
from careplans.audit.tables import plan_audit
from careplans.audit.trail import AuditTrail
from careplans.errors import NotAllowed
from careplans.model import Viewer
from careplans.sealing import Sealer
from infra.crypto import KeyRing

MOST_LISTED = 500


@dataclass(frozen=True, slots=True)
class Seen:
    """One act of one person. ``who`` is personal; ``plans`` name kind and source only."""

    at: datetime
    who: str = field(repr=False)
    role: str
    what: str
    plans: tuple[str, ...]
    late: bool


class WhoSaw:
    """The views of one patient's plans, for information governance only."""

    def __init__(self, keyring: KeyRing, audit: AuditTrail) -> None:
        self._sealer = Sealer(keyring)
        self._people = People(keyring)
        self._audit = audit

    async def of(self, asked: PatientAsked, viewer: Viewer) -> list[Seen]:
        """Every act on the plans of one exact patient, withdrawn ones too, newest first, this search among them.

        Raises :class:`NotAllowed`, :class:`NotOnePatient`, :class:`PlanStoreFailed`: what cannot be recorded is not
        shown.
        """
        if not may(viewer.role, Action.SEE_WHO_SAW):
            await self._audit.record_or_spool(viewer, self._audit.entries(viewer, What.REFUSED))
            raise NotAllowed("only information governance sees who saw a plan")
        await self._audit.record(viewer, self._audit.entries(viewer, What.SEARCHED))
        return await self._audit.within(lambda connection: self._seen(connection, asked, viewer))

    def _seen(self, connection: Connection, asked: PatientAsked, viewer: Viewer) -> list[Seen]:
        found = [plan.found for plan in find_patient(connection, self._sealer, asked, withdrawn=True)]
        ids = [plan.id for plan in found]
        self._audit.enter(connection, viewer, self._audit.entries(viewer, What.VIEWS_READ, ids))
        named = {plan.id: f"{plan.kind}, {plan.source}" for plan in found}
        query = select(plan_audit).where(plan_audit.c.plan.in_(ids)).order_by(plan_audit.c.seq.desc())
        rows = connection.execute(query.limit(MOST_LISTED)).all()
        names = self._people.names(connection, (row.actor for row in rows))
        acts: dict[str, Seen] = {}
        for row in rows:
            who = names.get(row.actor, UNKNOWN)
            act = acts.setdefault(row.attempt, Seen(row.at, who, row.role, row.what, (), row.late))
            acts[row.attempt] = replace(act, plans=(*act.plans, named[row.plan]))
        return list(acts.values())
