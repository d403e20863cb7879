"""The longest way: how long a call can take, at most, until it comes to certain states.

Exact in a strongly connected component within :class:`Limits`: its counted moves are unrolled. In a larger one an upper
bound, and labelled so: where counted moves may be made K times in all, and a way without them costs at most L, a way
through the component costs at most (K + 1) · L and the counted moves.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator
from dataclasses import dataclass
from typing import TypeAlias

from ivr.proof.cycles import strong_components
from ivr.proof.graph import Choose, Edge, Graph


@dataclass(frozen=True, slots=True)
class Limits:
    """Up to which size a component is unrolled: its nodes, and its nodes times the ways to count."""

    nodes: int = 64
    unrolled: int = 20_000


LIMITS = Limits()

Weigh = Callable[[Edge], float]
_Unrolled: TypeAlias = tuple[int, tuple[int, ...]]  # a state, and how often each counted move of its component was made


@dataclass(frozen=True, slots=True)
class Longest:
    """The longest way and what it costs. Not ``exact``: no way costs more, and perhaps none as much."""

    cost: float
    way: tuple[Edge, ...]
    exact: bool


def longest_way(
    graph: Graph, weigh: Weigh, goals: Container[int], choose: Choose, roots: list[int], limits: Limits = LIMITS
) -> Longest:
    """The costliest way from ``roots`` by chosen moves to a goal or an end. Needs a graph without endless cycles."""
    return _Search(graph, weigh, goals, choose, roots, limits).longest()


class _Search:
    def __init__(
        self, graph: Graph, weigh: Weigh, goals: Container[int], choose: Choose, roots: list[int], limits: Limits
    ) -> None:
        self._graph, self._weigh, self._roots, self._limits = graph, weigh, roots, limits
        self._choose: Choose = lambda edge: edge.source not in goals and choose(edge)
        self._of: dict[int, int] = {}
        self._counted: list[list[Edge]] = []
        self._large: dict[int, float] = {}
        self._members: list[list[int]] = []
        for component in strong_components(graph, roots, self._choose):
            self._measure(component)

    def _measure(self, component: list[int]) -> None:
        inside = set(component)
        for state in component:
            self._of[state] = len(self._members)
        edges = [edge for state in component for edge in self._graph.out[state] if self._choose(edge)]
        counted = [edge for edge in edges if edge.target in inside and edge.move.limit is not None]
        number = len(self._members)
        self._members.append(component)
        # moves that stay at one node are made as often as they can be before it is left: nothing to unroll
        alone = len(component) == 1
        unrolled = len(component)
        for edge in counted:
            unrolled *= (edge.move.limit or 0) + 1
        if not alone and (len(component) > self._limits.nodes or unrolled > self._limits.unrolled):
            self._large[number] = self._at_most(component, counted)
        self._counted.append([] if alone or number in self._large else counted)

    def _at_most(self, component: list[int], counted: list[Edge]) -> float:
        inside, left = set(component), set(counted)
        longest: dict[int, float] = {}
        acyclic = strong_components(
            self._graph, component, lambda edge: self._choose(edge) and edge.target in inside and edge not in left
        )
        for (state,) in acyclic:
            ways = [
                self._weigh(edge) + longest[edge.target]
                for edge in self._graph.out[state]
                if edge.target in inside and edge not in left and self._choose(edge) and edge.target is not None
            ]
            longest[state] = max(ways, default=0.0)
        times = sum(edge.move.limit or 0 for edge in counted)
        return (times + 1) * max(longest.values()) + sum(self._weigh(e) * (e.move.limit or 0) for e in counted)

    def longest(self) -> Longest:
        best = Longest(0.0, (), exact=True)
        value: dict[_Unrolled, float] = {}
        chosen: dict[_Unrolled, tuple[Edge, _Unrolled | None] | None] = {}
        for root in self._roots:
            first = self._begin(root)
            self._settle(first, value, chosen)
            if value[first] > best.cost:
                way, exact = self._way(first, chosen)
                best = Longest(value[first], way, exact)
        return best

    def _begin(self, state: int) -> _Unrolled:
        return state, (0,) * len(self._counted[self._of[state]])

    def _settle(
        self,
        first: _Unrolled,
        value: dict[_Unrolled, float],
        chosen: dict[_Unrolled, tuple[Edge, _Unrolled | None] | None],
    ) -> None:
        """Fill in ``value`` for everything ahead of ``first``, deepest first."""
        path: list[_Unrolled] = [first]
        while path:
            here = path[-1]
            if here in value:
                path.pop()
                continue
            steps = list(self._steps(here))
            ahead = [to for _, to in steps if to is not None and to not in value]
            if ahead:
                path += ahead
                continue
            path.pop()
            costs = [self._weigh(edge) + (value[to] if to else 0.0) for edge, to in steps]
            cost = max(costs, default=0.0)
            value[here] = cost + self._stays(here[0])
            chosen[here] = steps[costs.index(cost)] if steps else None

    def _steps(self, here: _Unrolled) -> Iterator[tuple[Edge, _Unrolled | None]]:
        state, counts = here
        mine = self._of[state]
        if mine in self._large:
            yield from self._leaving(mine)
            return
        for edge in filter(self._choose, self._graph.out[state]):
            if edge.target is None:
                yield edge, None
            elif self._of[edge.target] != mine:
                yield edge, self._begin(edge.target)
            elif edge.move.limit is None:
                yield edge, (edge.target, counts)
            elif edge in self._counted[mine]:
                at = self._counted[mine].index(edge)
                if counts[at] < edge.move.limit:
                    yield edge, (edge.target, (*counts[:at], counts[at] + 1, *counts[at + 1 :]))

    def _leaving(self, component: int) -> Iterator[tuple[Edge, _Unrolled | None]]:
        for state in self._members[component]:
            for edge in filter(self._choose, self._graph.out[state]):
                if edge.target is None or self._of[edge.target] != component:
                    yield edge, None if edge.target is None else self._begin(edge.target)

    def _stays(self, state: int) -> float:
        """What a state costs before it is left: all moves that stay, or a large component's bound."""
        component = self._of[state]
        if component in self._large:
            return self._large[component]
        return sum(self._weigh(edge) * (edge.move.limit or 0) for edge in self._staying(state))

    def _staying(self, state: int) -> list[Edge]:
        if len(self._members[self._of[state]]) > 1:
            return []  # unrolled with its component
        return [edge for edge in self._graph.out[state] if edge.target == state and self._choose(edge)]

    def _way(
        self, first: _Unrolled, chosen: dict[_Unrolled, tuple[Edge, _Unrolled | None] | None]
    ) -> tuple[tuple[Edge, ...], bool]:
        way: list[Edge] = []
        here: _Unrolled | None = first
        exact = True
        while here is not None:
            exact = exact and self._of[here[0]] not in self._large
            for edge in self._staying(here[0]):
                way += [edge] * (edge.move.limit or 0)
            step = chosen[here]
            way += [step[0]] if step else []
            here = step[1] if step else None
        return tuple(way), exact
