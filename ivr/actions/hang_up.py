"""Hang up: end the call because the caller chose so by key, asked twice."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from ivr.actions.move import Ending, Move
from ivr.actions.node import Node, Step
from ivr.model import Answered, End, GoneWait, Heard, Play

if TYPE_CHECKING:
    from ivr.run import Run


class HangUp(Node):
    """The only way by which a flow ends a call; the check guards every edge that leads here."""

    action: Literal["hang_up"]
    prompts: tuple[str, ...] = ()

    def exit_names(self) -> frozenset[str]:
        return frozenset()

    def prompt_keys(self) -> tuple[str, ...]:
        return self.prompts

    def moves(self) -> tuple[Move, ...]:
        return (Move("we hang up", heard=self.prompts, ends=Ending.HUNG_UP),)

    def enter(self, run: Run) -> Step:
        if self.prompts:
            run.do(Play(self.prompts, barge_in=False))
        run.do(End("caller_chose"))
        return GoneWait(run.node)

    def resume(self, run: Run, heard: Heard | Answered) -> Step | None:
        del run, heard
        return None
