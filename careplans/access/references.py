"""Plans opened by an opaque reference that was passed on with a call or an incident: by its organisation, 12 h."""

from __future__ import annotations

import re
import secrets
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, distinct, func, insert, select, update

from careplans.access.rules import REFERENCE_LIFE, Action, may
from careplans.access.tables import plan_references
from careplans.audit.chain import A_DAY, What
from careplans.audit.tables import plan_audit
from careplans.audit.trail import AuditTrail
from careplans.errors import NoRelationship, NotAllowed, TooManyTries
from careplans.model import OpenedPlan, Viewer, london_date
from careplans.reading import read_plans, store_errors
from careplans.sealing import Sealer
from careplans.showing import opened
from infra.clock import Clock
from infra.crypto import KeyRing
from infra.sql import Database

_LETTERS = "ABCDEFGHJKMNPQRSTVWXYZ23456789"
"""What is read out and typed without mistakes: no 0, O, 1, I, L, U."""
_LENGTH = 10  # 30 to the power of 10: of a million references alive, one guess in 6 * 10^8 hits
WRONG_A_DAY = 10
ABOUT = "reference"


def issue_reference(connection: Connection, plans: Sequence[str], organisation: str, now: datetime) -> str:
    """A new reference to these plans for one organisation, in the transaction of ``connection``.

    It is random and says nothing; it opens for 12 h, read only, to people who are signed in for ``organisation``.
    """
    ref = "".join(secrets.choice(_LETTERS) for _ in range(_LENGTH))
    row = {"ref": ref, "plans": " ".join(plans), "organisation": organisation, "issued_at": now,
           "expires_at": now + REFERENCE_LIFE}  # fmt: skip
    connection.execute(insert(plan_references), [row])
    return ref


def withdraw_reference(connection: Connection, ref: str, now: datetime) -> None:
    """The reference opens nothing any more: it was passed on in error."""
    still = (plan_references.c.ref == ref) & plan_references.c.withdrawn_at.is_(None)
    connection.execute(update(plan_references).where(still).values(withdrawn_at=now))


class PlansByReference:
    """Opens what was passed on, once that is recorded: only a plan on a live call is shown without."""

    def __init__(self, database: Database, keyring: KeyRing, clock: Clock, audit: AuditTrail) -> None:
        self._database = database
        self._sealer = Sealer(keyring)
        self._clock = clock
        self._audit = audit

    async def open(self, typed: str, viewer: Viewer) -> tuple[OpenedPlan, ...]:
        """The plans behind the reference, newest first.

        Raises :class:`NotAllowed` for a role that takes nothing over, :class:`NoRelationship` in the same words for a
        reference that is unknown, withdrawn, over, or another organisation's, :class:`TooManyTries` after
        :data:`WRONG_A_DAY` of these in a day, :class:`PlanStoreFailed` (also where the view cannot be recorded),
        :class:`PlanUnreadable`.
        """
        if not may(viewer.role, Action.OPEN_REFERENCE):
            await self._refuse(viewer)
            raise NotAllowed("this role opens no reference")
        ref = re.sub(r"[\s-]", "", typed).upper()
        row, wrong = await self._look(ref, viewer)
        if wrong >= WRONG_A_DAY:
            raise TooManyTries("no more references today")
        now = self._clock.now()
        is_good = row is not None and row.withdrawn_at is None and now < row.expires_at
        if not is_good or not viewer.organisation or row.organisation != viewer.organisation:
            await self._refuse(viewer)
            raise NoRelationship("this reference opens nothing for your organisation: it may be mistyped or over")
        stored = await read_plans(self._database, row.plans.split())
        detail = may(viewer.role, Action.READ_DETAIL)
        shown = opened(self._sealer, stored, london_date(now), with_detail=detail)
        ids = [plan.found.id for plan in stored]
        await self._audit.record(viewer, self._audit.entries(viewer, What.OPENED_REFERENCE, ids, about=ref))
        return shown

    async def _look(self, ref: str, viewer: Viewer) -> tuple[Any, int]:
        wrong = select(func.count(distinct(plan_audit.c.attempt))).where(
            plan_audit.c.actor.in_(self._audit.actors(viewer.user)),
            plan_audit.c.what == What.REFUSED,
            plan_audit.c.about == ABOUT,
            plan_audit.c.at > self._clock.now() - A_DAY,
        )
        one = select(plan_references).where(plan_references.c.ref == ref)
        with store_errors():
            return await self._database.read(
                lambda connection: (connection.execute(one).one_or_none(), connection.execute(wrong).scalar_one())
            )

    async def _refuse(self, viewer: Viewer) -> None:
        await self._audit.record_or_spool(viewer, self._audit.entries(viewer, What.REFUSED, about=ABOUT))
