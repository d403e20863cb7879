"""Own number: confirming, by key, the number that the caller rings from, before anything is sent or called there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ivr import pieces
from ivr.actions.node import Step
from ivr.model import LONGEST_PROMPT_S, Answered, Gather, GatherWait, LookupWait, Play

if TYPE_CHECKING:
    from ivr.run import Run

STAGE = "own_number"
NUMBER_ENDS_IN, CONFIRM = "your_number_ends_in", "confirm_number"
PROMPTS = (NUMBER_ENDS_IN, *pieces.DIGITS, CONFIRM)
"""Every prompt of the confirmation."""
HEARD = (NUMBER_ENDS_IN, *pieces.DIGITS[:4], CONFIRM)
"""What one caller hears of it."""
PATIENCE_S = 5.0


def look_up(run: Run) -> Step:
    """Ask what number the caller rings from: ``mobile``, ``other``, or ``none`` that may be used."""
    return LookupWait(run.node, "number", stage=STAGE)


def confirm(run: Run, answer: Answered) -> Step:
    """Say its last digits and wait for key 1."""
    said = (NUMBER_ENDS_IN, *pieces.of_digits(answer.digits), CONFIRM)
    run.do(Play(said, personal=True), Gather(1, False, PATIENCE_S))
    return GatherWait(run.node, LONGEST_PROMPT_S + PATIENCE_S, STAGE)
