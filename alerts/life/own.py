"""Taking on alerts that each process sees for itself: whichever process hears of it, all of them know.

Their lives stay in the processes (:mod:`alerts.life.outage`). That somebody takes one on is kept in SQL, and holds
for what began before, or within a minute: processes that lose the same part do not see so at the same instant.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from alerts.life.store import Change
from alerts.life.transitions import acknowledged
from alerts.model import OWN_METRICS, AlertState, Parts, Rule, StepTaken, page_of, rule_of

AS_SOON = timedelta(minutes=1)
LOOKED_BACK = timedelta(hours=1)
"""For how long a process looks for who took an alert on: one that begins later is another episode."""

JOURNAL = "journal"


@dataclass(frozen=True, slots=True)
class TakenOn:
    """Somebody took an alert on, whichever process saw it."""

    alert: str
    by: str
    at: datetime


def own_among(alerts: Iterable[str], rules: Mapping[str, Rule]) -> list[str]:
    """Those that each process sees for itself."""
    return [each for each in alerts if (rule := rules.get(rule_of(each))) and rule.metric in OWN_METRICS]


def followed(states: Mapping[str, AlertState], taken: Sequence[TakenOn], now: datetime) -> list[Change]:
    """What this process has yet to learn of ``taken``, oldest first: of two people the first has it."""
    changes: list[Change] = []
    for each in taken:
        if any(each.alert == state.rule for change in changes for state in change.states):
            continue
        state = states.get(each.alert)
        if state and state.phase == "firing" and state.fired_at and state.fired_at <= each.at + AS_SOON:
            step = StepTaken(each.alert, "acknowledged", now, each.by, "told to another process")
            changes.append(Change((acknowledged(state, each.by, each.at),), steps=(step,)))
    return changes


def elsewhere(page: str, rules: Mapping[str, Rule], parts: Parts, taken: Sequence[TakenOn]) -> AlertState | None:
    """The alert with this page, of a part that works here: another process may see that it does not."""
    for rule in rules.values():
        if rule.metric not in OWN_METRICS:
            continue
        for part in (*parts.failing_s, JOURNAL):
            alert = f"{rule.name}:{part}"
            if page_of(alert) == page:
                state = AlertState(
                    rule=alert, phase="firing", what=rule.title, where=f"{part}, not seen by this process",
                    severity=rule.severity, scope=f"part:{part}",
                )  # fmt: skip
                last = max((each for each in taken if each.alert == alert), key=lambda each: each.at, default=None)
                return acknowledged(state, last.by, last.at) if last else state
    return None
