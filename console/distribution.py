"""How long callers of a window waited, in classes: those whom an agent answered, and those whom none did."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from alerts.figures.items import Kpis

BOUNDS = (10, 20, 30, 60, 120, 300, 600)
WIDTH = 100.0


@dataclass(frozen=True, slots=True)
class Band:
    """One class of waits; the widths are of 100, which is the fullest class of both."""

    words: str
    answered: int
    not_answered: int
    answered_width: float
    not_answered_width: float


def bands(kpis: Kpis | None) -> tuple[Band, ...]:
    """The classes, shortest first; none where nothing is known or nobody waited.

    Not answered: gave up, or waits still, counted at the time so far (``waits`` less ``seconds``).
    """
    if kpis is None or not kpis.waits.total:
        return ()
    answered = [kpis.seconds.within(bound) for bound in BOUNDS] + [kpis.seconds.total]
    everybody = [kpis.waits.within(bound) for bound in BOUNDS] + [kpis.waits.total]
    counts = []
    for n, (some, all_of_them) in enumerate(zip(answered, everybody, strict=True)):
        before = (answered[n - 1], everybody[n - 1]) if n else (0, 0)
        here = some - before[0]
        counts.append((here, max(0, all_of_them - before[1] - here)))
    most = max(max(pair) for pair in counts)
    return tuple(
        Band(words, here, rest, round(WIDTH * here / most, 1), round(WIDTH * rest / most, 1))
        for words, (here, rest) in zip(_words(), counts, strict=True)
    )


def _words() -> list[str]:
    between = [f"over {low} to {high} s" for low, high in pairwise(BOUNDS)]
    return [f"up to {BOUNDS[0]} s", *between, f"over {BOUNDS[-1]} s"]
