"""Wald's test keeps its error rates, whatever the old version's rate is: simulated, with seeds that stand here."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest

from callrouter.publishing.sprt import Design, Verdict, judge, paired

RUNS = 1000
MOST_PAIRS = 4000
NOISE = 0.02  # three standard errors of a share of 0.05 in a thousand runs


def verdicts(old: float, new: float, seed: int) -> list[Verdict]:
    rng = random.Random(seed)

    def pairs() -> Iterator[tuple[bool, bool]]:
        for _ in range(MOST_PAIRS):
            yield rng.random() < new, rng.random() < old

    return [judge(pairs()).verdict for _ in range(RUNS)]


def as_bad(old: float) -> float:
    """The rate whose odds stand to the old one's as the design's worse version to its good one."""
    odds = Design().worse_odds * old / (1 - old)
    return odds / (1 + odds)


@pytest.mark.parametrize("old", [0.95, 0.8])
def test_a_version_as_good_is_called_worse_in_one_of_twenty_releases_at_most(old: float) -> None:
    found = verdicts(old, old, seed=111)
    assert found.count(Verdict.WORSE) / RUNS <= Design().alpha + NOISE
    assert found.count(Verdict.GOING_ON) / RUNS < 0.01  # it comes to an end


@pytest.mark.parametrize("old", [0.95, 0.8])
def test_a_worse_version_is_called_not_worse_in_one_of_twenty_releases_at_most(old: float) -> None:
    found = verdicts(old, as_bad(old), seed=112)
    assert found.count(Verdict.NOT_WORSE) / RUNS <= Design().beta + NOISE


def test_the_design_is_what_it_says() -> None:
    assert as_bad(0.95) == pytest.approx(0.90)


def test_a_version_that_reaches_nobody_is_stopped_within_a_few_calls() -> None:
    found = judge((False, True) for _ in range(100))
    assert (found.verdict, found.pairs) == (Verdict.WORSE, 10)


def test_pairs_are_neighbours_in_time_and_each_call_is_in_one() -> None:
    new, old = True, False
    known = [(old, True), (old, False), (new, True), (new, False), (new, True), (old, True), (old, False), (old, True)]
    assert list(paired(known)) == [(True, False), (False, True), (True, False)]


def test_what_comes_after_the_verdict_changes_nothing() -> None:
    bad = [(False, True)] * 20
    assert judge(bad + [(True, False)] * 1000) == judge(bad)
