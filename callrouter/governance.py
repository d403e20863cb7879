"""Word to information governance of what it must know at once, carried by the alerts' own channels and retries."""

from __future__ import annotations

from collections.abc import Sequence

from alerts.model import AlertState, Notice, Rule
from alerts.store import AlertStore
from careplans.access.ports import GovernanceNotice

WHAT = {
    "broke_glass": "A clinician opened a patient's plans without a call: it needs your review",
    "audit_late": "Views of plans were entered in the audit late: the database had not taken them",
}
WHERE = {"broke_glass": "Emergency access", "audit_late": "Audit of plans"}


class GovernanceNotices:
    """:class:`careplans.access.ports.Governance`: whoever the alert rules of the metric ``governance`` name."""

    def __init__(self, store: AlertStore, rules: Sequence[Rule]) -> None:
        self._store = store
        self._rules = [each for each in rules if each.metric == "governance" and each.who]

    async def tell(self, notice: GovernanceNotice) -> bool:
        """Queue it, once for each kind and id: the state that goes with it can be stored only once.

        False if no rule names anybody.
        """
        for rule in self._rules:
            alert = f"{rule.name}:{notice.id}"
            state = AlertState(rule=alert, phase="firing", since=notice.at)
            await self._store.move(state, _notices(rule, alert, notice))
        return bool(self._rules)


def _notices(rule: Rule, alert: str, notice: GovernanceNotice) -> list[Notice]:
    return [
        Notice(
            id=alert.replace(":", "."),
            kind="fired",
            rule=rule.name,
            severity=rule.severity,
            what=WHAT[notice.kind],
            where=WHERE[notice.kind],
            metric=rule.metric,
            since=notice.at,
            at=notice.at,
            value=1.0,
            worst=1.0,
            threshold=rule.threshold,
            clear_below=rule.clear_below,
            usually_helps=rule.usually_helps,
            link=rule.link,
            recipient=recipient,
        )
        for recipient in rule.who
    ]
