"""The values of this package: figures, rules, the life of an alert, notices. No I/O."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Literal
from zoneinfo import ZoneInfo

from alerts.figures.items import PROBE_PROVIDER

if TYPE_CHECKING:
    from alerts.rules.rotas import Hours, Rota

LONDON = ZoneInfo("Europe/London")

TOTAL = "total"
"""The scope that is the whole service; every other scope is a provider's id."""

RECENT = timedelta(minutes=15)
"""One failed call is news for this long; a defect of a flow fails calls all the time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScopeFigures:
    """Calls of this Europe/London day, and callers waiting now, of the whole service or one provider.

    The end classes (docs/safety/rules.md, 8) are ``answered`` and ``answer_unknown`` to ``in_progress``: each
    call is in exactly one, and their sum is ``offered`` (item A01). A call that an agent has answered is
    ``answered`` from that moment, one that only a switch has answered is ``answer_unknown``; ``in_progress``
    are those neither answered nor over.

    For a provider, ``offered`` are the calls offered to it, one for each call however often it is tried. Of
    the classes it has ``answered``, ``answer_unknown``, ``abandoned`` and ``in_progress`` (those it has still
    to answer); the rest are the calls that it did not take.
    """

    scope: str
    name: str
    waiting: int = 0
    """Callers waiting now, whatever day they were offered."""
    longest_wait_s: float = 0.0
    """Of the caller who waits longest, seconds since the service was offered the call; 0 if nobody waits."""
    failed_recently: int = 0
    """Of the whole service: calls of the last :data:`RECENT` whose flow failed, or whom our fall-back had to take."""
    on_line: int = 0
    """Calls answered and not over; they are counted among the answered, too."""
    offered: int = 0
    answered: int = 0
    answered_within_60: int = 0
    """Of the answered; from the offer to the service, for a provider from the offer to it."""
    answer_unknown: int = 0
    abandoned: int = 0
    left_in_message: int = 0
    deflected: int = 0
    self_served: int = 0
    served_elsewhere: int = 0
    call_back: int = 0
    """Promised a call back, and hung up."""
    dropped_by_us: int = 0
    in_progress: int = 0


@dataclass(frozen=True, slots=True)
class Figures:
    """The service at the instant ``at`` (UTC). Providers come in the order in which they were named.

    ``probes``: the auditor's own calls, at the reserved provider. They are for its rule, and nowhere else.
    """

    at: datetime
    total: ScopeFigures
    providers: tuple[ScopeFigures, ...]
    probes: ScopeFigures | None = None

    def of(self, provider: str | None) -> ScopeFigures | None:
        """The figures of one provider, of the whole service for None; None if there is no such provider."""
        if provider is None:
            return self.total
        if provider == PROBE_PROVIDER:
            return self.probes
        return next((each for each in self.providers if each.scope == provider), None)


@dataclass(frozen=True, slots=True)
class MinutePoint:
    """One minute of a chart, from ``at`` (UTC). ``waiting_longest_s``: the longest wait seen in it."""

    at: datetime
    offered: int
    answered: int
    waiting_longest_s: float


@dataclass(frozen=True, slots=True)
class Parts:
    """What the service stands on, as the process ``seen_by`` (a word for people) sees it now.

    ``failing_s``: for how many seconds each part has not worked, 0 for those that do. ``journal_lag_s``: age of the
    oldest event that is not in the journal yet. ``without_probe_s``: for how long no probe of the auditor has come;
    None where none is expected, or not known. ``figures_differ``: in how many scopes the figures differ from the
    recount; ``figures_odd``: events and calls of the last hour that cannot be read or be true; ``call_back_late_s``:
    for how long the longest overdue call-back has been owed; each None where another process looks.
    """

    failing_s: Mapping[str, float]
    journal_lag_s: float = 0.0
    seen_by: str = ""
    without_probe_s: float | None = None
    figures_differ: int | None = None
    call_back_late_s: float | None = None
    figures_odd: int | None = None


Metric = Literal[
    "longest_wait_s", "waiting", "abandoned_share", "answered_60_share", "average_answer_s", "centile95_s", "offered",
    "answer_unknown", "composite", "failed_calls", "dependency_down_s", "journal_lag_s", "figures_differ",
    "figures_odd", "auditor_silent", "call_back_late_s", "night_message", "governance", "welfare_task", "surge",
    "demand_rise", "rule_removed",
]  # fmt: skip
"""The last six are no figures. Five say who is told of front-end messages begun at night by one person, of plans opened
in an emergency or recorded late, of welfare tasks that nobody took on, and of proposals to look at a rise in symptoms,
or in all of 111; the last is of notices alone, of an alert whose rule is in the file no more."""

TOLD_METRICS: frozenset[Metric] = frozenset({"night_message", "governance", "welfare_task", "surge", "demand_rise"})
"""What is told by whoever finds it (:mod:`alerts.notices.once`), not read from figures."""

OWN_METRICS: frozenset[Metric] = frozenset({"dependency_down_s", "journal_lag_s"})
"""What each process sees for itself: two may differ, and neither may clear what the other has found."""

WINDOW_METRICS: frozenset[Metric] = frozenset(
    {"abandoned_share", "answered_60_share", "average_answer_s", "centile95_s", "offered", "answer_unknown"}
)
"""What is counted of the calls of a window: the last 5, 15 or 60 minutes, or the day in London."""

LIVE_METRICS: frozenset[Metric] = frozenset({"longest_wait_s", "waiting"})
"""What is true of the callers who wait now, of the whole service or a provider."""

Window = Literal[5, 15, 60, "today"]
Worse = Literal["above", "below"]
Severity = Literal["notice", "warning", "critical"]
Channel = Literal["email", "webhook", "text", "voice", "alertmanager"]


@dataclass(frozen=True, slots=True)
class Recipient:
    """A named member of staff and one way to tell them. An address, number or URL is never logged.

    ``then``: the same person by the ways that are tried, in this order, when this one fails.
    """

    name: str
    channel: Channel
    address: str
    then: tuple[Recipient, ...] = ()

    @property
    def ways(self) -> tuple[Recipient, ...]:
        """Every way to tell them, in the order in which they are tried."""
        return (self, *self.then)


@dataclass(frozen=True, slots=True)
class Escalation:
    """Who is told when nobody has taken the alert on ``after_s`` seconds after those before were told."""

    after_s: float
    who: tuple[Recipient, ...]
    rotas: tuple[Rota, ...] = ()

    def told(self, at: datetime) -> tuple[Recipient, ...]:
        """Everybody named, and whoever is on duty ``at`` that time; nobody twice."""
        return tuple(dict.fromkeys((*self.who, *(each for rota in self.rotas for each in rota.on_duty(at)))))


@dataclass(frozen=True, slots=True)
class Condition:
    """At least ``at_least`` alerts of the rule with this name fire."""

    rule: str
    at_least: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """Fire when ``metric`` has been at ``threshold`` or worse for ``for_s`` seconds; clear when better than ``clear``.

    ``scope`` is the text of an :class:`alerts.figures.items.Scope`, or ``each provider`` (``service``, ``area``), each
    with an alert of its own, as has each part where ``dependency`` is None. ``worse``: whether more is worse, or less.
    ``window``: the minutes that a share or a time is of. With ``than_usual`` the bounds are per cent worse than usual
    for this hour of the week. A window with fewer than ``calls_at_least`` calls, or an hour that usually has fewer than
    ``usual_at_least``, says nothing. ``any_of`` and ``all_of``: other rules that fire, in place of a metric. Nothing
    begins outside ``hours``. ``source`` says where these numbers come from, ``verified`` whether anybody read it there.
    ``who`` and those on duty in ``rotas`` are told first, ``escalate``
    in turn while nobody acknowledges, and the last of them again every ``repeat_s`` seconds (0: not again). Alerts of
    one ``group`` that fire within ``group_wait_s`` are one notice. While an alert of a rule in ``inhibited_by`` fires
    for the same scope or the whole service, this one tells nobody.
    """

    name: str
    title: str
    metric: Metric
    threshold: float
    clear: float
    for_s: float
    severity: Severity
    usually_helps: str
    source: str
    link: str
    who: tuple[Recipient, ...]
    scope: str = TOTAL
    worse: Worse = "above"
    window: Window = 15
    than_usual: bool = False
    calls_at_least: int = 1
    usual_at_least: float = 0.0
    any_of: tuple[Condition, ...] = ()
    all_of: tuple[Condition, ...] = ()
    hours: tuple[Hours, ...] | None = None
    verified: bool = False
    dependency: str | None = None
    rotas: tuple[Rota, ...] = ()
    escalate: tuple[Escalation, ...] = ()
    repeat_s: float = 0.0
    group: str = ""
    group_wait_s: float = 0.0
    inhibited_by: tuple[str, ...] = ()

    @property
    def steps(self) -> tuple[Escalation, ...]:
        """Who is told, in order; the first at once."""
        return (Escalation(0.0, self.who, self.rotas), *self.escalate)

    def is_breached(self, value: float) -> bool:
        """Whether ``value`` is at the threshold or worse."""
        return value >= self.threshold if self._is_more_worse else value <= self.threshold

    def is_clear(self, value: float) -> bool:
        """Whether ``value`` is better than the bound for clearing."""
        return value < self.clear if self._is_more_worse else value > self.clear

    def worst(self, one: float, other: float) -> float:
        """The worse of two values."""
        return max(one, other) if self._is_more_worse else min(one, other)

    @property
    def _is_more_worse(self) -> bool:
        """Whether a higher value is worse; per cent worse than usual are, also of what is worse when there is less."""
        return self.than_usual or self.worse == "above"

    def is_watched(self, at: datetime) -> bool:
        """Whether an alert may begin at that time."""
        return self.hours is None or any(each.holds(at) for each in self.hours)


Phase = Literal["ok", "pending", "firing", "acknowledged", "resolved", "told"]
"""``told``: a single thing that somebody must know (:mod:`alerts.notices.once`); it has no life."""

OPEN_PHASES: frozenset[Phase] = frozenset({"firing", "acknowledged"})


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertState:
    """Where an alert is in its life. ``rule``: its identity, its rule's name; of one part or scope, ``name:scope``.

    ``since`` is when the metric reached the threshold in the present or last episode, ``worst`` its worst value in it.
    ``told``: everybody who has been told in this episode; ``step``: how many steps of the rule have been told, the
    last at ``step_at``. ``held``: why nobody is told while it fires (silenced, inhibited), empty if nothing holds it.
    ``fired``: when it fired lately, the last time included; ``clear_since``: since when a flapping one reads clear,
    known to the process alone.
    ``version`` counts the stored changes, 0 for a state that was never stored.
    """

    rule: str
    phase: Phase = "ok"
    since: datetime | None = None
    worst: float = 0.0
    version: int = 0
    what: str = ""
    where: str = ""
    severity: Severity = "warning"
    scope: str = ""
    fired_at: datetime | None = None
    step: int = 0
    step_at: datetime | None = None
    told: tuple[Recipient, ...] = ()
    held: str = ""
    acknowledged_by: str = ""
    acknowledged_at: datetime | None = None
    ended_at: datetime | None = None
    fired: tuple[datetime, ...] = ()
    clear_since: datetime | None = None

    @property
    def is_flapping(self) -> bool:
        """Whether it has fired so often within an hour that it is one alert until it is steady."""
        return len(self.fired) > FIRINGS_AT_MOST

    @property
    def is_open(self) -> bool:
        """Whether it fires, taken on by somebody or not."""
        return self.phase in OPEN_PHASES


FIRINGS_AT_MOST = 3
"""Within :data:`FLAPPING_WITHIN`; whoever hears of the same thing six times an hour reads no seventh notice."""

FLAPPING_WITHIN = timedelta(hours=1)

STEADY = timedelta(minutes=15)
"""So long without a break must what was flapping read clear before it is over."""

Outcome = Literal["sent", "delivered", "failed"]
"""What became of a notice: its channel took it, it arrived, or no channel will carry it."""

StepKind = Literal[
    "pending", "fired", "sent", "delivered", "failed", "escalated", "held", "acknowledged", "silenced", "lifted",
    "resolved", "rule_removed", "flapping",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class StepTaken:
    """One line of an alert's record, never changed. ``by``: who did it, empty for the service itself."""

    alert: str
    kind: StepKind
    at: datetime
    by: str = ""
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Silence:
    """Nobody is told of ``alert`` (an alert, or every alert of the rule with this name) from ``since`` to ``until``."""

    id: str
    alert: str
    by: str
    reason: str
    since: datetime
    until: datetime

    def covers(self, alert: str) -> bool:
        """Whether the alert with this identity is meant."""
        return self.alert in (alert, rule_of(alert))


