"""The life of an alert: ok → pending → firing → resolved, and one notice at each turn that matters."""

from __future__ import annotations

from datetime import timedelta

import pytest
from alert_calls import NOON
from alert_rule import RULE
from hypothesis import given
from hypothesis import strategies as st

from alerts.life import advance
from alerts.model import AlertState


def lived(*seen: tuple[float, float]) -> list[tuple[str, str | None]]:
    """Phase and notice after each (second, value)."""
    story: list[tuple[str, str | None]] = []
    state = AlertState(rule=RULE.name)
    for second, value in seen:
        state, notice = advance(RULE, state, value, NOON + timedelta(seconds=second))
        story.append((state.phase, notice))
    return story


@pytest.mark.parametrize(
    ("situation", "seen", "story"),
    [
        ("calm", [(0, 179.9)], [("ok", None)]),
        ("at the threshold", [(0, 180)], [("pending", None)]),
        ("long enough", [(0, 180), (29.9, 200), (30, 210)],
         [("pending", None), ("pending", None), ("firing", "fired")]),
        ("flapping", [(0, 180), (29, 179), (30, 180), (59, 180)],
         [("pending", None), ("ok", None), ("pending", None), ("pending", None)]),
        ("between the bounds", [(0, 180), (30, 180), (40, 120), (50, 180)],
         [("pending", None), ("firing", "fired"), ("firing", None), ("firing", None)]),
        ("cleared", [(0, 180), (30, 180), (40, 119.9), (41, 0)],
         [("pending", None), ("firing", "fired"), ("resolved", "cleared"), ("resolved", None)]),
        ("again", [(0, 180), (30, 180), (40, 0), (50, 200), (80, 200)],
         [("pending", None), ("firing", "fired"), ("resolved", "cleared"), ("pending", None),
          ("firing", "fired")]),
    ],
)  # fmt: skip
def test_life(situation: str, seen: list[tuple[float, float]], story: list[tuple[str, str | None]]) -> None:
    assert lived(*seen) == story


@given(st.lists(st.tuples(st.floats(0, 60), st.sampled_from([0.0, 119.0, 120.0, 179.0, 180.0, 900.0]))))
def test_fired_and_cleared_take_turns_whatever_happens(steps: list[tuple[float, float]]) -> None:
    second, seen = 0.0, []
    for passed, value in steps:
        second += passed
        seen.append((second, value))
    notices = [notice for _, notice in lived(*seen) if notice]
    assert notices == (["fired", "cleared"] * len(notices))[: len(notices)]
