"""The alert auditor, as the service sees it: the rule that tells it of each probe, and how long no probe has come.

A probe is a call that the auditor (a process of its own, ``callrouter auditor``) makes once a minute. It waits at the
reserved provider for nobody; that wait makes a rule fire, and the notice goes back to the auditor. A chain that brings
a probe's notice home brings everybody's (docs/alerts.md, The auditor).
"""

from __future__ import annotations

from datetime import datetime, timedelta

from alerts.figures.items import PROBE_FLOW, PROBE_PROVIDER
from alerts.model import Recipient, Rule
from infra.bus import Entry

PROBE_RULE = "auditor-probe"

WAITED_S = 1.0
"""A probe that has waited so long is told: two checks of the rules at most, so that a probe is short."""

UNHEARD = timedelta(seconds=150)
"""A process that has heard no probe since it began says nothing for so long: why none came before may be its own
absence, and the next may be about to come."""


def probe_rule(url: str, link: str) -> Rule:
    """The rule that tells the auditor at ``url`` of each probe. It is ours, not an operator's: a part of the chain."""
    return Rule(
        name=PROBE_RULE,
        title="A probe of the alert auditor waits",
        metric="longest_wait_s",
        scope=f"provider:{PROBE_PROVIDER}",
        threshold=WAITED_S,
        clear=WAITED_S / 2,
        for_s=0,
        severity="notice",
        usually_helps="Nothing is to be done: the auditor looks whether notices arrive.",
        source="docs/adr/0024-an-auditor-outside.md",
        link=link,
        who=(Recipient("Alert auditor", "webhook", url),),
    )


class Probes:
    """When the last probe began. Entries may come late, twice and in any order. ``since``: when this process began."""

    def __init__(self, since: datetime) -> None:
        self._since = since
        self._last: datetime | None = None

    def note(self, entry: Entry) -> None:
        """Heed the entry if it is the beginning of a probe."""
        if entry.kind == "offered" and entry.facts.get("flow") == PROBE_FLOW:
            self._last = max(entry.at, self._last or entry.at)

    def silent_s(self, now: datetime) -> float | None:
        """For how many seconds no probe has begun; None while that cannot be said yet (:data:`UNHEARD`)."""
        is_heard = self._last is not None and self._last >= self._since
        if not is_heard and now - self._since < UNHEARD:
            return None
        return max(0.0, (now - (self._last or self._since)).total_seconds())
