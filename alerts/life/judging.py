"""One look at everything: which alerts move, who is to be told, and what is put on record. Pure functions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from alerts.auditor import PROBE_RULE
from alerts.life.store import Change
from alerts.life.transitions import advance, resolved, step_due
from alerts.model import OWN_METRICS, STEADY, AlertState, Rule, Silence, StepKind, StepTaken, rule_of
from alerts.notices.telling import Telling, notices, quiet
from alerts.rules.readings import Reading

Read = Callable[[Rule, Mapping[str, AlertState]], Iterable[Reading]]
"""What a rule reads now; a rule on other rules is given where their alerts are."""

WHOLE_SERVICE = "total"


@dataclass(frozen=True, slots=True)
class Look:
    """What is known at ``at``: ``states`` as they were, silences that hold, and who could not be reached.

    ``providers``: the scopes of those that there are; None while that is not known.
    """

    at: datetime
    states: Mapping[str, AlertState]
    silences: Sequence[Silence] = ()
    unreached: frozenset[str] = frozenset()
    providers: frozenset[str] | None = None

    def is_gone(self, state: AlertState) -> bool:
        """Whether the alert is of a provider that was taken out of the file."""
        is_provider = state.scope.startswith("provider:") and rule_of(state.rule) != PROBE_RULE
        return is_provider and self.providers is not None and state.scope not in self.providers


@dataclass(slots=True)
class Judged:
    """Where every alert is now, what each reads, and the changes to keep: one for each group of alerts.

    ``unread``: alerts that fire and of which nothing is known now.
    """

    live: dict[str, AlertState]
    values: dict[str, float] = field(default_factory=dict)
    changes: list[Change] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)


def judge(rules: Mapping[str, Rule], look: Look, read: Read) -> Judged:
    """Move every alert by what its rule reads; ``rules`` stand in an order in which each comes after those it reads."""
    judged = Judged(dict(look.states))
    for rule in rules.values():
        for reading in read(rule, judged.live):
            before = judged.live.get(reading.alert, AlertState(rule=reading.alert))
            judged.live[reading.alert] = _moved(rule, before, reading)
            judged.values[reading.alert] = reading.value
    for alert, state in look.states.items():
        if not state.is_open or alert in judged.values:
            continue
        if rule_of(alert) not in rules:
            judged.live[alert] = resolved(state, look.at)
        elif look.is_gone(state):
            judged.live[alert] = replace(resolved(state, look.at), where=f"{state.where} (there no more)")
        else:
            judged.unread.append(alert)
    judged.changes.extend(_changes(rules, look, judged))
    return judged


def _moved(rule: Rule, before: AlertState, reading: Reading) -> AlertState:
    after = advance(rule, before, reading.value, reading.at)
    if after.phase == before.phase or not after.is_open:
        return after
    where = f"{reading.where} (on and off again and again)" if after.is_flapping else reading.where
    return replace(after, what=rule.title, where=where, severity=rule.severity, scope=reading.scope)


def _changes(rules: Mapping[str, Rule], look: Look, judged: Judged) -> Iterable[Change]:
    groups: dict[tuple[str, bool], list[AlertState]] = {}
    for alert, state in judged.live.items():
        if state.is_open or _differs(look.states.get(alert), state):
            rule = rules.get(rule_of(alert))
            group = (rule.group or rule.name, rule.metric in OWN_METRICS) if rule else (alert, False)
            groups.setdefault(group, []).append(state)
    firing = {(rule_of(each.rule), each.scope) for each in judged.live.values() if each.is_open}
    for members in groups.values():
        held = [_held(rules.get(rule_of(each.rule)), each, look, firing) for each in members]
        if change := _group_change(rules, look, judged, held):
            yield change


def _held(rule: Rule | None, state: AlertState, look: Look, firing: set[tuple[str, str]]) -> AlertState:
    """The alert with what keeps it from being told, if anything does."""
    if rule is None or not state.is_open:
        return state
    silence = next((each for each in look.silences if each.covers(state.rule)), None)
    holders = (each for each in rule.inhibited_by if {(each, state.scope), (each, WHOLE_SERVICE)} & firing)
    if silence is not None:
        held = f"silenced by {silence.by}"
    else:
        held = next((f"inhibited by {each}" for each in holders), "")
    return state if held == state.held else replace(state, held=held)


def _group_change(
    rules: Mapping[str, Rule], look: Look, judged: Judged, members: Sequence[AlertState]
) -> Change | None:
    due = {state.rule for state in members if _is_due(rules.get(rule_of(state.rule)), state, look, judged)}
    is_first = any(state.rule in due and state.step == 0 for state in members)
    states: list[AlertState] = []
    tellings: list[Telling] = []
    steps: list[StepTaken] = []
    for state in members:
        rule, before = rules.get(rule_of(state.rule)), look.states.get(state.rule)
        # who has waited for the group is told with the first of it
        goes_along = is_first and state.phase == "firing" and state.step == 0 and not state.held
        after = state
        if rule is not None and (state.rule in due or goes_along):
            telling = _telling(rule, state, judged.values.get(state.rule, state.worst), look.at)
            tellings.append(telling)
            after = replace(
                state, step=state.step + 1, step_at=look.at, told=tuple(dict.fromkeys((*state.told, *telling.who)))
            )
        elif state.phase == "resolved" and state.told and (before is None or before.phase != "resolved"):
            value = judged.values.get(state.rule, state.worst)
            told_by = rule or _as_it_was(state, rules)
            tellings.append(Telling(told_by, state, "cleared", 0, value, quiet(state.told)))
        judged.live[state.rule] = after
        if _differs(before, after):
            states.append(after)
            steps += _steps(rule, before, after, look.at)
    if not states:
        return None
    return Change(tuple(states), tuple(notices(tellings, look.at)), tuple(steps))


def _is_due(rule: Rule | None, state: AlertState, look: Look, judged: Judged) -> bool:
    if rule is None:
        return False
    if state.step >= len(rule.steps) and state.rule in judged.unread:
        return False  # everybody was told, and nobody knows whether it is still so
    return step_due(rule, state, look.at, unreached=state.rule in look.unreached)


def _telling(rule: Rule, state: AlertState, value: float, at: datetime) -> Telling:
    step = rule.steps[min(state.step, len(rule.steps) - 1)]
    return Telling(rule, state, "escalated" if state.step else "fired", state.step, value, step.told(at))


def _as_it_was(state: AlertState, rules: Mapping[str, Rule]) -> Rule:
    """What is left of a rule that is in the file no more: enough to say that its alert is over."""
    return Rule(
        name=rule_of(state.rule), title=state.what, metric="rule_removed", threshold=state.worst,
        clear=state.worst, for_s=0.0, severity=state.severity, usually_helps="", source="",
        link=next((each.link for each in rules.values()), ""), who=(),
    )  # fmt: skip


def _differs(before: AlertState | None, after: AlertState) -> bool:
    """Whether there is anything to keep: how bad it was at its worst is kept with the next thing that happens."""
    before = before or AlertState(rule=after.rule)
    return after is not before and replace(before, worst=after.worst, clear_since=after.clear_since) != after


def _steps(rule: Rule | None, before: AlertState | None, after: AlertState, at: datetime) -> Iterable[StepTaken]:
    was = before or AlertState(rule=after.rule)
    if rule is not None and rule.name == PROBE_RULE:
        return  # one a minute, day and night: their record is the auditor's
    if after.is_open and not was.is_open:
        if rule is not None and after.since is not None and after.since < at:
            # a breach that comes to nothing is on no record: the line is written when it has lasted
            yield _step(after, "pending", after.since, f"for {(at - after.since).total_seconds():.0f} s until it began")
        yield _step(after, "fired", at, f"{after.what}: {after.where}")
        if after.is_flapping:
            minutes = STEADY // timedelta(minutes=1)
            yield _step(
                after, "flapping", at, f"{len(after.fired)} times in an hour: over when clear for {minutes} minutes"
            )
    if after.held and after.held != was.held:
        yield _step(after, "held", at, after.held)
    if after.step > max(was.step, 1) and after.is_open:
        names = ", ".join(dict.fromkeys(each.name for each in after.told if each not in was.told)) or "again"
        yield _step(after, "escalated", at, names)
    if after.phase == "resolved" and was.is_open:
        yield _step(after, "rule_removed" if rule is None else "resolved", at, f"{after.what}: {after.where}")


def _step(state: AlertState, kind: StepKind, at: datetime, detail: str) -> StepTaken:
    return StepTaken(state.rule, kind, at, detail=detail)
