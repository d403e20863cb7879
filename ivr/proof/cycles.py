"""Strongly connected components, and cycles that no counter ends."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ivr.proof.graph import Choose, Edge, Graph


def strong_components(graph: Graph, roots: Iterable[int], choose: Choose = lambda _edge: True) -> list[list[int]]:
    """Tarjan's algorithm without recursion: what ``roots`` lead to, each component after those that it leads to."""
    index: dict[int, int] = {}
    low: dict[int, int] = {}
    stack: list[int] = []
    waiting: set[int] = set()
    found: list[list[int]] = []
    for root in roots:
        if root in index:
            continue
        path: list[tuple[int, Iterator[int]]] = []
        _enter(graph, root, choose, index, low, stack, waiting, path)
        while path:
            state, ahead = path[-1]
            target = next(ahead, None)
            if target is not None:
                if target not in index:
                    _enter(graph, target, choose, index, low, stack, waiting, path)
                elif target in waiting:
                    low[state] = min(low[state], index[target])
                continue
            path.pop()
            if path:
                low[path[-1][0]] = min(low[path[-1][0]], low[state])
            if low[state] == index[state]:
                found.append(_take(state, stack, waiting))
    return found


def _enter(
    graph: Graph,
    state: int,
    choose: Choose,
    index: dict[int, int],
    low: dict[int, int],
    stack: list[int],
    waiting: set[int],
    path: list[tuple[int, Iterator[int]]],
) -> None:
    index[state] = low[state] = len(index)
    stack.append(state)
    waiting.add(state)
    targets = (edge.target for edge in graph.out[state] if edge.target is not None and choose(edge))
    path.append((state, targets))


def _take(state: int, stack: list[int], waiting: set[int]) -> list[int]:
    component: list[int] = []
    while not component or component[-1] != state:
        component.append(stack.pop())
        waiting.discard(component[-1])
    return component


def endless_cycle(graph: Graph) -> tuple[Edge, ...] | None:
    """A cycle without a counted move: callers could go round for ever. None: every call comes to an end.

    A counted move happens at most so often in one call and is never reset, so every endless walk has a last one;
    after it the walk stays in one strongly connected component of what is left, which therefore has a cycle.
    """
    reached = graph.reach(graph.roots)

    def uncounted(edge: Edge) -> bool:
        return edge.move.limit is None

    for component in strong_components(graph, reached, uncounted):
        inside = set(component)
        for state in component:
            for edge in graph.out[state]:
                if edge.target in inside and uncounted(edge):
                    return (edge, *_back(graph, edge, inside))
    return None


def _back(graph: Graph, edge: Edge, inside: set[int]) -> tuple[Edge, ...]:
    """The shortest way from the end of ``edge`` back to its beginning."""
    assert edge.target is not None  # chosen so
    within = graph.reach([edge.target], lambda each: each.target in inside and each.move.limit is None)
    return graph.way(within, edge.source)
