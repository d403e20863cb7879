"""Set: give declared facts a constant value, raise the caller's band, or ask for an interpreter."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from ivr.actions.move import Move
from ivr.actions.node import PERSON, Node, Step
from ivr.model import Band, FactValue, Needs

if TYPE_CHECKING:
    from ivr.run import Run


class Set(Node):
    """Assign ``facts``; ``band`` can only raise.

    ``interpreter`` (a language) tells the person who answers that one is needed. The caller goes straight to a
    person, raised, whatever exits the author gives (docs/safety/rules.md, 2).
    """

    action: Literal["set"]
    facts: dict[str, FactValue] = Field(default_factory=dict)
    band: Band | None = None
    interpreter: str | None = Field(default=None, pattern=r"^[a-z]{2,3}$")

    def exit_names(self) -> frozenset[str]:
        return frozenset() if self.interpreter else frozenset({"next"})

    def moves(self) -> tuple[Move, ...]:
        if self.interpreter:
            return (Move("an interpreter is asked for", PERSON, writes=self.facts, raises=Band.RAISED),)
        return (Move("set", "next", writes=self.facts, raises=self.band),)

    def enter(self, run: Run) -> Step:
        run.facts.update(self.facts)
        if self.band is not None:
            run.raise_to(self.band)
        if self.interpreter:
            run.raise_to(Band.RAISED)
            run.tell(Needs(run.node, "interpreter", self.interpreter))
            return PERSON
        return "next"
