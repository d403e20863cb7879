"""Word to the duty manager of a welfare task that nobody took on, by the alerts' own channels and retries."""

from __future__ import annotations

from collections.abc import Sequence

from alerts.model import Rule
from alerts.once import OnceNotices
from alerts.store import AlertStore
from callrouter.welfare import ESCALATE_AFTER, Task

WHAT = "A caller at risk left before a person answered, and no clinician has taken the welfare task on"


class WelfareNotices:
    """:data:`callrouter.welfare.Escalate`: whoever the alert rules of the metric ``welfare_task`` name."""

    def __init__(self, store: AlertStore, rules: Sequence[Rule]) -> None:
        self._notices = OnceNotices(store, rules, "welfare_task")

    async def __call__(self, task: Task) -> bool:
        """Queue the notices, once for each task; False if no rule names anybody."""
        since, at = task.made_at, task.made_at + ESCALATE_AFTER
        return await self._notices.tell(task.id, what=WHAT, where="Welfare tasks", since=since, at=at)
