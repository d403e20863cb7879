"""What a rule reads now: one value of the whole service or of one scope, or one of each that it watches."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import cast

from alerts.figures.items import Kpis, Scope, ScopeKind
from alerts.figures.small_numbers import SMALLEST, of_few
from alerts.figures.tally import Tally
from alerts.figures.usual import Usual
from alerts.model import TOTAL, AlertState, Figures, Parts, Rule, ScopeFigures, Window, rule_of
from alerts.rules.measures import COUNTS, value_of

Windows = Callable[[Window, ScopeKind], Sequence[Kpis]]
"""The figures of a window, of each scope of a kind; empty while they are not known."""

AHEAD = timedelta(seconds=5)
"""A reading that is further in the future than this is a clock's mistake, and is not used."""

AN_HOUR = timedelta(hours=1)
"""What is usual is known by the hour; a window holds the minute in progress, and is as long as has passed of it."""

COUNTED_FOR_S = 5.0
"""Windows of minutes need no look twice a second: adding up an hour's calls takes longer than all else in a look."""

_PART_NAMES = {
    "sql": "Database (SQL)",
    "redis": "Redis (live calls)",
    "asterisk": "Asterisk",
    "alertmanager": "Alertmanager",
    "copy": "What callers meet:",
    "plans": "Look-up of care plans",
    "repeats": "Look-up of earlier calls",
    "understanding": "Understanding of speech",
    "background": "Background process (journal, figures, pages):",
    "audit_entries": "Audit of plans (entries)",
    "audit_heads": "Audit of plans (signed ends)",
    "plan_keys": "Keys of care plans",
    "figures": "Figures beside their recount",
}


@dataclass(frozen=True, slots=True)
class Reading:
    """A value at an instant. ``alert`` is the identity of the life that it moves, ``where`` is for people."""

    alert: str
    where: str
    value: float
    at: datetime
    scope: str = TOTAL


class KeptWindows:
    """Windows counted anew after :data:`COUNTED_FOR_S`, however many rules ask, and however often."""

    def __init__(self, windows: Windows, monotonic: Callable[[], float]) -> None:
        self._windows = windows
        self._monotonic = monotonic
        self._kept: dict[tuple[Window, ScopeKind], tuple[float, Sequence[Kpis]]] = {}

    def __call__(self, window: Window, kind: ScopeKind) -> Sequence[Kpis]:
        now = self._monotonic()
        counted_at, found = self._kept.get((window, kind), (-math.inf, ()))
        if not found or now - counted_at >= COUNTED_FOR_S:
            found = self._windows(window, kind)
            self._kept[window, kind] = now, found
        return found


