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
    """``facts``: the highest label that a fact may have anywhere; ``pc``: that of each state of the graph on nodes."""

    facts: dict[str, Label] = field(default_factory=dict)
    pc: dict[int, Label] = field(default_factory=dict)

    def of(self, names: Iterable[str]) -> Label:
        """The join of these facts' labels."""
        return max((self.facts.get(name, Label.PUBLIC) for name in names), default=Label.PUBLIC)


def discloses(move: Move) -> bool:
    """Whether the move goes through the door of a ``disclose`` node."""
    return move.door is not None and move.door != RAISE_ONLY


def decides(labels: Labels, move: Move) -> Label:
    """The label of what decides whether a move is made. What a raised band takes away is a door of the engine."""
    reads = move.reads - {BAND} if move.door == RAISE_ONLY else move.reads
    return max(move.label, labels.of(reads))


def branches_on(labels: Labels, edges: list[Edge]) -> Label:
    """The label of what decides where a call goes on from a state: PUBLIC where it goes on the same in any case."""
    ways = [edge for edge in edges if edge.target != edge.source and not discloses(edge.move)]
    if len({edge.target for edge in ways}) < 2:
        return Label.PUBLIC
    return max(decides(labels, edge.move) for edge in ways)


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
            if branch > Label.PUBLIC:
                if state not in regions:
                    regions[state] = _between(model, state, meeting[state])
                for inside in regions[state]:
                    changed |= _raise(labels.pc, inside, branch)
            for edge in model.graph.out[state]:
                changed |= _write(labels, edge)
    return labels


def _between(model: Model, state: int, end: int) -> frozenset[int]:
    """Everything that a branch decides: from its ways on until they come together."""
    first = {edge.target for edge in model.graph.out[state] if edge.target is not None and not discloses(edge.move)}
    found = model.graph.reach(
        sorted(first - {state, end}), lambda edge: edge.target != end and not discloses(edge.move)
    )
    return frozenset(found) - {end}


def _write(labels: Labels, edge: Edge) -> bool:
    move = edge.move
    above = max(labels.pc.get(edge.source, Label.PUBLIC), move.label, labels.of(move.reads))
    changed = False
    for name, how in move.writes.items():
        source = labels.facts.get(how.of, Label.PUBLIC) if isinstance(how, Copy) else Label.PUBLIC
        changed |= _raise(labels.facts, name, max(above, source))
    if move.raises is not None:
        changed |= _raise(labels.facts, BAND, above)
    return changed


def _raise(labels: dict[T, Label], key: T, to: Label) -> bool:
    if labels.get(key, Label.PUBLIC) >= to:
        return False
    labels[key] = to
    return True
