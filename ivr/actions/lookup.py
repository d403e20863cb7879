"""Look-up: ask the door about the world (a plan, an earlier call) and keep the outcome as a fact."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from ivr.actions.move import Label, Move
from ivr.actions.node import Node, Step
from ivr.errors import SessionError
from ivr.model import LOOKUP_S, Answered, Band, Heard, LookupWait

if TYPE_CHECKING:
    from ivr.run import Run

OUTCOMES: dict[str, tuple[str, ...]] = {
    "plan": ("none", "candidates", "asserted", "confirmed", "unavailable"),
    "repeat": ("RC", "PRC", "NRC", "IIQ", "ER"),
}
"""What each look-up can answer; ``unavailable`` and ``ER`` also when it was late or failed."""

LABELS: dict[str, Label] = {"plan": Label.PLAN, "repeat": Label.PLAN}
"""How secret each answer is."""


class Lookup(Node):
    """Ask ``what`` and put the outcome into the fact ``into``.

    An answer that raises (a crisis or end-of-life plan, a repeat caller) lifts the caller's band here, in the
    engine, so that no author can forget it (docs/safety/rules.md, 2).
    """

    action: Literal["lookup"]
    what: Literal["plan", "repeat"]
    into: str

    def moves(self) -> tuple[Move, ...]:
        says = f"the {self.what} look-up says"
        return tuple(
            Move(
                f"{says} {outcome}{' and raises' if raises else ''}",
                "next",
                seconds=LOOKUP_S,
                writes={self.into: outcome},
                raises=raises,
                label=LABELS[self.what],
            )
            for outcome in OUTCOMES[self.what]
            for raises in (None, Band.RAISED)
        )

    def enter(self, run: Run) -> Step:
        return LookupWait(run.node, self.what)

    def resume(self, run: Run, heard: Heard | Answered) -> Step | None:
        if not isinstance(heard, Answered):
            return None
        if heard.outcome not in OUTCOMES[self.what]:
            raise SessionError("unknown_outcome", run.node)
        run.facts[self.into] = heard.outcome
        if heard.raises:
            run.raise_to(Band.RAISED)
        return "next"
