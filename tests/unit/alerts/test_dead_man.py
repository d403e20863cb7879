"""The dead-man's switch on a hand clock."""

from __future__ import annotations

from alerts.dead_man import AGAIN_S, DeadMansSwitch
from tests.hand_clock import HandClock


def words(switch: DeadMansSwitch, clock: HandClock, seconds: int) -> list[tuple[int, str]]:
    """What it says in the next ``seconds``, and when."""
    said: list[tuple[int, str]] = []
    for at in range(seconds):
        if (word := switch.word()) is not None:
            said.append((at, word))
        clock.move(1)
    return said


def test_it_fires_once_then_every_quarter_of_an_hour_and_says_once_that_it_is_over() -> None:
    clock = HandClock()
    switch = DeadMansSwitch(clock, 150)
    assert words(switch, clock, 150 + 2 * int(AGAIN_S) + 1) == [(150, "fired"), (1050, "again"), (1950, "again")]
    switch.heard(0)
    assert words(switch, clock, 100) == [(0, "back")]
    assert words(switch, clock, 100) == [(50, "fired")]


def test_signs_of_life_keep_it_quiet() -> None:
    clock = HandClock()
    switch = DeadMansSwitch(clock, 150)
    for _ in range(10):
        switch.heard(5)
        assert words(switch, clock, 140) == []


def test_a_sign_that_comes_late_is_as_old_as_it_is_and_takes_nothing_back() -> None:
    clock = HandClock()
    switch = DeadMansSwitch(clock, 150)
    clock.move(100)
    switch.heard(10)
    switch.heard(90)
    assert switch.silent_s == 10
    assert words(switch, clock, 200) == [(140, "fired")]


def test_a_sign_from_the_future_counts_as_one_of_now() -> None:
    clock = HandClock()
    switch = DeadMansSwitch(clock, 150)
    switch.heard(-3600)
    assert switch.silent_s == 0


def test_a_clock_set_anew_neither_fires_it_nor_keeps_it_quiet() -> None:
    clock = HandClock()
    switch = DeadMansSwitch(clock, 150)
    clock.jump(7200)
    assert switch.word() is None
    clock.jump(-14_400)
    assert words(switch, clock, 160) == [(150, "fired")]
