"""The engine's own node behind every flow: a person of 111. Not for authors."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ivr.actions.lookup import REPEAT_CALLER
from ivr.actions.queue import Queue

if TYPE_CHECKING:
    from ivr.run import Run

CLINICIAN = "clinician"


class Default111(Queue):
    """A repeat caller, certain or possible, is offered to a clinician, too, whoever is free first (rules.md, 4)."""

    def sought(self, run: Run) -> tuple[str, ...]:
        return (CLINICIAN, *self.services) if REPEAT_CALLER in run.counts else self.services
