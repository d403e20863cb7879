"""Immediate post-dominators: where every way that leaves a state comes together again.

The algorithm of Cooper, Harvey and Kennedy ("A Simple, Fast Dominance Algorithm", 2001), on the graph turned round,
from one end that stands behind every end of a call.
"""

from __future__ import annotations

from ivr.proof.graph import Graph

END = -1
"""Behind every end of a call. It post-dominates every state."""


def immediate_post_dominators(graph: Graph) -> dict[int, int]:
    """For every state that can be reached: the first state that every way from it must pass, or :data:`END`."""
    reached = graph.reach(graph.roots)
    ahead = {state: _targets(graph, state) for state in reached}
    order = _from_the_end(ahead)
    place = {state: number for number, state in enumerate(order)}
    found: dict[int, int] = {END: END}
    changed = True
    while changed:
        changed = False
        for state in order[1:]:
            known = [target for target in ahead[state] if target in found]
            meeting = known[0]
            for target in known[1:]:
                meeting = _meet(meeting, target, found, place)
            if found.get(state) != meeting:
                found[state] = meeting
                changed = True
    return {state: found.get(state, END) for state in reached}


def _targets(graph: Graph, state: int) -> list[int]:
    targets = {END if edge.target is None else edge.target for edge in graph.out[state]} - {state}
    return sorted(targets)


def _from_the_end(ahead: dict[int, list[int]]) -> list[int]:
    """Reverse postorder of the graph turned round: each state after one that it leads to."""
    behind: dict[int, list[int]] = {END: []}
    for state, targets in ahead.items():
        for target in targets:
            behind.setdefault(target, []).append(state)
    seen, order = {END}, list[int]()
    path = [(END, iter(behind[END]))]
    while path:
        state, rest = path[-1]
        follower = next((each for each in rest if each not in seen), None)
        if follower is None:
            order.append(state)
            path.pop()
        else:
            seen.add(follower)
            path.append((follower, iter(behind.get(follower, []))))
    return order[::-1]


def _meet(one: int, other: int, found: dict[int, int], place: dict[int, int]) -> int:
    while one != other:
        while place[one] > place[other]:
            one = found[one]
        while place[other] > place[one]:
            other = found[other]
    return one
