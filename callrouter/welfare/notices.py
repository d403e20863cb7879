"""Word to the duty manager of a welfare task that nobody took on, by the alerts' own channels and retries."""

from __future__ import annotations

from collections.abc import Sequence

from alerts.life.store import AlertStore
from alerts.model import Rule
from alerts.notices.once import OnceNotices
from callrouter.welfare.service import ESCALATE_AFTER, Task

WHAT = "A caller at risk left before a person answered, and no clinician has taken the welfare task on"


class WelfareNotices:
    """:data:`callrouter.welfare.service.Escalate`: whoever the alert rules of the metric ``welfare_task`` name."""

    def __init__(self, store: AlertStore, rules: Sequence[Rule]) -> None:
        self._notices = OnceNotices(store, rules, "welfare_task")

    async def __call__(self, task: Task) -> bool:
        """Queue the notices, once for each task; False if no rule names anybody."""
        since, at = task.made_at, task.made_at + ESCALATE_AFTER
        return await self._notices.tell(task.id, what=WHAT, where="Welfare tasks", since=since, at=at, page="welfare")
