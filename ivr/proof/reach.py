"""Reach: every node can be come to, and every wait has the escape key and silence."""

from __future__ import annotations

from collections.abc import Iterator

from ivr.actions.move import Cause
from ivr.actions.node import PERSON
from ivr.errors import Defect
from ivr.proof.model import Model


def every_node_is_reached(model: Model) -> Iterator[Defect]:
    """A node that no call can come to was forgotten, or its way was."""
    reached = {model.name(state) for state in model.found}
    for name in sorted(model.flow.nodes.keys() - reached):
        yield Defect(("nodes", name), "unreachable", "no path from the start leads here")


def every_wait_has_a_way_out(model: Model) -> Iterator[Defect]:
    """Wherever a caller may do something, key 0 leads to a person, and doing nothing leads on.

    Where somebody is sought, what leads on is the search: its time is bounded.
    """
    told: set[str] = set()
    for state in model.found:
        name = model.name(state)
        moves = [edge.move for edge in model.graph.out[state]]
        causes = {move.cause for move in moves}
        if name in told or not causes - {Cause.WORLD}:
            continue
        if not any(move.exit == PERSON and move.cause is Cause.KEY for move in moves):
            told.add(name)
            yield Defect(("nodes", name), "no_escape", "no key 0 leads from here to a person")
        elif Cause.SILENCE not in causes and not model.endings(state):
            told.add(name)
            yield Defect(("nodes", name), "no_escape", "a caller who does nothing waits here for ever")
