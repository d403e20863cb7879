"""Connect: put the caller through to a service now, or leave by ``failed``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Literal

from pydantic import Field, StrictBool, model_validator

from ivr.actions.move import BAND, RAISE_ONLY, Ending, Move, is_normal, is_raised
from ivr.actions.node import Step
from ivr.actions.seek import LEAST_RING_S, LONGEST_RING_S, LONGEST_SEARCH_S, Seek
from ivr.errors import Defect
from ivr.facts import Fact
from ivr.model import Band

if TYPE_CHECKING:
    from ivr.run import Run


class Connect(Seek):
    """Dial a provider of the service, the next one if it fails, and never hold.

    ``diverts`` marks a service away from 111 (dental, pharmacy): callers in a raised band leave by
    ``raised``, to a person of 111 (docs/safety/rules.md, 2).
    """

    action: Literal["connect"]
    diverts: StrictBool = False
    search_s: float = Field(default=LONGEST_RING_S, ge=LEAST_RING_S, le=LONGEST_SEARCH_S, strict=True)

    SUPPLIED = frozenset({"failed", "raised"})

    @model_validator(mode="after")
    def _never_holds(self) -> Connect:
        if self.hold_s or self.hold_prompts:
            raise ValueError("connect never holds a caller: use queue")
        return self

    def defects(self, facts: Mapping[str, Fact]) -> Iterator[Defect]:
        del facts
        if self.diverts and self.band is not Band.NORMAL:
            yield Defect(("band",), "raise_only", "who is raised is not sent away from 111: leave out band or diverts")

    def exit_names(self) -> frozenset[str]:
        return self.SUPPLIED if self.diverts else frozenset({"failed"})

    def moves(self) -> tuple[Move, ...]:
        if not self.diverts:
            return super().moves()
        reads = frozenset({BAND})
        raised = Move("the caller is raised", "raised", when=is_raised, reads=reads, door=RAISE_ONLY)
        taken = (replace(each, when=is_normal, reads=reads, door=RAISE_ONLY) for each in self._seeking(Ending.SERVICE))
        return (raised, *taken)

    def enter(self, run: Run) -> Step:
        if self.diverts and run.band is not Band.NORMAL:
            return "raised"
        return super().enter(run)
