"""Everything that opens plans without a call, over one plan of one patient, and people who look."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date

from sqlalchemy import select

from careplans.access.emergency import EmergencyAccess
from careplans.access.patient import PatientAsked
from careplans.access.ports import GovernanceNotice
from careplans.access.references import PlansByReference, issue_reference
from careplans.access.reviews import EmergencyReviews
from careplans.access.seen import WhoSaw
from careplans.audit.tables import plan_audit
from careplans.audit.trail import AuditTrail
from careplans.model import Viewer
from careplans.rows import Row
from careplans.service import CarePlans
from infra.crypto import KeyRing
from infra.sql import Database
from tests.plan_world import HandClock

BORN = date(1938, 4, 12)
EDITH = PatientAsked(BORN, nhs_number="999 000 0018")
KEYS = KeyRing(b"m" * 32, b"i" * 32)
REASON = "Found confused in the street, no caller to ask"
CLIVE = Viewer("clive", "clinician", "session-c", "London CAS")
CLARA = Viewer("clara", "clinician", "session-d", "London CAS")
INES = Viewer("ines", "information_governance", "session-i")
CREW = Viewer("amira", "ambulance", "session-a", "London Ambulance")


@dataclass
@dataclass
class Told:
    """Information governance's letter box."""

    notices: list[GovernanceNotice] = field(default_factory=list)
    is_shut: bool = False
    is_nobodys: bool = False

    async def tell(self, notice: GovernanceNotice) -> bool:
        if self.is_shut:
            raise OSError("the letter box is shut")
        if self.is_nobodys:
            return False
        self.notices.append(notice)
        return True


class House:
    """Everything that opens plans without a call."""

    def __init__(self, database: Database, keys: KeyRing = KEYS) -> None:
        self.clock, self.told = HandClock(), Told()
        self.database = database
        self.trail = AuditTrail(database, keys, self.clock)
        self.plans = CarePlans(database, keys, self.clock, self.trail)
        self.emergency = EmergencyAccess(database, keys, self.clock, self.trail, self.told)
        self.reviews = EmergencyReviews(database, keys, self.clock, self.trail)
        self.references = PlansByReference(database, keys, self.clock, self.trail)
        self.who_saw = WhoSaw(keys, self.trail)

    async def load(self, *changes: dict[str, object]) -> None:
        assert not (await self.plans.load([row(at, **each) for at, each in enumerate(changes or ({},), 2)])).refused

    async def recorded(self) -> list[str]:
        query = select(plan_audit.c.what).order_by(plan_audit.c.seq)
        return list(await self.database.read(lambda connection: connection.execute(query).scalars().all()))

    async def refer(self, organisation: str = CREW.organisation) -> str:
        emergency = await self.emergency.ask(EDITH, REASON, CLIVE)
        plans = [each.plan_id for each in await self.emergency.open(emergency.id, CLIVE)]
        now = self.clock.now()
        return await self.database.write(lambda connection: issue_reference(connection, plans, organisation, now))


def row(line: int, **changes: object) -> Row:
    values: dict[str, object] = {
        "plan_id": f"P{line}", "source": "Universal Care Plan", "author_org": "Demo Hospice",
        "kind": "end of life care plan", "nhs_number": "9990000018", "given_name": "Edith",
        "family_name": "O’Example-Jones", "date_of_birth": BORN.isoformat(), "phones": "07700 900101",
        "handler_line": "Offer the hospice line first.", "detail": "Medicines are in the house.",
        "valid_from": "2026-05-04", "version": 3,
    }  # fmt: skip
    return Row(line, values | changes)
