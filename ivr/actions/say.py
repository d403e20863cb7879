"""Say: play prompts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field, StrictBool

from ivr.actions.move import Move
from ivr.actions.node import Node, Step
from ivr.model import Play

if TYPE_CHECKING:
    from ivr.run import Run


class Say(Node):
    """Play ``prompts`` and go on. A message that tells callers where else to go is an ``offer``."""

    action: Literal["say"]
    prompts: tuple[str, ...] = Field(min_length=1)
    barge_in: StrictBool = True

    def prompt_keys(self) -> tuple[str, ...]:
        return self.prompts

    def moves(self) -> tuple[Move, ...]:
        return (Move("said", "next", heard=self.prompts),)

    def enter(self, run: Run) -> Step:
        run.do(Play(self.prompts, self.barge_in))
        return "next"
