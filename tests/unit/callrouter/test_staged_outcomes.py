"""The laws of a staged release, for any course of a call and any pairs: its outcome, the stop at once, Wald's test."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import timedelta
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from callrouter.events import END_CLASSES
from callrouter.publishing.outcome import CHOICES, ERRORS, SLACK_S, Course
from callrouter.publishing.sprt import Design, Verdict, judge
from tests.hand_clock import HandClock

Told = tuple[float, str, str]  # seconds since the call was offered, kind, end class

OTHER = ("node_entered", "prompts_played", "leg_failed", "looked_up")
MOMENTS = st.sampled_from([0.0, 0.1, 1.0, 5.0, 9.9, 10.0, 10.1, 15.0, 30.0, 119.9, 120.0, 120.1, 125.0, 130.0, 300.0])
KINDS = st.sampled_from(sorted({*CHOICES, *ERRORS, "leg_answered", *OTHER}))
ENDS = st.none() | st.tuples(MOMENTS, st.sampled_from(END_CLASSES))
LATER = 1000.0


@st.composite
def courses(draw: st.DrawFn) -> list[Told]:
    """Events of one call in their order, and its end if it has one."""
    told = [(at, kind, "") for at, kind in draw(st.lists(st.tuples(MOMENTS, KINDS), max_size=8))]
    told.sort(key=lambda each: each[0])
    if (end := draw(ENDS)) is not None:
        told.append((max([end[0], *(at for at, _, _ in told)]), "ended", end[1]))
    return told


def played(told: Sequence[Told], *, twice: bool = False) -> tuple[Course, HandClock]:
    """The course after all of it, and a clock at the call's beginning."""
    clock, course = HandClock(), Course(is_new=True)
    for at, kind, end in told:
        for _ in range(2 if twice else 1):
            course.hear(kind, clock.now() + timedelta(seconds=at), {"end_class": end} if end else {})
    return course, clock


def first(told: Sequence[Told], kinds: frozenset[str]) -> float:
    return next((at for at, kind, _ in told if kind in kinds), math.inf)


def place(told: Sequence[Told], kinds: frozenset[str]) -> float:
    return next((n for n, (_, kind, _) in enumerate(told) if kind in kinds), math.inf)


ANSWER, END, RED_FLAG = frozenset({"leg_answered"}), frozenset({"ended"}), frozenset({"red_flag_heard"})


@given(courses())
def test_yes_is_who_was_answered_without_error_within_120_seconds_of_the_earliest_choice(told: list[Told]) -> None:
    course, clock = played(told)
    clock.move(LATER)
    answered, chose = first(told, ANSWER), first(told, CHOICES)
    in_time = answered < math.inf and (chose == math.inf or answered - chose <= 120 + 1e-6)
    without_error = not place(told, ERRORS) < place(told, ANSWER)
    known = course.outcome(clock.now())
    if without_error and chose == answered == math.inf and place(told, END) == math.inf:
        assert known is None  # nothing has happened yet
    else:
        assert known is (in_time and without_error)


@given(courses(), st.sampled_from(END_CLASSES), st.sampled_from(END_CLASSES))
def test_how_a_call_is_classed_when_it_ends_makes_no_yes(told: list[Told], one: str, other: str) -> None:
    ended = [[*(each for each in told if each[1] != "ended"), (LATER, "ended", end)] for end in (one, other)]
    found = []
    for each in ended:
        course, clock = played(each)
        clock.move(LATER)
        found.append(course.outcome(clock.now()))
    assert found[0] is found[1]
    assert found[0] is not None  # one outcome for each call that is over


@given(courses(), st.lists(MOMENTS, min_size=2, max_size=2))
def test_an_outcome_that_is_known_stays_as_the_clock_goes_on(told: list[Told], waits: list[float]) -> None:
    course, clock = played(told)
    clock.move(max([0.0, *(at for at, _, _ in told)]))
    known = None
    for wait in waits:
        clock.move(wait)
        now = course.outcome(clock.now())
        assert known is None or now is known
        known = now


@given(courses())
def test_the_same_event_again_changes_nothing(told: list[Told]) -> None:
    once, clock = played(told)
    again, _ = played(told, twice=True)
    clock.move(LATER)
    assert again == once
    assert again.outcome(clock.now()) is once.outcome(clock.now())


@given(courses(), MOMENTS)
def test_one_lost_call_or_one_red_flag_not_connected_in_ten_seconds_is_a_danger(told: list[Told], after: float) -> None:
    course, clock = played(told)
    clock.move(max([0.0, *(at for at, _, _ in told)]) + after)
    elapsed = (clock.now() - HandClock().now()).total_seconds()
    flagged, answered = first(told, RED_FLAG), first(told, ANSWER)
    lost = any(end == "dropped_by_us" for _, _, end in told)
    connected = answered - flagged <= 10 + 1e-6 if answered < math.inf else False
    over_or_late = place(told, END) < math.inf or elapsed > flagged + 10 + SLACK_S + 1e-6
    unconnected = flagged < math.inf and not connected and (answered < math.inf or over_or_late)
    assert bool(course.danger(clock.now())) is (lost or unconnected)


PAIRS = st.lists(st.tuples(st.booleans(), st.booleans()), max_size=80)


@given(PAIRS)
def test_the_verdict_is_walds_by_exact_likelihoods(pairs: list[tuple[bool, bool]]) -> None:
    """A = (1 - beta) / alpha, B = beta / (1 - alpha) (Wald 1947, 3.4); the odds are 9/19 : 1 of p1 = 0.9, p0 = 0.95."""
    of_new = Fraction(9, 19) / (1 + Fraction(9, 19))
    ratio, expected = Fraction(1), Verdict.GOING_ON
    for new, old in pairs:
        if new is not old and expected is Verdict.GOING_ON:
            ratio *= 2 * (of_new if new else 1 - of_new)
            expected = (
                Verdict.WORSE if ratio >= 19 else Verdict.NOT_WORSE if ratio <= Fraction(1, 19) else Verdict.GOING_ON
            )
    assert judge(pairs).verdict is expected


def test_alpha_and_beta_hold_exactly_whatever_the_old_rate() -> None:
    """The chance of each verdict, summed over every order of 400 differing pairs: no simulation."""
    for chance_new_better, wrong, bound in (
        (0.5, Verdict.WORSE, Design().alpha),
        (9 / 28, Verdict.NOT_WORSE, Design().beta),
    ):
        assert _chances(chance_new_better)[wrong] <= bound
        assert _chances(chance_new_better)[Verdict.GOING_ON] < 1e-3


def _chances(of_new: float) -> dict[Verdict, float]:
    found = dict.fromkeys(Verdict, 0.0)
    going = {(0, 0): 1.0}  # (new better, old better): a verdict depends on these two counts alone
    for _ in range(400):
        after: dict[tuple[int, int], float] = {}
        for (new, old), chance in going.items():
            for place, part in (((new + 1, old), of_new), ((new, old + 1), 1 - of_new)):
                after[place] = after.get(place, 0.0) + chance * part
        going = {}
        for place, chance in after.items():
            verdict = _verdict(*place)
            if verdict is Verdict.GOING_ON:
                going[place] = chance
            else:
                found[verdict] += chance
    found[Verdict.GOING_ON] = sum(going.values())
    return found


def _verdict(new_better: int, old_better: int) -> Verdict:
    ratio = Fraction(18, 28) ** new_better * Fraction(38, 28) ** old_better
    return Verdict.WORSE if ratio >= 19 else Verdict.NOT_WORSE if ratio <= Fraction(1, 19) else Verdict.GOING_ON
