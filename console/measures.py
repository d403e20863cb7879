"""Figures by item code in the words of pages: shares, seconds, targets and whether they are met."""

from __future__ import annotations

from dataclasses import dataclass

from alerts.figures.items import Kpis
from alerts.figures.targets import Target
from console.words import UNKNOWN

UNVERIFIED = "source not verified"


@dataclass(frozen=True, slots=True)
class Judged:
    """A target beside a figure. ``verdict``: Met, Missed, or empty where there is no figure."""

    title: str
    figure: str
    verdict: str
    target: str
    mark: str
    source: str


def amount(value: float | None, unit: str) -> str:
    """``94.6%`` of a share, ``20 s`` or ``20.4 s`` of seconds, ``1,204`` of calls; unknown in words."""
    if value is None:
        return UNKNOWN
    if unit == "share":
        return f"{100 * value:.1f}%"
    if unit == "seconds":
        return f"{value:,.1f}".removesuffix(".0") + " s"
    return f"{value:,.0f}"


def bound(target: Target) -> str:
    """``at most 3.0%``."""
    return f"{'at most' if target.is_ceiling else 'at least'} {amount(target.bound, target.unit)}"


def judged(target: Target, kpis: Kpis | None) -> Judged:
    """The target and what became of it; a figure is rounded for the eye only after it was judged."""
    values = kpis.values if kpis is not None else {}
    met = target.is_met(values)
    verdict = "" if met is None else "Met" if met else "Missed"
    return Judged(
        title=target.title,
        figure=amount(target.figure(values), target.unit),
        verdict=verdict,
        target=bound(target),
        mark="" if target.verified else UNVERIFIED,
        source=target.source,
    )
