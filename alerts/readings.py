"""What a rule reads now: one value of the whole service or a provider, or one of each part that it watches."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from alerts.model import TOTAL, Figures, Parts, Rule

_PART_NAMES = {
    "sql": "Database (SQL)",
    "redis": "Redis (live calls)",
    "asterisk": "Asterisk",
    "alertmanager": "Alertmanager",
    "copy": "What callers meet:",
    "plans": "Look-up of care plans",
    "repeats": "Look-up of earlier calls",
    "understanding": "Understanding of speech",
    "audit_entries": "Audit of plans (entries)",
    "audit_heads": "Audit of plans (signed ends)",
}


@dataclass(frozen=True, slots=True)
class Reading:
    """A value at an instant. ``alert`` is the identity of the life that it moves, ``where`` is for people."""

    alert: str
    where: str
    value: float
    at: datetime
    scope: str = TOTAL


def readings(rule: Rule, figures: Figures | None, parts: Parts, now: datetime) -> Iterator[Reading]:
    """What the rule reads; nothing while that is not known."""
    match rule.metric:
        case "longest_wait_s":
            scope = figures.of(rule.provider) if figures is not None else None
            if figures is not None and scope is not None:
                yield Reading(rule.name, scope.name, scope.longest_wait_s, figures.at, _scope(rule))
        case "failed_calls":
            if figures is not None:
                total = figures.total
                yield Reading(rule.name, total.name, float(total.failed_recently), figures.at)
        case "dependency_down_s":
            for name, failing_s in parts.failing_s.items():
                if rule.dependency in (None, name, name.partition(":")[0]):
                    yield Reading(f"{rule.name}:{name}", _seen(_in_words(name), parts), failing_s, now, f"part:{name}")
        case "journal_lag_s":
            yield Reading(f"{rule.name}:journal", _seen("Journal", parts), parts.journal_lag_s, now, "part:journal")
        case "auditor_silent":
            if parts.without_probe_s is not None:
                yield Reading(rule.name, "Alert auditor", parts.without_probe_s, now)
        case "figures_differ":
            if parts.figures_differ is not None:
                yield Reading(rule.name, "Figures", float(parts.figures_differ), now)
        case "night_message" | "governance" | "welfare_task" | "surge" | "demand_rise" | "rule_removed":
            pass  # told by whoever finds one, not read from figures


def _scope(rule: Rule) -> str:
    return TOTAL if rule.provider is None else f"provider:{rule.provider}"


def _in_words(part: str) -> str:
    kind, _, name = part.partition(":")
    return f"{_PART_NAMES.get(kind, kind)} {name}".strip()


def _seen(where: str, parts: Parts) -> str:
    return f"{where}, seen by {parts.seen_by}" if parts.seen_by else where
