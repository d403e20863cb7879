"""Word to public health and operations of what is unusual, by the alerts' own channels. No count is told."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from alerts.life.store import AlertStore
from alerts.model import Rule
from alerts.notices.once import OnceNotices
from alerts.surges.indicators import Indicators
from alerts.surges.model import ALL, EVERYWHERE, OF_AGE, PRE_TRIAGE, Kind, Proposal
from infra.ages import in_words
from infra.areas import Areas

WHAT: dict[Kind, str] = {
    "surge": "More callers than usual, in number and in share of all calls: {signal} ({mark})",
    "demand_rise": "More callers than usual, as with all calls: {signal} ({mark})",
}
WHAT_OF_ALL = "More calls of all kinds than usual ({mark})"
FADED = (
    "Fewer callers for 48 hours, those that it answered included: consider taking the message off: {signal} ({mark})"
)

IsLive = Callable[[str], Awaitable[bool]]
"""Whether callers hear the message with this id."""


class SurgeNotices:
    """:class:`alerts.surges.watch.Tell`: whoever the rules of the metrics ``surge`` and ``demand_rise`` name."""

    def __init__(
        self, store: AlertStore, rules: Sequence[Rule], indicators: Indicators, areas: Areas, is_live: IsLive
    ) -> None:
        self._notices = {
            "surge": OnceNotices(store, rules, "surge"),
            "demand_rise": OnceNotices(store, rules, "demand_rise"),
        }
        self._indicators = indicators
        self._areas = areas
        self._is_live = is_live

    async def found(self, proposal: Proposal) -> None:
        """Queue the notices of a proposal, once."""
        what = WHAT_OF_ALL if proposal.series.signal == ALL else WHAT[proposal.kind]
        await self._tell(proposal, proposal.kind, what, proposal.id)

    async def faded(self, proposal: Proposal) -> None:
        """Queue the notices that taking a message off is proposed, once; none where nobody hears it any more."""
        if await self._is_live(proposal.message):
            await self._tell(proposal, "surge", FADED, f"{proposal.id}:faded")

    async def _tell(self, proposal: Proposal, metric: str, what: str, thing: str) -> None:
        signal = proposal.series.signal
        await self._notices[metric].tell(
            thing,
            what=what.format(signal=signal_name(self._indicators, signal), mark=PRE_TRIAGE),
            where=area_name(self._areas, proposal.series.area),
            since=proposal.since,
            page=f"surges/{proposal.id}",
            at=proposal.last_seen_at,
            value=round(proposal.score, 1),
        )


def area_name(areas: Areas, area: str) -> str:
    """The area, or age band, as people read it."""
    if area == EVERYWHERE:
        return "All callers"
    if area.startswith(OF_AGE):
        return in_words(area.removeprefix(OF_AGE))
    return areas[area].name if area in areas else "Area not known"


def signal_name(indicators: Indicators, signal: str) -> str:
    """The signal as people read it."""
    if signal == ALL:
        return "All calls"
    return indicators[signal].name if signal in indicators else signal
