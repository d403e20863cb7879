"""The engine's own last node: give the call to the network's fall-back. Not for authors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from ivr.actions.move import Ending, Move
from ivr.actions.node import Node, Step
from ivr.model import Answered, GoneWait, HandBack, Heard

if TYPE_CHECKING:
    from ivr.run import Run


class FallBack(Node):
    """Nobody of the default 111 service could be reached by us: the network rings it without us."""

    action: Literal["fall_back"] = "fall_back"

    def exit_names(self) -> frozenset[str]:
        return frozenset()

    def moves(self) -> tuple[Move, ...]:
        return (Move("the network rings 111", ends=Ending.FALL_BACK),)

    def enter(self, run: Run) -> Step:
        run.do(HandBack("default_service_unreachable"))
        return GoneWait(run.node)

    def resume(self, run: Run, heard: Heard | Answered) -> Step | None:
        del run, heard
        return None
