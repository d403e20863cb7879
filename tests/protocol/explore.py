"""Every state that can be reached, breadth first: the first broken law is found by one of the shortest ways to it."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from tests.protocol.laws import broken_law
from tests.protocol.moves import Rules, moves
from tests.protocol.state import State


@dataclass(frozen=True)
class Explored:
    """``depth``: moves on the longest of the shortest ways. ``whole``: nothing was left out.

    ``broken`` and ``way``: the law that broke and the moves that led there.
    """

    states: int
    moves: int
    depth: int
    whole: bool
    broken: str | None = None
    way: tuple[str, ...] = ()


def explore(start: State, rules: Rules, most_moves_deep: int | None = None) -> Explored:
    """All states from ``start`` on, or those within so many moves; ends at the first broken law."""
    start = start.alike()
    came: dict[State, tuple[State, str] | None] = {start: None}
    waiting: deque[tuple[State, int]] = deque([(start, 0)])
    made = depth = 0
    while waiting:
        state, depth = waiting.popleft()
        if depth == most_moves_deep:
            return Explored(len(came), made, depth, whole=False)
        for name, raw in moves(state, rules):
            made += 1
            after = raw.alike()
            if after in came:
                continue
            if (broken := broken_law(state, after)) is not None:
                return Explored(len(came), made, depth + 1, False, broken, (*_way(came, state), name))
            came[after] = (state, name)
            waiting.append((after, depth + 1))
    return Explored(len(came), made, depth, whole=True)


def _way(came: dict[State, tuple[State, str] | None], state: State) -> tuple[str, ...]:
    names: list[str] = []
    while (step := came[state]) is not None:
        state, name = step
        names.append(name)
    return tuple(reversed(names))
