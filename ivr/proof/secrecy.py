"""Information flow: what a caller hears never depends on a plan, until a ``disclose`` node says that it may.

Two calls with the same number dialled, the same services, and the same caller doing the same, that differ only in plans
and earlier calls, hear the same up to the first ``disclose`` (or to where a raised band takes a message or a service
away). So behind a branch on PLAN every way must be heard alike.

No instruction of the language carries the value of a fact, but the read-back of what was just given in the same call.
What can depend on a fact is which instruction comes: that is what is looked at here.
"""

from __future__ import annotations

from collections.abc import Iterator

from ivr.actions.move import Cause, Door, Label, Move
from ivr.errors import Defect
from ivr.proof.cycles import strong_components
from ivr.proof.graph import Edge
from ivr.proof.labels import Labels, branches_on, discloses, label, written
from ivr.proof.model import Model
from ivr.run import LANGUAGE, SHORT_MENUS, SLOW

AUDIBLE = frozenset({LANGUAGE, SLOW, SHORT_MENUS})
"""Facts that the engine itself looks at, whenever it says something."""

BEHIND_A_DOOR = 0
"""The class of what is heard behind a ``disclose`` node: it may be anything."""


def nothing_heard_depends_on_a_plan(model: Model) -> Iterator[Defect]:
    """Neither what is said nor how, but behind a ``disclose`` node."""
    labels = label(model)
    yield from _what_depends_on_a_plan(model, labels)
    yield from _how_depends_on_a_plan(model, labels)


def _what_depends_on_a_plan(model: Model, labels: Labels) -> Iterator[Defect]:
    """Where a branch on PLAN has ways that are not heard alike, and do not lead through a ``disclose`` node."""
    heard = what_is_heard(model)
    for state in model.found:
        edges = [edge for edge in model.graph.out[state] if edge.target is not None]
        if branches_on(labels, edges) < Label.PLAN:
            continue
        ways: dict[int, Edge] = {}
        for edge in edges:
            sound = BEHIND_A_DOOR if discloses(edge.move) else heard[_target(edge)]
            if sound != BEHIND_A_DOOR:
                ways.setdefault(sound, edge)
        if len(ways) > 1:
            yield _defect(model, labels, state, *list(ways.values())[:2])


def _how_depends_on_a_plan(model: Model, labels: Labels) -> Iterator[Defect]:
    """Where the facts that change how everything is said come from a record, not from the caller."""
    for state in model.found:
        for edge in model.graph.out[state]:
            for name, of in written(labels, edge).items():
                if name in AUDIBLE and of is Label.PLAN:
                    text = f"{name} changes what is heard, and a plan or earlier calls decide it here"
                    yield Defect(("nodes", model.name(state)), "discloses", text)


def _defect(model: Model, labels: Labels, state: int, one: Edge, other: Edge) -> Defect:
    reads = sorted(name for name in one.move.reads | other.move.reads if labels.of(state, [name]) is Label.PLAN)
    about = " and ".join(reads) or "the answer"
    ways = " and ".join(f"{edge.move.what} → {model.name(_target(edge))}" for edge in (one, other))
    text = f"what is heard depends on {about}, which a plan or earlier calls decide: {ways} are not heard alike"
    way = model.tell(model.way_to(state), state)
    return Defect(("nodes", model.name(state)), "discloses", f"{text}; shortest way: {way}")


def _target(edge: Edge) -> int:
    assert edge.target is not None  # callers leave out the moves that end a call
    return edge.target


def doors(model: Model) -> list[tuple[str, Door]]:
    """Every node where what is heard may depend on a plan, with the reason."""
    found = {}
    for state in model.found:
        for edge in model.graph.out[state]:
            if edge.move.door is not None:
                found[model.name(state), edge.move.door.kind] = edge.move.door
    return [(name, door) for (name, _), door in found.items()]


def what_is_heard(model: Model) -> dict[int, int]:
    """Classes of states: two of one class are heard alike to the end, whatever the caller and services do.

    Worked out from the ends of calls backwards. What lies in a loop is alike to nothing but itself.
    """
    classes: dict[object, int] = {"behind a door": BEHIND_A_DOOR}
    heard: dict[int, int] = {}
    for component in strong_components(model.graph, model.graph.roots):
        for state in component:
            key = ("only", state) if len(component) > 1 else _sound(model, state, heard)
            heard[state] = key if isinstance(key, int) else classes.setdefault(key, len(classes))
    return heard


def _sound(model: Model, state: int, heard: dict[int, int]) -> object:
    edges = [edge for edge in model.graph.out[state] if not discloses(edge.move)]
    if not edges:
        return BEHIND_A_DOOR
    if any(is_audible(edge.move) for edge in edges):
        return frozenset((_audible(edge.move), _after(edge, heard)) for edge in edges)
    after = {heard[edge.target] for edge in edges if edge.target is not None and edge.target != state}
    silent = after - {BEHIND_A_DOOR} or after
    return silent.pop() if len(silent) == 1 else ("only", state)


def _after(edge: Edge, heard: dict[int, int]) -> object:
    if edge.target is None:
        return edge.move.ends
    return "stays" if edge.target == edge.source else heard[edge.target]


def is_audible(move: Move) -> bool:
    """Whether a caller can tell that a call is at a node with this move: they hear it, may act, or are put through."""
    return bool(move.heard or move.ends or move.cause is not Cause.WORLD)


def _audible(move: Move) -> object:
    """All that a caller can tell of a move. Which service is looked for, and in which band, they cannot."""
    act = move.what if move.cause is not Cause.WORLD else ""
    return move.cause, act, move.heard, move.seconds, move.queued, move.limit
