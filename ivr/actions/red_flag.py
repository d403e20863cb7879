"""The engine's own node behind every red flag: one short sentence, then the highest band. Not for authors."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Literal

from ivr.actions.move import Ending, Move
from ivr.actions.node import Step
from ivr.actions.seek import Seek
from ivr.model import DEFAULT_SERVICE, Band, Play

if TYPE_CHECKING:
    from ivr.run import Run

SUICIDAL = "suicidal"
"""Category of the lexicon whose callers go to the mental-health line first, with 111 behind."""


class RedFlag(Seek):
    """Whoever is free first of the right people; what fails goes on to the default 111 service."""

    action: Literal["red_flag"] = "red_flag"
    services: tuple[str, ...] = ("clinician", DEFAULT_SERVICE)

    def prompt_keys(self) -> tuple[str, ...]:
        return ("red_flag_connecting",)

    def moves(self) -> tuple[Move, ...]:
        return tuple(replace(each, raises=Band.EMERGENCY) for each in self._seeking(Ending.PERSON, self.prompt_keys()))

    def enter(self, run: Run) -> Step:
        run.raise_to(Band.EMERGENCY)
        run.do(Play(self.prompt_keys(), barge_in=False))
        return self._ask_dispatch(run)

    def sought(self, run: Run) -> tuple[str, ...]:
        first = "mental_health" if run.facts.get("red_flag") == SUICIDAL else "clinician"
        return (first, DEFAULT_SERVICE)
