"""One number from the figures of a scope, as a rule names it."""

from __future__ import annotations

from alerts.figures.items import Kpis
from alerts.model import Metric

_DIVIDED: dict[Metric, tuple[str, str]] = {
    "abandoned_share": ("B02", "A01"),
    "answered_60_share": ("B01", "A03"),
    "average_answer_s": ("B06", "A03"),
}


COUNTS: frozenset[Metric] = frozenset({"offered", "answer_unknown"})
"""These grow with the window; shares and times do not."""


def value_of(metric: Metric, kpis: Kpis) -> float | None:
    """Shares from 0 to 1, times in seconds, counts; None where there was no call of the kind, or nobody knows."""
    if metric == "offered":
        return kpis.of("A01")
    if metric == "answer_unknown":
        return float(kpis.ends.get("answer_unknown", 0))
    if metric == "centile95_s":
        return kpis.of("B07")
    part, whole = (kpis.of(code) for code in _DIVIDED[metric])
    return part / whole if part is not None and whole else None
