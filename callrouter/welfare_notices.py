"""Word to the duty manager of a welfare task that nobody took on, by the alerts' own channels and retries."""

from __future__ import annotations

from collections.abc import Sequence

from alerts.model import AlertState, Notice, Recipient, Rule
from alerts.store import AlertStore
from callrouter.welfare import ESCALATE_AFTER, Task

WHAT = "A caller at risk left before a person answered, and no clinician has taken the welfare task on"


class WelfareNotices:
    """:data:`callrouter.welfare.Escalate`: whoever the alert rules of the metric ``welfare_task`` name."""

    def __init__(self, store: AlertStore, rules: Sequence[Rule]) -> None:
        self._store = store
        self._rules = [each for each in rules if each.metric == "welfare_task" and each.who]

    async def __call__(self, task: Task) -> bool:
        """Queue the notices, once for each task: the state that goes with them can be stored only once.

        False if no rule names anybody.
        """
        for rule in self._rules:
            alert = f"{rule.name}:{task.id}"
            state = AlertState(rule=alert, phase="firing", since=task.made_at)
            await self._store.move(state, [_notice(rule, alert, task, who) for who in rule.who])
        return bool(self._rules)


def _notice(rule: Rule, alert: str, task: Task, recipient: Recipient) -> Notice:
    return Notice(
        id=alert.replace(":", "."),
        kind="fired",
        rule=rule.name,
        severity=rule.severity,
        what=WHAT,
        where="Welfare tasks",
        metric=rule.metric,
        since=task.made_at,
        at=task.made_at + ESCALATE_AFTER,
        value=1.0,
        worst=1.0,
        threshold=rule.threshold,
        clear_below=rule.clear_below,
        usually_helps=rule.usually_helps,
        link=rule.link,
        recipient=recipient,
    )