def rule_of(alert: str) -> str:
    """The name of the rule of an alert."""
    return alert.partition(":")[0]


def page_of(alert: str) -> str:
    """What stands for an alert in the address of its page: nothing of it can be read there."""
    return hashlib.sha256(alert.encode()).hexdigest()[:16]


NoticeKind = Literal["fired", "escalated", "cleared"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """What one recipient is told, once. It holds figures of the service and never a person's detail.

    ``id`` is the same for every recipient and every repeat, so that a receiver recognises it. ``alert`` is what
    whoever takes it on acknowledges (:meth:`alerts.life.service.AlertService.acknowledge`); of a group, all of it.
    ``also``: a line for each further alert of the group.
    """

    id: str
    alert: str
    kind: NoticeKind
    rule: str
    severity: Severity
    what: str
    where: str
    metric: Metric
    since: datetime
    at: datetime
    value: float
    worst: float
    threshold: float
    clear: float
    usually_helps: str
    link: str
    recipient: Recipient
    also: tuple[str, ...] = ()
    than_usual: bool = False
    """Whether value, worst and bounds are per cent worse than usual, whatever the metric's own unit."""
    of_few: bool = False
    """Whether it is of an area or a service, whose counts under 5 leave the house in no notice."""

    @property
    def alerts(self) -> tuple[str, ...]:
        """The alerts that this tells of."""
        return tuple(self.alert.split())
