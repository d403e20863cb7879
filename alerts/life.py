"""The life of one alert: ok → pending → firing → resolved, as a pure function.

Times are instants of the wall clock, since an episode outlives a restart and a monotonic clock does not. A
clock set back makes an alert later by as much; one set forward, earlier.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from alerts.model import AlertState, NoticeKind, Rule


def advance(rule: Rule, state: AlertState, value: float, at: datetime) -> tuple[AlertState, NoticeKind | None]:
    """``state`` after the metric was seen to be ``value`` at ``at``, and the notice which that calls for.

    In every episode *fired* comes once, and then *cleared* once. A breach shorter than ``for_s`` calls for
    nothing, nor does a value between ``clear_below`` and ``threshold`` while firing.
    """
    breached = value >= rule.threshold
    if state.phase in ("ok", "resolved") and breached:
        state = replace(state, phase="pending", since=at, worst=value)
    if state.phase == "pending":
        return _pending(rule, state, value, at) if breached else (replace(state, phase="ok"), None)
    if state.phase == "firing":
        worst = replace(state, worst=max(state.worst, value))
        return (replace(worst, phase="resolved"), "cleared") if value < rule.clear_below else (worst, None)
    return state, None


def _pending(rule: Rule, state: AlertState, value: float, at: datetime) -> tuple[AlertState, NoticeKind | None]:
    state = replace(state, worst=max(state.worst, value))
    since = state.since or at
    if at - since < timedelta(seconds=rule.for_s):
        return state, None
    return replace(state, phase="firing"), "fired"
