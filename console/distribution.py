"""How long callers of a window waited, in classes: those whom an agent answered, and those whom none did."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from alerts.figures.items import Kpis
from alerts.figures.small_numbers import HELD_BACK, SMALL, shown

BOUNDS = (10, 20, 30, 60, 120, 300, 600)
WIDTH = 100.0


@dataclass(frozen=True, slots=True)
class Band:
    """One class of waits, counts as text; the widths are of 100, which is the fullest class of both."""

    words: str
    answered: str
    not_answered: str
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
    texts = [(f"{here:,}", f"{rest:,}") for here, rest in counts]
    if kpis.held is not None:
        texts = _without_small(counts, kpis.held)
    if not any(text not in (SMALL, HELD_BACK) for pair in texts for text in pair):
        return ()
    most = max(max(pair) for pair in counts)

    def width(count: int, text: str) -> float:
        return 0.0 if text in (SMALL, HELD_BACK) else round(WIDTH * count / most, 1)

    return tuple(
        Band(words, *pair, width(here, pair[0]), width(rest, pair[1]))
        for words, (here, rest), pair in zip(_words(), counts, texts, strict=True)
    )


_IN_TIME = range(BOUNDS.index(60) + 1)
_LATE = range(BOUNDS.index(60) + 1, len(BOUNDS) + 1)
_ANSWERED = ("A03", ((_IN_TIME, "B01"), (_LATE, "B01")))
_ABANDONED = ("B02", ((range(3), "B03"), (range(3, 4), "B04"), (_LATE, "B05")))
"""Which classes together are an item (the first class of waits is up to 10 s, the fourth up to 60 s)."""


def _without_small(counts: Sequence[tuple[int, int]], held: Mapping[str, str]) -> list[tuple[str, str]]:
    """No small number of a class, nor what would follow with the items beside; no class of an item held back."""
    columns = []
    for column, (whole, groups) in enumerate((_ANSWERED, _ABANDONED)):
        texts: dict[str, str] = {}
        for places, item in groups:
            found = {str(n): counts[n][column] for n in places}
            also = found if whole in held or item in held else ()
            texts |= shown(found, also, exact=True)
        columns.append([texts[str(n)] for n in range(len(counts))])
    return list(zip(*columns, strict=True))


def _words() -> list[str]:
    between = [f"over {low} to {high} s" for low, high in pairwise(BOUNDS)]
    return [f"up to {BOUNDS[0]} s", *between, f"over {BOUNDS[-1]} s"]
