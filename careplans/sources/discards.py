"""Records of the quarantine that a person destroyed: who, when, of which source and why, and nothing of what they held.

They stand in the audit, so that nobody can take a plan out of the world unseen.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import Connection, select

from careplans.audit.chain import What
from careplans.audit.tables import plan_audit
from careplans.audit.trail import AuditTrail
from careplans.model import Viewer
from careplans.sources.quarantine import destroy
from careplans.sources.tables import plan_quarantine


class WhyDiscarded(StrEnum):
    """Closed, so that no entry says more of a person than this."""

    CORRECTED = "corrected_at_source"
    NO_PLAN = "no_plan"
    DUPLICATE = "duplicate"
    SEEN_TO = "seen_to_by_hand"


@dataclass(frozen=True, slots=True)
class Discarded:
    """One of them. ``by`` is the keyed hash of who did it, as the audit has it."""

    record: str
    source: str
    why: str
    by: str
    at: datetime


def discard(connection: Connection, audit: AuditTrail, record: str, why: WhyDiscarded, viewer: Viewer) -> bool:
    """Destroy what is kept, and enter it in the audit, in one transaction; says whether there was such a record."""
    query = select(plan_quarantine.c.source).where(plan_quarantine.c.id == record)
    source = connection.execute(query).scalar_one_or_none()
    if source is None:
        return False
    destroy(connection, [record])
    audit.enter(connection, viewer, audit.entries(viewer, What.DISCARDED, [record], about=f"{why} {source}"))
    return True


def discarded(connection: Connection, source: str | None, most: int) -> list[Discarded]:
    """The newest first; of one source or of all."""
    c = plan_audit.c
    query = select(c.plan, c.about, c.actor, c.at).where(c.what == What.DISCARDED).order_by(c.seq.desc())
    found = (
        Discarded(row.plan or "", row.about.partition(" ")[2], row.about.partition(" ")[0], row.actor, row.at)
        for row in connection.execute(query)
    )
    return [each for each in found if source in (None, each.source)][:most]
