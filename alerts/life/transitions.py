"""The life of one alert: ok → pending → firing → acknowledged → resolved, as pure functions.

Times are instants of the wall clock, since an episode outlives a restart and a monotonic clock does not. A
clock set back makes an alert later by as much; one set forward, earlier.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from alerts.auditor import PROBE_RULE
from alerts.model import FLAPPING_WITHIN, STEADY, AlertState, Rule


def advance(rule: Rule, state: AlertState, value: float, at: datetime) -> AlertState:
    """``state`` after the metric was seen to be ``value`` at ``at``.

    A breach shorter than ``for_s`` changes nothing in the end, nor does a value between ``clear`` and ``threshold``
    while it fires. Outside the hours of the rule nothing begins; what has begun goes on. What fires for the fourth time
    within an hour is *flapping*: it is over only when it has read clear for a quarter of an hour without a break.
    """
    breached = rule.is_breached(value) and (state.phase == "pending" or rule.is_watched(at))
    if state.phase in ("ok", "resolved") and breached:
        state = _begun(state, value, at)
    if state.phase == "pending":
        return _pending(rule, state, value, at) if breached else replace(state, phase="ok")
    if state.is_open:
        if rule.worst(value, state.worst) != state.worst:
            state = replace(state, worst=value)
        return _closing(state, at, is_clear=rule.is_clear(value))
    return state


def _closing(state: AlertState, at: datetime, *, is_clear: bool) -> AlertState:
    if not is_clear:
        return replace(state, clear_since=None) if state.clear_since else state
    if not state.is_flapping:
        return resolved(state, at)
    since = state.clear_since or at
    if at - since >= STEADY:
        return resolved(state, at)
    return replace(state, clear_since=since) if state.clear_since is None else state


def resolved(state: AlertState, at: datetime) -> AlertState:
    """The end of an episode."""
    return replace(state, phase="resolved", ended_at=at, held="", clear_since=None)


def acknowledged(state: AlertState, by: str, at: datetime) -> AlertState:
    """Somebody has taken a firing alert on: nobody further is told of it but that it cleared."""
    return replace(state, phase="acknowledged", acknowledged_by=by, acknowledged_at=at)


def step_due(rule: Rule, state: AlertState, at: datetime, *, unreached: bool = False) -> bool:
    """Whether it is time to tell step ``state.step`` of the rule (the last again, if there is none).

    ``unreached``: somebody who was told in the step before cannot be reached, so the next is due now.
    """
    if state.phase != "firing" or state.held:
        return False
    if state.step == 0:
        return _passed(state.fired_at, at) >= rule.group_wait_s
    if state.step < len(rule.steps):
        return unreached or _passed(state.step_at, at) >= rule.steps[state.step].after_s
    return 0 < rule.repeat_s <= _passed(state.step_at, at)


def _passed(since: datetime | None, at: datetime) -> float:
    """A reading is made a moment after its look began: what fires in a look is told in it, not in the next."""
    return max(0.0, (at - since).total_seconds()) if since is not None else 0.0


def _begun(state: AlertState, value: float, at: datetime) -> AlertState:
    """A new episode; of the last stays what its page says until this one fires."""
    return AlertState(
        rule=state.rule, version=state.version, phase="pending", since=at, worst=value, what=state.what,
        where=state.where, severity=state.severity, scope=state.scope, ended_at=state.ended_at, fired=state.fired,
    )  # fmt: skip


def _pending(rule: Rule, state: AlertState, value: float, at: datetime) -> AlertState:
    state = replace(state, worst=rule.worst(state.worst, value))
    if at - (state.since or at) < timedelta(seconds=rule.for_s):
        return state
    if rule.name == PROBE_RULE:  # it is meant to fire each minute
        return replace(state, phase="firing", fired_at=at)
    lately = (each for each in state.fired if at - each < FLAPPING_WITHIN)
    return replace(state, phase="firing", fired_at=at, fired=(*lately, at))