@dataclass(slots=True)
class Seen:
    """What is known at one instant. ``unjudged`` gathers what no rule can judge now, with why, for people to see."""

    at: datetime
    figures: Figures | None
    parts: Parts
    windows: Windows
    usual: Usual
    unjudged: dict[str, str] = field(default_factory=dict)

    def read(self, rule: Rule, live: Mapping[str, AlertState]) -> Iterator[Reading]:
        """What the rule reads now; what is no number, or of the future, is left out and told."""
        for reading in self._read(rule, live):
            if not math.isfinite(reading.value):
                self.unjudged[reading.alert] = "what was counted is no number"
            elif reading.at > self.at + AHEAD:
                self.unjudged[reading.alert] = "what was counted is from the future: look at the clocks"
            else:
                yield reading

    def _read(self, rule: Rule, live: Mapping[str, AlertState]) -> Iterable[Reading]:
        match rule.metric:
            case "longest_wait_s" | "waiting":
                return self._live(rule)
            case (
                "abandoned_share"
                | "answered_60_share"
                | "average_answer_s"
                | "centile95_s"
                | "offered"
                | "answer_unknown"
            ):
                return self._window(rule)
            case "failed_calls":
                return self._failed(rule)
            case "dependency_down_s":
                return self._down(rule)
            case "figures_differ":
                differ = self.parts.figures_differ
                return [] if differ is None else [Reading(rule.name, "Figures", float(differ), self.at)]
            case "figures_odd":
                odd = self.parts.figures_odd
                return [] if odd is None else [Reading(rule.name, "Figures", float(odd), self.at)]
            case "journal_lag_s":
                return [self._part(rule, "journal", self.parts.journal_lag_s, "Journal")]
            case "auditor_silent":
                silent_s = self.parts.without_probe_s
                return [] if silent_s is None else [Reading(rule.name, "Alert auditor", silent_s, self.at)]
            case "call_back_late_s":
                late_s = self.parts.call_back_late_s
                return [] if late_s is None else [Reading(rule.name, "Call-backs", late_s, self.at)]
            case "composite":
                return [Reading(rule.name, "Whole service", float(_holds(rule, live)), self.at)]
            case "night_message" | "governance" | "welfare_task" | "surge" | "demand_rise" | "rule_removed":
                return []  # told by whoever finds one, not read from figures

    def _live(self, rule: Rule) -> Iterator[Reading]:
        if self.figures is None:
            self.unjudged[rule.name] = "the figures are not known yet"
            return
        each: Iterable[ScopeFigures | None] = self.figures.providers
        if not rule.scope.startswith("each "):
            each = [self.figures.of(rule.scope.partition(":")[2] or None)]
        for found in each:
            if found is None:
                continue
            value = found.longest_wait_s if rule.metric == "longest_wait_s" else float(found.waiting)
            scope = TOTAL if found is self.figures.total else f"provider:{found.scope}"
            yield Reading(_alert(rule, scope), found.name, value, self.figures.at, scope)

    def _window(self, rule: Rule) -> Iterator[Reading]:
        for kpis in self._kpis(rule):
            scope = str(kpis.scope)
            alert = _alert(rule, scope)
            value = value_of(rule.metric, kpis)
            # a share or a time of fewer would tell of single people
            fewest = SMALLEST if of_few(scope) and rule.metric not in COUNTS else 1
            fewest = max(fewest, rule.calls_at_least)
            if value is None or (sum(kpis.ends.values()) < fewest and rule.metric != "offered"):
                self.unjudged[alert] = "too few calls to judge"
                continue
            if rule.usual_at_least and (self.usual.of("offered", kpis.scope, self.at) or 0.0) < rule.usual_at_least:
                self.unjudged[alert] = "too few calls are usual at this hour, or that is not known"
                continue
            if rule.than_usual:
                is_rate = rule.metric in COUNTS and rule.window != "today"
                hourly = value * (AN_HOUR / (kpis.end - kpis.start)) if is_rate else value
                percent = self.usual.worse_by(rule.metric, kpis.scope, self.at, hourly, worse=rule.worse)
                if percent is None:
                    self.unjudged[alert] = "fewer than four such hours are on record"
                    continue
                value = percent
            yield Reading(alert, kpis.name, value, kpis.end, scope)

    def _kpis(self, rule: Rule) -> Iterator[Kpis]:
        kind = cast(ScopeKind, rule.scope.removeprefix("each ").partition(":")[0])
        found = self.windows(rule.window, kind)
        missing = self._without_calls(rule, kind, found)
        if not found and not missing:
            self.unjudged[rule.name] = "the figures are not known yet"
        for kpis in (*found, *missing):
            if rule.scope.startswith("each ") or kpis.scope == Scope.read(rule.scope):
                yield kpis

    def _without_calls(self, rule: Rule, kind: ScopeKind, found: Sequence[Kpis]) -> list[Kpis]:
        """Noughts for the services and areas that have calls at this hour usually, and none in the window.

        Figures have a row of such a scope only once it has a call, and what went silent is what a rule must see.
        """
        if kind not in ("service", "area"):
            return []
        there = {each.scope for each in found}
        return [
            Tally().kpis(scope, name, whole.start, whole.end, whole.clock)
            for whole in self.windows(rule.window, "total")  # none while the figures are not known
            for scope, name in self.usual.scopes(kind, self.at).items()
            if scope not in there
        ]

    def _failed(self, rule: Rule) -> Iterator[Reading]:
        if self.figures is not None:
            total = self.figures.total
            yield Reading(rule.name, total.name, float(total.failed_recently), self.figures.at)

    def _down(self, rule: Rule) -> Iterator[Reading]:
        for name, failing_s in self.parts.failing_s.items():
            if rule.dependency in (None, name, name.partition(":")[0]):
                yield self._part(rule, name, failing_s)

    def _part(self, rule: Rule, part: str, value: float, where: str = "") -> Reading:
        seen = f", seen by {self.parts.seen_by}" if self.parts.seen_by else ""
        return Reading(f"{rule.name}:{part}", f"{where or _in_words(part)}{seen}", value, self.at, f"part:{part}")


def _alert(rule: Rule, scope: str) -> str:
    return f"{rule.name}:{scope}" if rule.scope.startswith("each ") else rule.name


def _holds(rule: Rule, live: Mapping[str, AlertState]) -> bool:
    firing = [rule_of(alert) for alert, state in live.items() if state.is_open]
    met = {each: firing.count(each.rule) >= each.at_least for each in (*rule.any_of, *rule.all_of)}
    return (not rule.any_of or any(met[each] for each in rule.any_of)) and all(met[each] for each in rule.all_of)


def _in_words(part: str) -> str:
    kind, _, name = part.partition(":")
    return f"{_PART_NAMES.get(kind, kind)} {name}".strip()
