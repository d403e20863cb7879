"""When an alert begins and ends: ok → pending → firing → resolved."""

from __future__ import annotations

import itertools
from datetime import timedelta

import pytest
from alert_calls import NOON
from alert_rule import RULE
from hypothesis import given
from hypothesis import strategies as st

from alerts.life.transitions import advance
from alerts.model import AlertState


def lived(*seen: tuple[float, float]) -> list[str]:
    """The phase after each (second, value)."""
    story: list[str] = []
    state = AlertState(rule=RULE.name)
    for second, value in seen:
        state = advance(RULE, state, value, NOON + timedelta(seconds=second))
        story.append(state.phase)
    return story


@pytest.mark.parametrize(
    ("situation", "seen", "story"),
    [
        ("calm", [(0, 179.9)], "ok"),
        ("at the threshold", [(0, 180)], "pending"),
        ("long enough", [(0, 180), (29.9, 200), (30, 210)], "pending pending firing"),
        ("flapping", [(0, 180), (29, 179), (30, 180), (59, 180)], "pending ok pending pending"),
        ("between the bounds", [(0, 180), (30, 180), (40, 120), (50, 180)], "pending firing firing firing"),
        ("cleared", [(0, 180), (30, 180), (40, 119.9), (41, 0)], "pending firing resolved resolved"),
        ("again", [(0, 180), (30, 180), (40, 0), (50, 200), (80, 200)], "pending firing resolved pending firing"),
        ("a clock set back", [(0, 180), (-3600, 180), (-3570, 180), (30, 180)], "pending pending pending firing"),
    ],
)
def test_life(situation: str, seen: list[tuple[float, float]], story: str) -> None:
    assert lived(*seen) == story.split()


@given(st.lists(st.tuples(st.floats(0, 60), st.sampled_from([0.0, 119.0, 120.0, 179.0, 180.0, 900.0]))))
def test_it_fires_and_resolves_in_turns_whatever_happens(steps: list[tuple[float, float]]) -> None:
    second, seen = 0.0, []
    for passed, value in steps:
        second += passed
        seen.append((second, value))
    turns = [phase for phase, _ in itertools.groupby(lived(*seen)) if phase in ("firing", "resolved")]
    assert turns == (["firing", "resolved"] * len(turns))[: len(turns)]
