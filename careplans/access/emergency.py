"""Broken glass: a clinician without a call opens the plans of one exact patient, and information governance is told."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

import structlog
from sqlalchemy import Connection, Executable, insert, select, update

from careplans.access.patient import PatientAsked, find_patient
from careplans.access.ports import Governance, GovernanceNotice
from careplans.access.rules import EMERGENCY_LIFE, Action, may
from careplans.access.tables import plan_emergencies
from careplans.audit.chain import What
from careplans.audit.trail import AuditTrail
from careplans.errors import NoRelationship, NotAllowed, PlanStoreFailed, ReasonMissing
from careplans.model import OpenedPlan, Viewer, london_date
from careplans.reading import read_plans, store_errors
from careplans.sealing import Sealer
from careplans.showing import opened
from infra.clock import Clock
from infra.crypto import KeyRing
from infra.sql import Database

_log = structlog.get_logger(__name__)

SHORTEST_REASON = 10
"""Characters: a word or two that a reviewer can judge; "urgent" alone says nothing."""
LONGEST_REASON = 1000

_UNTOLD = select(plan_emergencies.c.id, plan_emergencies.c.at).where(plan_emergencies.c.told_at.is_(None)).limit(100)


@dataclass(frozen=True, slots=True)
class Emergency:
    """A broken glass: its opaque id, and until when it opens."""

    id: str
    expires_at: datetime


class EmergencyAccess:
    """Breaks glass, and opens what it lets see. Nothing is found or shown without its record (fails closed)."""

    def __init__(
        self, database: Database, keyring: KeyRing, clock: Clock, audit: AuditTrail, governance: Governance
    ) -> None:
        self._database = database
        self._keyring = keyring
        self._sealer = Sealer(keyring)
        self._clock = clock
        self._audit = audit
        self._governance = governance

    async def ask(self, asked: PatientAsked, reason: str, viewer: Viewer) -> Emergency:
        """Break the glass for one exact patient, for 30 min; information governance is told.

        Raises :class:`NotAllowed` for anybody but a clinician, :class:`ReasonMissing`, :class:`NotOnePatient`,
        :class:`PlanStoreFailed`. Every try is recorded, those that are refused too.
        """
        if not may(viewer.role, Action.BREAK_GLASS):
            await self._audit.record_or_spool(viewer, self._audit.entries(viewer, What.REFUSED))
            raise NotAllowed("only a clinician may open a plan without a call")
        typed = " ".join(reason.split())[:LONGEST_REASON]
        if len(typed) < SHORTEST_REASON:
            raise ReasonMissing("say why, for whoever reviews it")
        # the search is entered before anything is found: whoever only looks whether somebody has a plan is seen, too
        await self._audit.record(viewer, self._audit.entries(viewer, What.SEARCHED))
        emergency = await self._audit.within(lambda connection: self._break(connection, asked, typed, viewer))
        try:
            await self.tell()
        except PlanStoreFailed:
            _log.error("emergency_not_told", emergency=emergency.id)  # the loop tells; the patient does not wait for it
        return emergency

    async def open(self, emergency: str, viewer: Viewer) -> tuple[OpenedPlan, ...]:
        """The plans of the patient, newest first, for who broke the glass, until it is over; each time recorded.

        Raises :class:`NotAllowed`, :class:`NoRelationship`, :class:`PlanStoreFailed`, :class:`PlanUnreadable`.
        """
        row = await self._row(emergency)
        if not may(viewer.role, Action.BREAK_GLASS):
            await self._refuse(viewer, row)
            raise NotAllowed("only a clinician may open a plan without a call")
        if row is None or row.actor not in self._audit.actors(viewer.user):
            await self._refuse(viewer, row)
            raise NoRelationship("this emergency access is not yours")
        if self._clock.now() >= row.expires_at:
            await self._refuse(viewer, row)
            raise NoRelationship("this emergency access is over")
        stored = await read_plans(self._database, row.plans.split())
        ids = [plan.found.id for plan in stored]
        today = london_date(self._clock.now())
        shown = opened(self._sealer, stored, today, with_detail=True)
        await self._audit.record(viewer, self._audit.entries(viewer, What.OPENED_EMERGENCY, ids, about=row.id))
        return shown

    async def tell(self) -> int:
        """Tell information governance of every broken glass that it has not been told of; how many those were.

        Called at once, and by a loop: a notice that could not be queued is queued later, and never twice.
        """
        with store_errors():
            rows = await self._database.poll(_UNTOLD)
            for emergency, at in rows:
                if not await self._governance.tell(GovernanceNotice("broke_glass", emergency, at)):
                    return 0  # not told, so not marked: whoever is named later is told of it
                told = update(plan_emergencies).where(plan_emergencies.c.id == emergency)
                await self._database.write(partial(_execute, statement=told.values(told_at=self._clock.now())))
        return len(rows)

    def _break(self, connection: Connection, asked: PatientAsked, reason: str, viewer: Viewer) -> Emergency:
        found = find_patient(connection, self._sealer, asked)
        now, key, new = self._clock.now(), self._keyring.new_data_key(), secrets.token_hex(16)
        ids = [plan.found.id for plan in found]
        row = {
            "id": new,
            "at": now,
            "expires_at": now + EMERGENCY_LIFE,
            "actor": self._audit.actor(viewer.user),
            "session": self._audit.session(viewer.session),
            "role": str(viewer.role),
            "plans": " ".join(ids),
            "wrapped_key": key.wrapped,
            "reason": key.seal(reason.encode(), f"{new}/reason".encode()),
        }
        connection.execute(insert(plan_emergencies), [row])
        self._audit.enter(connection, viewer, self._audit.entries(viewer, What.BROKE_GLASS, ids, about=new))
        return Emergency(new, now + EMERGENCY_LIFE)

    async def _row(self, emergency: str) -> Any:
        one = select(plan_emergencies).where(plan_emergencies.c.id == emergency)
        with store_errors():
            return await self._database.read(lambda connection: connection.execute(one).one_or_none())

    async def _refuse(self, viewer: Viewer, row: Any) -> None:
        about = "" if row is None else str(row.id)
        await self._audit.record_or_spool(viewer, self._audit.entries(viewer, What.REFUSED, about=about))


def _execute(connection: Connection, statement: Executable) -> None:
    connection.execute(statement)
