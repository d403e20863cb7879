"""The breaker against a table of moments, and its law: while open, one question in every pause."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.breaker import Breaker

PAUSE_S = 5.0
TRIPS = 3


class World:
    """A breaker, seconds that the test moves, and what it told of itself."""

    def __init__(self) -> None:
        self.now = 100.0
        self.told: list[bool] = []
        self.breaker = Breaker(lambda: self.now, trips=TRIPS, pause_s=PAUSE_S, on_change=self.told.append)

    def do(self, step: str) -> None:
        """``+n`` lets n seconds pass, ``f`` and ``s`` are a question that failed or succeeded, ``n`` one whose
        asker left; ``-`` is a question that was not allowed."""
        if step.startswith("+"):
            self.now += float(step)
            return
        assert self.breaker.allows() == (step != "-")
        if step == "f":
            self.breaker.failed()
        elif step == "s":
            self.breaker.succeeded()


@pytest.mark.parametrize(
    ("steps", "state", "told"),
    [
        ("", "closed", []),
        ("f f", "closed", []),
        ("f f s f f", "closed", []),
        ("f f n f", "open", [True]),
        ("f f f", "open", [True]),
        ("f f f - - +4.9 -", "open", [True]),
        ("f f f +5 s", "closed", [True, False]),
        ("f f f +5 s f f s", "closed", [True, False]),
        ("f f f +5 f - +4.9 - +0.2 f -", "open", [True]),
        ("f f f +5 f +5 f +5 s s", "closed", [True, False]),
        ("f f f +5 n - +4.9 - +0.2 s s", "closed", [True, False]),
        ("f f f +5 n", "probing", [True]),
    ],
)
def test_it_opens_after_failures_in_a_row_and_closes_after_a_probe(steps: str, state: str, told: list[bool]) -> None:
    world = World()
    for step in steps.split():
        world.do(step)
    assert (world.breaker.state, world.told) == (state, told)


def test_late_answers_to_questions_from_before_neither_close_it_nor_put_off_the_probe() -> None:
    world = World()
    assert [world.breaker.allows() for _ in range(6)] == [True] * 6
    for _ in range(4):
        world.breaker.failed()
    world.breaker.succeeded()
    assert (world.breaker.state, world.told) == ("open", [True])
    world.now += 3
    world.breaker.failed()
    world.now += 2
    assert world.breaker.allows()


@given(st.lists(st.tuples(st.floats(0, 12), st.sampled_from(["failed", "succeeded", "nothing"]))))
def test_while_not_closed_at_most_one_question_in_a_pause(steps: list[tuple[float, str]]) -> None:
    world = World()
    asked_since_open: list[float] = []
    failures = 0
    for seconds, outcome in steps:
        world.now += seconds
        was_closed = world.breaker.state == "closed"
        if not world.breaker.allows():
            assert not was_closed, "a closed breaker refuses nobody"
            continue
        if not was_closed:
            assert not asked_since_open or world.now - asked_since_open[-1] >= PAUSE_S
            asked_since_open.append(world.now)
        failures = failures + 1 if outcome == "failed" else 0 if outcome == "succeeded" else failures
        if outcome != "nothing":
            getattr(world.breaker, outcome)()
        if world.breaker.state == "closed":
            asked_since_open.clear()
            assert failures < TRIPS
    assert world.told == [n % 2 == 0 for n in range(len(world.told))], "opened and closed by turns"
