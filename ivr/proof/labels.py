"""Labels: how much each fact, and each place in a flow, says about whom.

PUBLIC < CALLER < PLAN. What is written takes the label of what it is worked out from, and of the place where that
happens (pc): behind a branch on a label everything says as much as the branch did, until all its ways come together
again, at its immediate post-dominator. A ``disclose`` node is a door: what comes behind it may be known.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TypeVar

from ivr.actions.move import BAND, RAISE_ONLY, Copy, Label, Move
from ivr.proof.dominators import immediate_post_dominators
from ivr.proof.graph import Edge
from ivr.proof.model import Model

T = TypeVar("T")


@dataclass(slots=True)
class Labels:
    """``facts``: the label of each fact, and the band, where a call enters a state; ``pc``: of the state itself.

    PUBLIC and CALLER are told apart where they are read, not in ``pc``: a place that a caller chose says nothing of a
    plan.
    """

    facts: dict[int, dict[str, Label]] = field(default_factory=dict)
    pc: dict[int, Label] = field(default_factory=dict)

    def of(self, state: int, names: Iterable[str]) -> Label:
        """The join of these facts' labels in a state."""
        known = self.facts.get(state, {})
        return max((known.get(name, Label.PUBLIC) for name in names), default=Label.PUBLIC)


def discloses(move: Move) -> bool:
    """Whether the move goes through the door of a ``disclose`` node."""
    return move.door is not None and move.door != RAISE_ONLY


def decides(labels: Labels, edge: Edge) -> Label:
    """The label of what decides whether a move is made. What a raised band takes away is a door of the engine."""
    move = edge.move
    reads = move.reads - {BAND} if move.door == RAISE_ONLY else move.reads
    return max(move.label, labels.of(edge.source, reads))


def branches_on(labels: Labels, edges: list[Edge]) -> Label:
    """The label of what decides where a call goes on from a state: PUBLIC where it goes on the same in any case."""
    ways = [edge for edge in edges if edge.target != edge.source and not discloses(edge.move)]
    if len({edge.target for edge in ways}) < 2:
        return Label.PUBLIC
    return max(decides(labels, edge) for edge in ways)


def written(labels: Labels, edge: Edge) -> dict[str, Label]:
    """The label of everything that a move writes."""
    move = edge.move
    above = max(labels.pc.get(edge.source, Label.PUBLIC), move.label, labels.of(edge.source, move.reads))
    found = {
        name: max(above, labels.of(edge.source, [how.of])) if isinstance(how, Copy) else above
        for name, how in move.writes.items()
    }
    if move.raises is not None:
        found[BAND] = max(above, labels.of(edge.source, [BAND]))
    return found


def label(model: Model) -> Labels:
    """The least labels that are right for every call."""
    meeting = immediate_post_dominators(model.graph)
    regions: dict[int, frozenset[int]] = {}
    labels = Labels()
    changed = True
    while changed:
        changed = False
        for state in model.found:
            branch = branches_on(labels, model.graph.out[state])
            if branch is Label.PLAN:
                if state not in regions:
                    regions[state] = _between(model, state, meeting[state])
                for inside in regions[state]:
                    changed |= _raise(labels.pc, inside, branch)
            for edge in model.graph.out[state]:
                changed |= _hand_on(labels, edge)
    return labels


def _between(model: Model, state: int, end: int) -> frozenset[int]:
    """Everything that a branch decides: from its ways on until they come together."""
    first = {edge.target for edge in model.graph.out[state] if edge.target is not None and not discloses(edge.move)}
    found = model.graph.reach(
        sorted(first - {state, end}), lambda edge: edge.target != end and not discloses(edge.move)
    )
    return frozenset(found) - {end}


def _hand_on(labels: Labels, edge: Edge) -> bool:
    """What is known of facts behind a move, joined with what other moves bring there."""
    if edge.target is None:
        return False
    after = {**labels.facts.get(edge.source, {}), **written(labels, edge)}
    there = labels.facts.setdefault(edge.target, {})
    return sum(_raise(there, name, to) for name, to in after.items()) > 0


def _raise(labels: dict[T, Label], key: T, to: Label) -> bool:
    if labels.get(key, Label.PUBLIC) >= to:
        return False
    labels[key] = to
    return True
