"""Word to second reviewers of what one person started at night, carried by the alerts' own channels and retries."""

from __future__ import annotations

from collections.abc import Sequence
from zoneinfo import ZoneInfo

from alerts.model import AlertState, Notice, Rule
from alerts.store import AlertStore
from callrouter.messages.ports import ReviewNotice

LONDON = ZoneInfo("Europe/London")
WHAT = {
    "needs_review": "A message of the night needs your review, or stops itself at {until}",
    "stopped_itself": "A message of the night stopped itself at {until}: nobody reviewed it",
}


class NightNotices:
    """:class:`callrouter.messages.ports.Reviewers`: whoever the alert rules of the metric ``night_message`` name."""

    def __init__(self, store: AlertStore, rules: Sequence[Rule]) -> None:
        self._store = store
        self._rules = [each for each in rules if each.metric == "night_message"]

    @property
    def anybody(self) -> bool:
        """Whether a rule names somebody."""
        return bool(self._rules)

    async def tell(self, notice: ReviewNotice) -> None:
        """Queue it, once for each message and kind: the state that goes with it can be stored only once."""
        for rule in self._rules:
            alert = f"{rule.name}:{notice.message}:{notice.kind}"
            state = AlertState(rule=alert, phase="firing", since=notice.at)
            await self._store.move(state, _notices(rule, alert, notice))


def _notices(rule: Rule, alert: str, notice: ReviewNotice) -> list[Notice]:
    until = f"{notice.until.astimezone(LONDON):%H:%M}"
    left = max(0.0, (notice.until - notice.at).total_seconds() / 60) if notice.kind == "needs_review" else 0.0
    return [
        Notice(
            id=alert.replace(":", "."),
            kind="fired",
            rule=rule.name,
            severity=rule.severity,
            what=WHAT[notice.kind].format(until=until),
            where=f"{notice.title} ({notice.areas})",
            metric=rule.metric,
            since=notice.at,
            at=notice.at if notice.kind == "needs_review" else notice.until,
            value=left,
            worst=left,
            threshold=rule.threshold,
            clear_below=rule.clear_below,
            usually_helps=rule.usually_helps,
            link=rule.link,
            recipient=recipient,
        )
        for recipient in rule.who
    ]
