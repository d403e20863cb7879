"""Set: give declared facts a constant value, or raise the caller's band."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from ivr.actions.move import Move
from ivr.actions.node import Node, Step
from ivr.model import Band, FactValue

if TYPE_CHECKING:
    from ivr.run import Run


class Set(Node):
    """Assign ``facts``; ``band`` can only raise."""

    action: Literal["set"]
    facts: dict[str, FactValue] = Field(default_factory=dict)
    band: Band | None = None

    def moves(self) -> tuple[Move, ...]:
        return (Move("set", "next", writes=self.facts, raises=self.band),)

    def enter(self, run: Run) -> Step:
        run.facts.update(self.facts)
        if self.band is not None:
            run.raise_to(self.band)
        return "next"
