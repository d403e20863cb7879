"""Figures by item code in the words of pages: shares, seconds, targets and whether they are met."""

from __future__ import annotations

from dataclasses import dataclass

from alerts.figures.items import ITEMS, Kpis, Values
from alerts.figures.small_numbers import HELD_BACK, SMALL, SMALLEST
from alerts.figures.targets import Target
from console.words import UNKNOWN, share

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


def told(kpis: Kpis | None, code: str, *, default: float | None = None) -> str:
    """An item in words; ``default`` where it has no value, what stands in its place where it is held back."""
    held = kpis.held if kpis is not None else None
    if held is not None and code in held:
        return held[code]
    value = kpis.values.get(code) if kpis is not None else None
    value = default if value is None else value
    few = held is not None and value is not None and value < SMALLEST and ITEMS[code].unit == "calls"
    return SMALL if few else amount(value, ITEMS[code].unit)


def share_told(part: int | None, whole: int | None, held: str | None = None) -> str:
    """``94.6%``; where ``held`` stands in the part's place, what that tells of the share: ``<1.7%`` of ``<5``."""
    if held is None:
        return share(part, whole)
    if held == HELD_BACK or not whole:
        return HELD_BACK
    return f"{held[0]}{share(int(held[1:]), whole)}"


def bound(target: Target) -> str:
    """``at most 3.0%``."""
    return f"{'at most' if target.is_ceiling else 'at least'} {amount(target.bound, target.unit)}"


def judged(target: Target, kpis: Kpis | None) -> Judged:
    """The target and what became of it; a figure is rounded for the eye only after it was judged."""
    values = kpis.values if kpis is not None else {}
    held = (kpis.held or {}).get(target.part) if kpis is not None else None
    met = target.is_met(values) if held is None else _is_met_by_all(target, values, held)
    verdict = "" if met is None else "Met" if met else "Missed"
    return Judged(
        title=target.title,
        figure=amount(target.figure(values), target.unit) if held is None else _figure(target, values, held),
        verdict=verdict,
        target=bound(target),
        mark="" if target.verified else UNVERIFIED,
        source=target.source,
    )


def _figure(target: Target, values: Values, held: str) -> str:
    whole = values.get(target.whole) if target.whole else None
    return share_told(None, None if whole is None else int(whole), held if target.unit == "share" else HELD_BACK)


def _is_met_by_all(target: Target, values: Values, held: str) -> bool | None:
    """Whether every count that ``held`` may stand for reaches the target, or none does; None if some do."""
    whole = values.get(target.whole) if target.whole else None
    if held == HELD_BACK or whole is None:
        return None
    end = int(held[1:])
    may_be = (0, end - 1) if held[0] == "<" else (end + 1, int(whole))
    met = {target.is_met({**values, target.part: part}) for part in may_be}
    return met.pop() if len(met) == 1 else None
