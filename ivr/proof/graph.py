"""The graph of a flow: its states, and the moves between them that the environment can make.

First a state is a node alone: that graph has every way that a call can take, and some that it cannot. With the
finite facts that guard a way (and the band) a state is a node with their values: the same ways, fewer impossible ones.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import product

from ivr.actions.move import BAND, Any, Copy, Move, Written
from ivr.flow import ENGINE_NODES, Flow
from ivr.model import Band, FactValue

MOST_STATES = 200_000
"""Nodes with facts, above which a flow is refused by name: nobody could read it either."""

Valuation = tuple[FactValue, ...]
Choose = Callable[["Edge"], bool]
"""Which moves count: all, or those that a certain caller may meet."""


class TooManyStates(Exception):
    """The flow has more states than the cap."""


@dataclass(frozen=True, slots=True, eq=False)
class Edge:
    """One move from state to state; ``target`` is None where the call ends. Two moves are never the same."""

    source: int
    target: int | None
    move: Move


@dataclass(slots=True)
class Graph:
    """States by number, with the moves out of each. ``roots``: where calls begin or are taken up again."""

    names: list[str] = field(default_factory=list)
    out: list[list[Edge]] = field(default_factory=list)
    roots: list[int] = field(default_factory=list)
    facts: list[Mapping[str, FactValue]] = field(default_factory=list)

    def add(self, name: str, facts: Mapping[str, FactValue]) -> int:
        """A new state; its number."""
        self.names.append(name)
        self.out.append([])
        self.facts.append(facts)
        return len(self.names) - 1

    def edges(self) -> Iterator[Edge]:
        """Every move."""
        return (edge for edges in self.out for edge in edges)

    def entering(self) -> list[list[Edge]]:
        """For each state the moves that lead into it from another state."""
        entering: list[list[Edge]] = [[] for _ in self.names]
        for edge in self.edges():
            if edge.target is not None and edge.target != edge.source:
                entering[edge.target].append(edge)
        return entering

    def reach(self, roots: Iterable[int], choose: Choose = lambda _edge: True) -> dict[int, Edge | None]:
        """Every state that can be reached, with the last move of a shortest way there."""
        found: dict[int, Edge | None] = dict.fromkeys(roots)
        ahead = deque(found)
        while ahead:
            for edge in self.out[ahead.popleft()]:
                if edge.target is not None and edge.target not in found and choose(edge):
                    found[edge.target] = edge
                    ahead.append(edge.target)
        return found

    def way(self, found: Mapping[int, Edge | None], state: int) -> tuple[Edge, ...]:
        """The shortest way to ``state`` that :meth:`reach` found."""
        way: list[Edge] = []
        while (edge := found[state]) is not None:
            way.append(edge)
            state = edge.source
        return tuple(reversed(way))


def graph_of_nodes(flow: Flow) -> Graph:
    """The graph on nodes alone: sound, since no guard is looked at. Holds the engine's own nodes, too."""
    graph = Graph()
    numbers = {name: graph.add(name, {}) for name in dict.fromkeys((*flow.nodes, *ENGINE_NODES))}
    graph.roots.append(numbers[flow.start])
    for name, number in numbers.items():
        for move in _moves(flow, name):
            graph.out[number].append(Edge(number, _target(flow, name, number, move, numbers), move))
    return graph


def _target(flow: Flow, name: str, number: int, move: Move, numbers: Mapping[str, int]) -> int | None:
    if move.ends is not None:
        return None
    return number if move.exit is None else numbers[flow.target(name, move.exit)]


def _moves(flow: Flow, name: str) -> tuple[Move, ...]:
    node = flow.node(name)
    return node.moves() if node else ()


def graph_with_facts(flow: Flow, most: int = MOST_STATES) -> Graph:
    """The graph of nodes with the values of the facts that guard a way; raises :class:`TooManyStates`.

    A caller whom we cut off and who rings back goes on at the same node in a raised band: every state has its raised
    twin among the roots.
    """
    return _Builder(flow, most).graph


class _Builder:
    def __init__(self, flow: Flow, most: int) -> None:
        self._flow, self._most = flow, most
        self._moves = {name: _moves(flow, name) for name in (*flow.nodes, *ENGINE_NODES)}
        self._names = _that_matter(flow, self._moves)
        self._numbers: dict[tuple[str, Valuation], int] = {}
        self._ahead: deque[tuple[str, int]] = deque()
        self.graph = Graph()
        first = {**flow.first_facts(), BAND: Band.NORMAL}
        self.graph.roots.append(self._number(flow.start, tuple(first.get(name) for name in self._names)))
        while self._ahead:
            self._expand(*self._ahead.popleft())

    def _number(self, name: str, values: Valuation) -> int:
        known = self._numbers.get((name, values))
        if known is None:
            if len(self._numbers) >= self._most:
                raise TooManyStates
            known = self.graph.add(name, dict(zip(self._names, values, strict=True)))
            self._numbers[name, values] = known
            self._ahead.append((name, known))
        return known

    def _expand(self, name: str, number: int) -> None:
        facts = self.graph.facts[number]
        for move in self._moves[name]:
            if move.when is None or move.when(facts):
                for after in self._written(move, facts):
                    self._add(name, number, move, after)
        if facts.get(BAND) == Band.NORMAL:
            raised = {**facts, BAND: Band.RAISED}
            self.graph.roots.append(self._number(name, tuple(raised[each] for each in self._names)))

    def _add(self, name: str, number: int, move: Move, after: Mapping[str, FactValue]) -> None:
        target = None
        if move.ends is None:
            to = name if move.exit is None else self._flow.target(name, move.exit)
            target = self._number(to, tuple(after[each] for each in self._names))
        self.graph.out[number].append(Edge(number, target, move))

    def _written(self, move: Move, facts: Mapping[str, FactValue]) -> Iterator[Mapping[str, FactValue]]:
        written = {name: self._values(name, how, facts) for name, how in move.writes.items() if name in facts}
        if move.raises is not None and BAND in facts:
            written[BAND] = (min(Band(str(facts[BAND])), move.raises, key=lambda band: band.rank),)
        if not written:
            yield facts
            return
        for values in product(*written.values()):
            yield {**facts, **dict(zip(written, values, strict=True))}

    def _values(self, name: str, how: Written, facts: Mapping[str, FactValue]) -> tuple[FactValue, ...]:
        match how:
            case Copy(of=other) if other in facts:
                return (facts[other],)
            case Any() | Copy():
                return self._flow.facts[name].domain()
            case _:
                return (how,)


def _that_matter(flow: Flow, moves: Mapping[str, tuple[Move, ...]]) -> tuple[str, ...]:
    """The finite facts that a guard looks at, those copied into them, and the band."""
    every = [move for each in moves.values() for move in each]
    matter = {name for move in every if move.when for name in move.reads}
    grew = True
    while grew:
        copied = {how.of for each in every for how in _written_to(each, matter) if isinstance(how, Copy)}
        grew = not copied <= matter
        matter |= copied
    finite = {name for name, fact in flow.facts.items() if not fact.is_opaque}
    return tuple(sorted(matter & (finite | {BAND})))


def _written_to(move: Move, names: Container[str]) -> Iterator[Written]:
    return (how for name, how in move.writes.items() if name in names)
