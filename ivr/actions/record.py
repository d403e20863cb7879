"""Record: have the talk that follows recorded. The caller was told at the start of the call."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from ivr.actions.move import Move
from ivr.actions.node import Node, Step

if TYPE_CHECKING:
    from ivr.run import Run


class Record(Node):
    """From here on a talk is recorded, by whoever dials it; nothing that is said to the flow is."""

    action: Literal["record"]

    def moves(self) -> tuple[Move, ...]:
        return (Move("noted", "next"),)

    def enter(self, run: Run) -> Step:
        run.record = True
        return "next"
