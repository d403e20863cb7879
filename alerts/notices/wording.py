"""A notice in words, for channels that a person reads: what, where, since when, how bad, what helps, a link."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

from alerts.figures.small_numbers import SMALLEST
from alerts.model import LONDON, TOLD_METRICS, Metric, Notice, NoticeKind, Rule
from alerts.rules.measures import COUNTS

_METRICS: dict[Metric, str] = {
    "longest_wait_s": "Longest wait since offered",
    "waiting": "Callers waiting",
    "abandoned_share": "Share of calls abandoned",
    "answered_60_share": "Share of answered calls answered within 60 s",
    "average_answer_s": "Average time to answer",
    "centile95_s": "95th centile of time to answer",
    "offered": "Calls offered",
    "answer_unknown": "Calls of which nobody knows whether an agent answered",
    "failed_calls": "Number of calls of the last 15 minutes that failed",
    "dependency_down_s": "Time since it stopped working",
    "journal_lag_s": "Age of the oldest event that is not in the journal",
    "figures_differ": "Scopes whose figures differ from the recount",
    "figures_odd": "Events and calls of the last hour that cannot be read or be true",
    "auditor_silent": "Time since the last probe call",
    "call_back_late_s": "Time since a promised call-back was due",
    "surge": "Standard deviations above usual",
    "demand_rise": "Standard deviations above usual",
    "night_message": "Minutes left for the review",
    "governance": "Times",
    "welfare_task": "Tasks",
}

IN_WORDS: dict[Metric, str] = {
    "composite": "What it is made of fires",
    "rule_removed": "Its rule is in the file no more",
}
"""What has no amount."""

_UNITS: dict[Metric, tuple[str, str]] = {
    "waiting": ("caller", "callers"),
    "offered": ("call", "calls"),
    "answer_unknown": ("call", "calls"),
    "failed_calls": ("call", "calls"),
    "figures_differ": ("scope", "scopes"),
    "figures_odd": ("event or call", "events and calls"),
    "surge": ("standard deviation above usual", "standard deviations above usual"),
    "demand_rise": ("standard deviation above usual", "standard deviations above usual"),
    "night_message": ("minute left for the review", "minutes left for the review"),
    "governance": ("time", "times"),
    "welfare_task": ("task", "tasks"),
}
"""Of what a bare number counts, one and several."""

_TURNS: dict[NoticeKind, str] = {
    "fired": "",
    "escalated": ": nobody has taken this on yet",
    "cleared": ": this has cleared",
}


def subject(notice: Notice) -> str:
    """One line: what and where first, so that it can be read on a locked telephone."""
    more = f" and {len(notice.also)} more" if notice.also else ""
    state = {"fired": "", "escalated": ", NOT TAKEN ON", "cleared": "CLEARED"}[notice.kind]
    if notice.kind != "cleared":
        state = notice.severity.upper() + state
    return " ".join(f"[{state}] {line(notice)}{more}".split())


def line(notice: Notice) -> str:
    """What, where and how bad, without more."""
    how_bad = "" if notice.metric in (*TOLD_METRICS, *IN_WORDS) else f", {counted(notice)}"
    return f"{notice.what}: {notice.where}{how_bad}"


def counted(notice: Notice) -> str:
    """How bad it is now, with its unit, where nothing beside it says what is measured."""
    now = told(notice, notice.value, of_few=notice.of_few)
    one, several = _UNITS.get(notice.metric, ("", ""))
    return now if notice.than_usual else f"{now} {one if now == '1' else several}".rstrip()


def body(notice: Notice) -> str:
    """The whole notice, in lines of ``label: value``."""
    is_removed = notice.metric == "rule_removed"
    lines = [
        ("What", f"{notice.what}{': its rule was removed' if is_removed else _TURNS[notice.kind]}"),
        ("Where", notice.where),
        ("Since", _local(notice.since)),
        ("How bad", _how_bad(notice)),
        *(("Also", each) for each in notice.also),
    ]
    if notice.kind != "cleared":
        lines.append(("What usually helps", notice.usually_helps))
    else:
        lines.append(("Cleared", _local(notice.at)))
    lines += [("Look here", notice.link), ("Notice", notice.id)]
    return "".join(f"{label}: {value}\n" for label, value in lines)


def _how_bad(notice: Notice) -> str:
    if notice.metric in IN_WORDS:
        return IN_WORDS[notice.metric]
    if notice.metric in TOLD_METRICS:
        return f"{_METRICS[notice.metric]}: {notice.value:g}"
    worst = (
        f"fewer than {SMALLEST}" if notice.of_few and is_small(notice, notice.worst) else _briefly(notice, notice.worst)
    )
    now = told(notice, notice.value, of_few=notice.of_few)
    return f"{_METRICS[notice.metric]}: {now} ({bound(notice)}, worst so far {worst})"


def bound(notice: Notice) -> str:
    """The value that counts now: from which it fires, or at which it clears."""
    less_is_worse = notice.threshold < notice.clear
    if notice.kind == "cleared":
        return f"clear {'above' if less_is_worse else 'below'} {_briefly(notice, notice.clear)}"
    return f"alert {'at or below' if less_is_worse else 'from'} {_briefly(notice, notice.threshold)}"


def _briefly(notice: Notice, value: float) -> str:
    """As :func:`amount`, beside an amount that has said of what it is."""
    return f"{value:.0f} %" if notice.than_usual else amount(notice, value)


def bounds(rule: Rule) -> str:
    """From when a rule fires, and when it clears, for people."""
    if rule.metric in IN_WORDS:
        return IN_WORDS[rule.metric]
    less_is_worse = rule.worse == "below" and not rule.than_usual
    fires = f"fires {'at or below' if less_is_worse else 'from'} {amount(rule, rule.threshold)}"
    lasting = f" for {_seconds(rule.for_s)}" if rule.for_s else ""
    return f"{fires}{lasting}, clears {'above' if less_is_worse else 'below'} {amount(rule, rule.clear)}"


def measure(metric: Metric) -> str:
    """What is measured, for people."""
    return IN_WORDS.get(metric) or _METRICS[metric]


class Measured(Protocol):
    """A rule or a notice: what has values of a metric."""

    @property
    def metric(self) -> Metric: ...
    @property
    def than_usual(self) -> bool: ...


def told(of: Measured, value: float, *, of_few: bool) -> str:
    """As :func:`amount`, but of a place or a need (``of_few``) no count under 5."""
    return f"fewer than {SMALLEST}" if of_few and is_small(of, value) else amount(of, value)


def is_small(of: Measured, value: float) -> bool:
    """Whether the value is a count under 5."""
    return of.metric in COUNTS and not of.than_usual and value < SMALLEST


def amount(of: Measured, value: float) -> str:
    """A value of the metric of a notice, or rule, with its unit, for people."""
    if of.metric in IN_WORDS:
        return IN_WORDS[of.metric]
    if of.than_usual:
        return f"{value:.0f} % worse than usual for this hour"
    if of.metric.endswith("_share"):
        return f"{100 * value:.1f} %"
    in_seconds = of.metric.endswith("_s") or of.metric == "auditor_silent"
    return _seconds(value) if in_seconds else f"{value:g}"


def _seconds(value: float) -> str:
    minutes, seconds = divmod(int(value), 60)
    return f"{minutes} min {seconds} s" if minutes else f"{seconds} s"


def _local(at: datetime) -> str:
    return f"{at.astimezone(LONDON):%a %d %b %Y %H:%M:%S %Z}"
