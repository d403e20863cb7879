"""Word of a single thing that somebody must know: no life cycle, no repeat, by the alerts' own channels and retries."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from alerts.life.store import AlertStore, Change
from alerts.model import AlertState, Metric, Notice, Recipient, Rule
from alerts.notices.telling import by_address


class OnceNotices:
    """Tells whoever the rules of one metric name, or have on duty then.

    Nothing fires here that could escalate: whom a rule names under ``escalate`` is told where one of those before
    cannot be.
    """

    def __init__(self, store: AlertStore, rules: Sequence[Rule], metric: Metric) -> None:
        self._store = store
        self._rules = [each for each in rules if each.metric == metric]

    @property
    def anybody(self) -> bool:
        """Whether a rule names somebody."""
        return bool(self._rules)

    async def tell(
        self, thing: str, *, what: str, where: str, since: datetime, at: datetime, page: str = "", value: float = 1.0
    ) -> bool:
        """Queue the notices, once for each ``thing``: the state that goes with them can be stored only once.

        ``thing`` is opaque and ours. ``page``: the path, below the address of the pages, where it can be dealt with.
        ``value``: the amount, in the unit of the metric. False if no rule names anybody.
        """
        for rule in self._rules:
            alert = f"{rule.name}:{thing}"
            notices = [
                Notice(
                    id=alert.replace(":", "."),
                    alert=alert,
                    kind="fired",
                    rule=rule.name,
                    severity=rule.severity,
                    what=what,
                    where=where,
                    metric=rule.metric,
                    since=since,
                    at=at,
                    value=value,
                    worst=value,
                    threshold=rule.threshold,
                    clear=rule.clear,
                    usually_helps=rule.usually_helps,
                    link=f"{rule.link.rstrip('/')}/{page}",
                    recipient=recipient,
                )
                for recipient in _with_others(rule, at)
            ]
            await self._store.move(Change((AlertState(rule=alert, phase="told", since=since),), tuple(notices)))
        return self.anybody


def _with_others(rule: Rule, at: datetime) -> list[Recipient]:
    """Who is told first, each with the people of the further steps as the ways that are tried after their own."""
    first, *further = (by_address(step.told(at)) for step in rule.steps)
    others = [way for step in further for each in step for way in each.ways]
    return [replace(each, then=(*each.then, *(way for way in others if way not in each.ways))) for each in first]
