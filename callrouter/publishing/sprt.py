"""New against old: Wald's sequential probability ratio test for two success rates.

A. Wald, *Sequential Analysis* (1947), 6.3, "double dichotomies": each new call is paired with an old one; only pairs
whose outcomes differ count. Given that they differ, the new one is the better with probability u / (1 + u), where u is
the odds ratio of success, whatever the old rate is. So the error rates hold without knowing it.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum


class Verdict(StrEnum):
    """What the calls say so far."""

    GOING_ON = "going_on"
    NOT_WORSE = "not_worse"
    WORSE = "worse"


@dataclass(frozen=True, slots=True)
class Design:
    """What is told apart: a version as good as the old one, with ``p0`` of calls that succeed, and one with ``p1``.

    H0: u = 1. H1: u = the odds of p1 over those of p0. ``alpha``: how often one that is as good is called worse, at
    most; ``beta``: how often one as bad as p1 is called not worse. Proposals, for clinical safety to sign (unverified).
    """

    p0: float = 0.95
    p1: float = 0.90
    alpha: float = 0.05
    beta: float = 0.05

    @property
    def worse_odds(self) -> float:
        """u under H1."""
        return self.p1 * (1 - self.p0) / (self.p0 * (1 - self.p1))


@dataclass(frozen=True, slots=True)
class Standing:
    """Pairs that differ, and what follows. ``pairs`` counts the others, too."""

    pairs: int
    new_better: int
    old_better: int
    verdict: Verdict


def paired(outcomes: Iterable[tuple[bool, bool]]) -> Iterator[tuple[bool, bool]]:
    """(new, old) outcomes of neighbours in time, from (is new, succeeded) in the order in which they were known.

    Of the old version the latest call is taken, of the new one the oldest that waits: a pair meets about the same hour.
    """
    old: bool | None = None
    new: deque[bool] = deque()
    for is_new, good in outcomes:
        if is_new and old is None:
            new.append(good)
        elif is_new:
            assert old is not None
            yield good, old
            old = None
        elif new:
            yield new.popleft(), good
        else:
            old = good


def judge(pairs: Iterable[tuple[bool, bool]], design: Design | None = None) -> Standing:
    """The verdict at the first pair that brings one about; what comes later changes nothing."""
    design = design or Design()
    of_new = design.worse_odds / (1 + design.worse_odds)
    for_new, for_old = math.log(of_new / 0.5), math.log((1 - of_new) / 0.5)
    worse = math.log((1 - design.beta) / design.alpha)
    not_worse = math.log(design.beta / (1 - design.alpha))
    count = new_better = old_better = 0
    for new, old in pairs:
        count += 1
        new_better += new and not old
        old_better += old and not new
        ratio = new_better * for_new + old_better * for_old
        if ratio >= worse:
            return Standing(count, new_better, old_better, Verdict.WORSE)
        if ratio <= not_worse:
            return Standing(count, new_better, old_better, Verdict.NOT_WORSE)
    return Standing(count, new_better, old_better, Verdict.GOING_ON)
