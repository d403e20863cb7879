"""Play: a recorded sound by its key, such as music. It has no words, so no language."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import StrictBool

from ivr.actions.move import Move
from ivr.actions.node import Node, Step
from ivr.model import Play as PlayPrompts

if TYPE_CHECKING:
    from ivr.run import Run


class Play(Node):
    """Play ``sound`` and go on. Its key stands among the prompts with an empty text: it is recorded, never spoken."""

    action: Literal["play"]
    sound: str
    barge_in: StrictBool = True

    def prompt_keys(self) -> tuple[str, ...]:
        return (self.sound,)

    def moves(self) -> tuple[Move, ...]:
        return (Move("played", "next", heard=(self.sound,)),)

    def enter(self, run: Run) -> Step:
        run.do(PlayPrompts((self.sound,), self.barge_in))
        return "next"
