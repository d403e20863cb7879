"""What a fault did to each caller: from the caller's own dialog and ear, and the providers' logs. Never our journal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from tests.faults.callers import Caller
from tests.faults.house import SOUNDS, House
from tests.faults.lives import MENU, VOICES, Life, Stage
from tests.faults.providers import Leg
from tests.faults.sound import Heard

LOST_AFTER_S = 30.0
STILL_S = 0.1  # five packets missing: the sound has ended
WAITING = {SOUNDS["hold_111"], SOUNDS["music"]}


@dataclass(frozen=True)
class Fate:
    """One caller's. Seconds after the fault, or after dialling if that came later; None: it did not happen.

    ``stage``: where the caller really was at the fault. ``reached``: a provider answered and was heard.
    ``taken_over``: new audio that no key of the caller's asked for. ``dead_air``: the longest silence from the fault
    on, but for that of a menu that waits for a key. ``talk_cut``: longest gap in a talk that was under way.
    ``legs``: how many were dialled in all; ``at_once``: the most that were dialled or talking at the same moment.
    """

    number: str
    drawn: Stage
    stage: Stage | Literal["over"]
    reached: float | None
    taken_over: float | None
    dead_air: float
    talk_cut: float
    dropped: bool
    legs: int
    at_once: int

    @property
    def lost(self) -> bool:
        """No person or service within half a minute, or thrown out before."""
        return self.reached is None or self.reached > LOST_AFTER_S


def stage_of(caller: Caller, legs: Sequence[Leg], at: float) -> Stage | Literal["over"]:
    """Where a caller was at that instant."""
    if caller.ended_at is not None and caller.ended_at <= at:
        return "over"
    if caller.answered_at is None or caller.answered_at > at:
        return "ringing"
    there = [leg for leg in legs if leg.invited_at <= at and (leg.ended_at is None or leg.ended_at > at)]
    if there:
        return (
            "talking" if any(leg.answered_at is not None and leg.answered_at <= at for leg in there) else "connecting"
        )
    before = [each for each in caller.heard() if each.at <= at]
    if before and before[-1].sound in WAITING:
        return "waiting"
    if any(when <= at for when, _ in caller.pressed):
        return "lookup"
    return "prompt" if before and at - before[-1].at < STILL_S else "gather"


def judge(it: House, caller: Caller, life: Life, fault_at: float) -> Fate:
    """What became of one caller."""
    legs = [leg for leg in it.legs if leg.number == caller.number]
    stage = stage_of(caller, legs, fault_at)
    since = max(fault_at, caller.invited_at)
    heard = caller.heard()
    voice = next((each.at for each in heard if each.sound in VOICES), None)
    answered = min((leg.answered_at for leg in legs if leg.answered_at is not None), default=None)
    reached = None if voice is None or answered is None else max(0.0, voice - since)
    first = _unasked(caller, heard, fault_at, stage)
    return Fate(
        number=caller.number,
        drawn=life.stage,
        stage=stage,
        reached=reached,
        taken_over=None if first is None else first - fault_at,
        dead_air=_dead_air(caller, heard, fault_at, stage, voice, touched=first is not None),
        talk_cut=_gap([each.at for each in heard if fault_at - 1 <= each.at <= fault_at + 5.0])
        if stage == "talking"
        else 0.0,
        dropped=caller.dropped,
        legs=len(legs),
        at_once=max((sum(_overlap(one, other) for other in legs) for one in legs), default=0),
    )


def _overlap(one: Leg, other: Leg) -> bool:
    """Whether both were there when ``one`` began."""
    return other.invited_at <= one.invited_at and (other.ended_at is None or other.ended_at > one.invited_at)


def _unasked(caller: Caller, heard: Sequence[Heard], fault_at: float, stage: str) -> float | None:
    """When, after the fault, something began again that the caller had not asked for: a prompt from its start."""
    if stage not in ("prompt", "gather", "lookup", "waiting"):
        return None
    asked = min((when for when, _ in caller.pressed if when > fault_at), default=float("inf"))
    last = None
    for each in heard:
        if each.at > asked:
            return None
        began = last is None or each.sound != last.sound or each.frame < last.frame
        if each.at > fault_at and began and each.sound in MENU | {SOUNDS["hold_111"]} and _again(stage, last, each):
            return each.at
        last = each
    return None


def _again(stage: str, last: Heard | None, now: Heard) -> bool:
    """Not merely the next prompt of the same list."""
    if stage == "prompt" and last is not None and last.sound != now.sound:
        return now.sound == SOUNDS["sorry_missed_that"] or last.sound == SOUNDS["long_menu"]
    return True


def _dead_air(
    caller: Caller, heard: Sequence[Heard], fault_at: float, stage: str, voice: float | None, *, touched: bool
) -> float:
    """The longest silence between the fault and the first word of a person."""
    if caller.answered_at is None:
        return 0.0
    begin = max(fault_at, caller.answered_at)
    end = voice if voice is not None else (caller.ended_at or begin)
    if stage == "gather" and not touched:  # it is the caller's turn: silence counts from their key on
        begin = min((when for when, _ in caller.pressed if when > fault_at), default=begin)
    times = [each.at for each in heard if begin <= each.at <= end]
    return _gap([begin, *times, max(begin, end)])


def _gap(times: Sequence[float]) -> float:
    return max((b - a for a, b in pairwise(times)), default=0.0)
