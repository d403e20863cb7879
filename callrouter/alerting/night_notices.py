"""Word to second reviewers of what one person started at night, carried by the alerts' own channels and retries."""

from __future__ import annotations

from collections.abc import Sequence
from zoneinfo import ZoneInfo

from alerts.life.store import AlertStore
from alerts.model import Rule
from alerts.notices.once import OnceNotices
from callrouter.messages.ports import ReviewNotice

LONDON = ZoneInfo("Europe/London")
WHAT = {
    "needs_review": "A message of the night needs your review, or stops itself at {until}",
    "stopped_itself": "A message of the night stopped itself at {until}: nobody reviewed it",
}


class NightNotices:
    """:class:`callrouter.messages.ports.Reviewers`: whoever the alert rules of the metric ``night_message`` name."""

    def __init__(self, store: AlertStore, rules: Sequence[Rule]) -> None:
        self._notices = OnceNotices(store, rules, "night_message")

    @property
    def anybody(self) -> bool:
        """Whether a rule names somebody."""
        return self._notices.anybody

    async def tell(self, notice: ReviewNotice) -> None:
        """Queue it, once for each message and kind."""
        waits = notice.kind == "needs_review"
        await self._notices.tell(
            f"{notice.message}:{notice.kind}",
            what=WHAT[notice.kind].format(until=f"{notice.until.astimezone(LONDON):%H:%M}"),
            where=f"{notice.title} ({notice.areas})",
            since=notice.at,
            page=f"messages/{notice.message}",
            at=notice.at if waits else notice.until,
            value=max(0.0, (notice.until - notice.at).total_seconds() / 60) if waits else 0.0,
        )
