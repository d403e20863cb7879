"""What the rules look at: the flow, its graph, how long prompts are, and which moves which caller may meet."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from itertools import groupby
from typing import TypeAlias

from ivr.actions.move import Cause, Ending
from ivr.errors import Defect
from ivr.flow import Flow
from ivr.proof.graph import Edge, Graph
from ivr.proof.lengths import Lengths

DOES_NOTHING = frozenset({Cause.WORLD, Cause.SILENCE})
"""What meets a caller who says and presses nothing."""

CHOOSES_NOTHING = DOES_NOTHING | {Cause.NO_MATCH}
"""What meets a caller who never chooses: silent, or not understood."""

OFFERED = frozenset({Ending.PERSON, Ending.FALL_BACK})
"""A node with such an end offers its callers to a person."""


@dataclass
class Model:
    """One graph of a flow."""

    flow: Flow
    graph: Graph
    lengths: Lengths = field(default_factory=Lengths)
    _said: dict[tuple[str, ...], float] = field(default_factory=dict)

    @cached_property
    def found(self) -> dict[int, Edge | None]:
        """Every state that a call can come to, with the last move of a shortest way there."""
        return self.graph.reach(self.graph.roots)

    @cached_property
    def offering(self) -> frozenset[int]:
        """Every state where a caller is offered to a person."""
        return frozenset(state for state in self.found if OFFERED & self.endings(state))

    def name(self, state: int) -> str:
        """The node of a state."""
        return self.graph.names[state]

    def endings(self, state: int) -> frozenset[Ending]:
        """How calls may end in a state."""
        return frozenset(edge.move.ends for edge in self.graph.out[state] if edge.move.ends)

    def listens(self, state: int) -> bool:
        """Whether the caller can do something here."""
        return any(edge.move.cause is not Cause.WORLD for edge in self.graph.out[state])

    def seconds(self, edge: Edge) -> float:
        """The longest time that a move takes, with what is heard."""
        heard = edge.move.heard
        if (said := self._said.get(heard)) is None:
            said = self._said[heard] = self.lengths.of(heard)
        return edge.move.seconds + said

    def way_to(self, state: int) -> tuple[Edge, ...]:
        """A shortest way from the beginning of a call."""
        return self.graph.way(self.found, state)

    def tell(self, way: tuple[Edge, ...], end: int | None = None) -> str:
        """A way in words: its nodes, with the environment's move where there was more than one."""
        steps: list[str] = []
        for edge in way:
            only = len(self.graph.out[edge.source]) == 1
            steps.append(self.name(edge.source) + ("" if only else f" ({edge.move.what})"))
        first = way[0].source if way else end
        if steps and first in self.graph.roots[1:]:
            steps[0] = f"(cut off, rings back) {steps[0]}"
        last = end if end is not None else way[-1].target if way else None
        steps += [self.name(last)] if last is not None else []
        return " → ".join(_times(step, len(list(same))) for step, same in groupby(steps))


def _times(step: str, count: int) -> str:
    return step if count == 1 else f"{count} × {step}"


def meets(causes: frozenset[Cause]) -> Callable[[Edge], bool]:
    """Chooses the moves of these causes, for callers who did nothing else before."""
    return lambda edge: edge.move.cause in causes and not edge.move.given


Rule: TypeAlias = Callable[[Model], Iterator[Defect]]
"""One thing that must hold; yields where it does not, with the shortest way there."""
