"""Ends well: every call ends with a person, a service that was chosen, or an end that was chosen twice by key."""

from __future__ import annotations

from collections.abc import Iterator

from ivr.actions.move import RAISE_ONLY, Cause, Ending
from ivr.errors import Defect
from ivr.proof.cycles import endless_cycle
from ivr.proof.graph import Edge
from ivr.proof.model import CHOOSES_NOTHING, Model, meets

RAISED = "raised"
"""The exit by which a node that would divert them lets callers in a raised band go."""

_NOT_A_PERSON = frozenset({Ending.SERVICE, Ending.HUNG_UP})


def terminates(model: Model) -> Iterator[Defect]:
    """No way goes round for ever: deleting counted moves leaves no cycle. The engine's visit limit is no end."""
    cycle = endless_cycle(model.graph)
    if cycle:
        first = min(cycle, key=lambda edge: len(model.way_to(edge.source))).source
        at = next(number for number, edge in enumerate(cycle) if edge.source == first)
        text = f"callers can go round for ever: {model.tell((*cycle[at:], *cycle[:at]))}"
        yield Defect(("nodes", model.name(first)), "loop", text)


def hangs_up_on_choice(model: Model) -> Iterator[Defect]:
    """We end a call only for a caller who chose so by key, asked twice (safety rule 2)."""
    entering = model.graph.entering()
    told: set[str] = set()
    for state in model.found:
        name = model.name(state)
        if Ending.HUNG_UP not in model.endings(state) or name in told:
            continue
        if (way := _unearned(model, state, entering)) is not None:
            told.add(name)
            text = "a caller may only be hung up on after choosing it by key, asked twice"
            yield Defect(("nodes", name), "ends_without_a_person", f"{text}: {model.tell(way, state)}")


def _unearned(model: Model, state: int, entering: list[list[Edge]]) -> tuple[Edge, ...] | None:
    """A way to the end whose last two moves are not both choices by key; None if there is none."""
    begins = model.graph.roots[0]
    if state == begins:
        return ()
    for last in (edge for edge in entering[state] if edge.source in model.found):
        before = [edge for edge in entering[last.source] if edge.source in model.found]
        if not last.move.chooses or last.source == begins:
            return (*model.way_to(last.source), last)
        for edge in before:
            if not edge.move.chooses:
                return (*model.way_to(edge.source), edge, last)
    return None


def who_does_nothing_comes_to_a_person(model: Model) -> Iterator[Defect]:
    """From the beginning and from every wait: who says and presses nothing that we understand comes to a person.

    Never to another service, never to the end (safety rule 2: silence after a message goes to 111).
    """
    waits = [edge for state in model.found for edge in model.graph.out[state]]
    missed = {edge.target for edge in waits if edge.move.cause in CHOOSES_NOTHING - {Cause.WORLD}}
    sources = {*model.graph.roots, *(state for state in missed if state is not None)}
    told: set[str] = set()
    for state in model.graph.reach(sources, meets(CHOOSES_NOTHING)):
        name = model.name(state)
        if model.endings(state) & _NOT_A_PERSON and name not in told:
            told.add(name)
            text = "a caller who says and presses nothing that we understand comes here, not to a person"
            yield Defect(("nodes", name), "silence", f"{text}: {_silent_way(model, sources, state)}")


def _silent_way(model: Model, sources: set[int], state: int) -> str:
    silent = model.graph.way(model.graph.reach(sources, meets(CHOOSES_NOTHING)), state)
    source = silent[0].source if silent else state
    if source in model.graph.roots:
        return model.tell(silent, state)
    missed = (edge for each in model.found for edge in model.graph.out[each] if edge.target == source)
    last = next(edge for edge in missed if edge.move.cause in CHOOSES_NOTHING - {Cause.WORLD})
    return model.tell((*model.way_to(last.source), last, *silent), state)


def who_is_sent_back_comes_to_a_person(model: Model) -> Iterator[Defect]:
    """Whom a service cannot take, and who is raised, meets no menu and no message on the way to a person (rule 2)."""
    told: set[tuple[str, str]] = set()
    for state in model.found:
        for edge in model.graph.out[state]:
            if edge.target is None or not _sends_back(model, edge):
                continue
            exit_name = edge.move.exit or ""
            place = (model.name(state), exit_name)
            if place not in told and (asked := _asked(model, edge.target)) is not None:
                told.add(place)
                text = f"a caller whom the service cannot take meets {model.name(asked)} instead of a person"
                yield Defect(("nodes", place[0], "exits", exit_name), "menu_after_service", text)


def _sends_back(model: Model, edge: Edge) -> bool:
    if edge.move.exit is None or edge.move.cause is not Cause.WORLD:
        return False
    raised = edge.move.door == RAISE_ONLY and edge.move.exit == RAISED
    return raised or bool(model.endings(edge.source) - {Ending.HUNG_UP, Ending.FALL_BACK})


def _asked(model: Model, first: int) -> int | None:
    """The first place on the way to somebody who may take the caller where they are asked or told something."""
    ahead, seen = [first], set[int]()
    while ahead:
        state = ahead.pop()
        if state in seen or model.endings(state):
            continue
        if model.listens(state):
            return state
        seen.add(state)
        ahead += [edge.target for edge in model.graph.out[state] if edge.target is not None]
    return None
