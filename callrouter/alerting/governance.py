"""Word to information governance of what it must know at once, carried by the alerts' own channels and retries."""

from __future__ import annotations

from collections.abc import Sequence

from alerts.life.store import AlertStore
from alerts.model import Rule
from alerts.notices.once import OnceNotices
from careplans.access.ports import GovernanceNotice

WHAT = {
    "broke_glass": "A clinician opened a patient's plans without a call: it needs your review",
    "audit_late": "Views of plans were entered in the audit late: the database had not taken them",
}
WHERE = {"broke_glass": "Emergency access", "audit_late": "Audit of plans"}
PAGE = {"broke_glass": "plans/reviews", "audit_late": ""}


class GovernanceNotices:
    """:class:`careplans.access.ports.Governance`: whoever the alert rules of the metric ``governance`` name."""

    def __init__(self, store: AlertStore, rules: Sequence[Rule]) -> None:
        self._notices = OnceNotices(store, rules, "governance")

    async def tell(self, notice: GovernanceNotice) -> bool:
        """Queue it, once for each kind and id; False if no rule names anybody."""
        what, where, page = WHAT[notice.kind], WHERE[notice.kind], PAGE[notice.kind]
        return await self._notices.tell(notice.id, what=what, where=where, since=notice.at, at=notice.at, page=page)
