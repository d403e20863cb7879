"""Claim, lease and fence, explored: within the faults given no order of events breaks a law of laws.py.

Every interleaving of one caller, two workers, the dialplan and the real store inside the process: nothing is sampled.
What it takes is told at the end of the run (`-rP`).
"""

from __future__ import annotations

import time

import pytest

from tests.protocol.explore import Explored, explore
from tests.protocol.moves import Rules
from tests.protocol.state import State, started
from tests.protocol.stores import RealStore

pytestmark = pytest.mark.alone


def told(start: State) -> Explored:
    began, store = time.monotonic(), RealStore()
    found = explore(start, Rules(store))
    took = time.monotonic() - began
    print(f"{found.states} states, {found.moves} moves, {found.depth} deep, {len(store.answers)} commits, {took:.0f} s")
    return found


def test_without_a_fault_nothing_goes_wrong_however_things_cross() -> None:
    found = told(started(2, faults=0, patient=False))

    assert found.broken is None, found.way
    assert found.whole
    assert found.states > 1_000  # the model moves at all


def test_one_fault_at_any_moment_breaks_no_law() -> None:
    found = told(started(2, faults=1))

    assert found.broken is None, found.way
    assert found.whole
    assert found.states > 100_000


@pytest.mark.faults
@pytest.mark.timeout(900)
def test_one_fault_and_a_caller_who_may_hang_up_at_any_moment() -> None:
    found = told(started(2, faults=1, patient=False))

    assert found.broken is None, found.way
    assert found.whole


@pytest.mark.faults
@pytest.mark.timeout(1800)
def test_two_faults_at_any_two_moments_break_no_law() -> None:
    found = told(started(2, faults=2))

    assert found.broken is None, found.way
    assert found.whole
    assert found.states > 1_000_000
