"""From raw figures to the ratios that count, and the table that shows them."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from rich.console import Console
from rich.table import Table


@dataclass(frozen=True, slots=True)
class Verdict:
    """One target: what was compared, how it came out over all rounds, and whether that is enough."""

    what: str
    ours: float
    theirs: float
    unit: str
    figure: float
    target: str
    met: bool
    lowest: float
    highest: float


def median(values: Sequence[float]) -> float:
    """Rounded to a thousandth."""
    return round(statistics.median(values), 3)


def percentiles(values: Sequence[float]) -> dict[str, float]:
    """p50, p95 and p99 of latencies in ms."""
    cuts = statistics.quantiles(values, n=100, method="inclusive")
    return {"p50_ms": round(cuts[49], 2), "p95_ms": round(cuts[94], 2), "p99_ms": round(cuts[98], 2)}


def at_most(what: str, ours: Sequence[float], theirs: Sequence[float], unit: str, bound: float) -> Verdict:
    """Ours divided by theirs, round by round; the median must not be above ``bound``."""
    ratios = [a / b for a, b in zip(ours, theirs, strict=True)]
    middle = median(ratios)
    return Verdict(what, median(ours), median(theirs), unit, middle, f"≤ {bound:g}", middle <= bound,
                   round(min(ratios), 3), round(max(ratios), 3))  # fmt: skip


def at_least(what: str, ours: Sequence[float], theirs: Sequence[float], unit: str, bound: float) -> Verdict:
    """Ours divided by theirs, round by round; the median must not be below ``bound``."""
    ratios = [a / b for a, b in zip(ours, theirs, strict=True)]
    middle = median(ratios)
    return Verdict(what, median(ours), median(theirs), unit, middle, f"≥ {bound:g}", middle >= bound,
                   round(min(ratios), 3), round(max(ratios), 3))  # fmt: skip


def later_by(what: str, ours: Sequence[float], theirs: Sequence[float], bound_ms: float) -> Verdict:
    """Ours minus theirs, round by round, in ms; the median must not be above ``bound_ms``."""
    gaps = [a - b for a, b in zip(ours, theirs, strict=True)]
    middle = median(gaps)
    return Verdict(what, median(ours), median(theirs), "ms", middle, f"≤ +{bound_ms:g} ms", middle <= bound_ms,
                   round(min(gaps), 3), round(max(gaps), 3))  # fmt: skip


def printed(what: str, ours: Sequence[float], theirs: Sequence[float], unit: str) -> Verdict:
    """Ours divided by theirs, round by round; there is no target."""
    ratios = [a / b for a, b in zip(ours, theirs, strict=True) if b]
    middle = median(ratios) if ratios else 0.0
    return Verdict(what, median(ours), median(theirs), unit, middle, "printed", True,
                   round(min(ratios, default=0.0), 3), round(max(ratios, default=0.0), 3))  # fmt: skip


def show(verdicts: Sequence[Verdict], console: Console) -> None:
    """The table."""
    table = Table(title="Speed against the rivals, medians of interleaved rounds")
    for name in ("what", "ours", "rival", "ratio or gap", "lowest … highest", "target", "verdict"):
        table.add_column(name, justify="left" if name in ("what", "verdict") else "right", overflow="fold")
    for each in verdicts:
        said = "—" if each.target == "printed" else "met" if each.met else "MISSED"
        table.add_row(
            each.what, f"{each.ours:g} {each.unit}", f"{each.theirs:g} {each.unit}", f"{each.figure:g}",
            f"{each.lowest:g} … {each.highest:g}", each.target, said,
        )  # fmt: skip
    console.print(table)


def as_data(verdicts: Sequence[Verdict]) -> list[dict[str, Any]]:
    """For the results' file."""
    return [asdict(each) for each in verdicts]
