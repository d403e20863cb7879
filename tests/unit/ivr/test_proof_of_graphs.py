"""Laws of the proof's graph algorithms, against trying every way of a small graph."""

from __future__ import annotations

from collections.abc import Iterator

from hypothesis import assume, given
from hypothesis import strategies as st

from ivr.actions.move import Ending, Move
from ivr.proof import cost
from ivr.proof.cost import longest_way
from ivr.proof.cycles import endless_cycle, strong_components
from ivr.proof.dominators import END, immediate_post_dominators
from ivr.proof.graph import Edge, Graph

STATES = 5
MOST_MOVES = 9
FEW_MOVES = 7
"""So few that the search for the longest way is exact, whatever they are: more may be too many ways to count, and then
it gives a bound, and says so."""
moves = st.builds(Move, st.just("moves"), seconds=st.integers(0, 9).map(float), limit=st.sampled_from((None, 1, 2)))
places = st.integers(0, STATES - 1)


@st.composite
def graphs(draw: st.DrawFn, most: int = MOST_MOVES) -> Graph:
    graph = Graph(roots=[0])
    for name in range(STATES):
        graph.add(str(name), {})
    for source, target, move in draw(st.lists(st.tuples(places, places, moves), max_size=most)):
        graph.out[source].append(Edge(source, target, move))
    return graph


def every_way(graph: Graph, state: int, made: tuple[Edge, ...] = ()) -> Iterator[tuple[Edge, ...]]:
    """Every way from a state, each counted move at most as often as it may be made."""
    yield made
    for edge in graph.out[state]:
        if (edge.move.limit is None or made.count(edge) < edge.move.limit) and edge.target is not None:
            yield from every_way(graph, edge.target, (*made, edge))


def seconds(edge: Edge) -> float:
    return edge.move.seconds


def always(_edge: Edge) -> bool:
    return True


def has_endless_cycle(graph: Graph) -> bool:
    """Whether a state that can be reached reaches itself again by moves that nobody counts."""

    def uncounted(edge: Edge) -> bool:
        return edge.move.limit is None

    for state in graph.reach([0]):
        after = [e.target for e in graph.out[state] if e.target is not None and uncounted(e)]
        if state in graph.reach(after, uncounted):
            return True
    return False


@given(graphs())
def test_endless_cycle_is_found_where_there_is_one(graph: Graph) -> None:
    cycle = endless_cycle(graph)

    assert (cycle is not None) == has_endless_cycle(graph)
    if cycle:
        assert all(one.target == other.source for one, other in zip(cycle, (*cycle[1:], cycle[0]), strict=True))
        assert all(edge.move.limit is None for edge in cycle)


def test_few_moves_are_few_enough_to_be_counted_out() -> None:
    assert cost.LIMITS.unrolled >= STATES * 3**FEW_MOVES, "each of them made never, once or twice"


@given(graphs(FEW_MOVES))
def test_longest_way_costs_what_the_costliest_of_all_ways_costs(graph: Graph) -> None:
    assume(not has_endless_cycle(graph))
    longest = longest_way(graph, seconds, (), always, [0])

    assert longest.exact
    assert longest.cost == max(sum(map(seconds, way)) for way in every_way(graph, 0))
    assert longest.cost == sum(map(seconds, longest.way))


@given(graphs(FEW_MOVES), st.sets(places))
def test_longest_way_ends_at_the_first_goal(graph: Graph, goals: set[int]) -> None:
    assume(not has_endless_cycle(graph))
    for state in goals:
        graph.out[state].clear()
    expected = max(sum(map(seconds, way)) for way in every_way(graph, 0))

    assert longest_way(graph, seconds, goals, always, [0]).cost == expected


@given(graphs())
def test_bound_of_a_large_component_is_never_too_low(graph: Graph) -> None:
    assume(not has_endless_cycle(graph))
    exact = longest_way(graph, seconds, (), always, [0])
    limits = cost.Limits(nodes=1, unrolled=0)
    bound = longest_way(graph, seconds, (), always, [0], limits)

    assert bound.cost >= exact.cost
    assert bound.exact is False or bound.cost == exact.cost


@given(graphs())
def test_components_come_after_those_that_they_lead_to(graph: Graph) -> None:
    components = strong_components(graph, range(STATES))
    place = {state: number for number, component in enumerate(components) for state in component}

    assert sorted(place) == list(range(STATES))
    for edge in graph.edges():
        assert edge.target is not None
        assert place[edge.target] <= place[edge.source]
        together = edge.source in graph.reach([edge.target])
        assert (place[edge.target] == place[edge.source]) == together


@given(graphs())
def test_every_way_to_an_end_passes_the_post_dominator(graph: Graph) -> None:
    for state in range(STATES):  # calls may end anywhere, else most of these graphs would have no end
        if not any(edge.target != state for edge in graph.out[state]):
            graph.out[state].append(Edge(state, None, Move("ends", ends=Ending.PERSON)))
    ending = {state for state in range(STATES) if any(edge.target is None for edge in graph.out[state])}
    assume(all(ending & set(graph.reach([state])) for state in graph.reach([0])))
    meeting = immediate_post_dominators(graph)

    assert set(meeting) == set(graph.reach([0]))
    for state, meets in meeting.items():
        around = graph.reach([state], lambda edge, meets=meets: edge.target != meets)
        if meets != END:
            assert not ending & set(around), "a way to an end that does not pass it"
        nearer = [each for each in around if each != state and not ending & set(_without(graph, state, each))]
        assert nearer == [], "another state is passed by every way, too, and earlier"


def _without(graph: Graph, state: int, other: int) -> dict[int, Edge | None]:
    return graph.reach([state], lambda edge: edge.target != other)
