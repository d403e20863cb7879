"""Cost: what a caller goes through, at most, before they are offered to a person.

Counted: prompts at the slowest language and speed, time-outs, look-up budgets, ring times. Not counted: a queue's own
wait, which no flow can bound, and the time that a caller takes to speak.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ivr.actions.move import Cause
from ivr.actions.node import PERSON
from ivr.errors import Defect
from ivr.model import LOOKUP_S
from ivr.proof.cost import Longest, longest_way
from ivr.proof.graph import Choose, Edge
from ivr.proof.model import CHOOSES_NOTHING, DOES_NOTHING, Model, meets


@dataclass(frozen=True, slots=True)
class Bound:
    """The most that callers of one kind may go through before they are offered to a person."""

    who: str
    seconds: float
    prompts: int | None
    source: str


_SOURCE = "docs/proof.md, bounds (proposed; the clinical safety officer signs them)"


@dataclass(frozen=True, slots=True)
class Bounds:
    """The bounds of a check: who does nothing, who presses 0, who never chooses (silent, or not understood)."""

    silent: Bound = Bound("a caller who does nothing", 45.0, 3, _SOURCE)
    key_0: Bound = Bound("a caller who presses 0", 3.0 + LOOKUP_S, None, _SOURCE)
    not_opted: Bound = Bound("a caller who chooses nothing", 180.0, 8, _SOURCE)


BOUNDS = Bounds()


@dataclass(frozen=True, slots=True)
class Measured:
    """What callers of one kind go through at most: seconds and prompts, each with the way that costs it."""

    bound: Bound
    seconds: Longest
    prompts: Longest


def prompts_of(edge: Edge) -> float:
    """How many prompts a move lets the caller hear."""
    return len(edge.move.heard)


def every_move(_edge: Edge) -> bool:
    """Chooses all."""
    return True


def silent_callers(model: Model, bounds: Bounds) -> Measured:
    """What a caller goes through who does nothing."""
    return _measure(model, bounds.silent, meets(DOES_NOTHING), model.graph.roots)


def callers_of_key_0(model: Model, bounds: Bounds) -> Measured:
    """What a caller goes through after they pressed 0."""
    edges = (edge for state in model.found for edge in model.graph.out[state])
    pressed = (edge for edge in edges if edge.move.exit == PERSON and edge.move.cause is Cause.KEY)
    after = sorted({edge.target for edge in pressed if edge.target is not None})
    return _measure(model, bounds.key_0, meets(CHOOSES_NOTHING), after)


def callers_who_never_choose(model: Model, bounds: Bounds) -> Measured:
    """What a caller goes through without having chosen anything: silent, or not understood."""
    return _measure(model, bounds.not_opted, meets(CHOOSES_NOTHING), model.graph.roots)


def _measure(model: Model, bound: Bound, choose: Choose, roots: list[int]) -> Measured:
    seconds = longest_way(model.graph, model.seconds, model.offering, choose, roots)
    return Measured(bound, seconds, longest_way(model.graph, prompts_of, model.offering, choose, roots))


def before_a_person(model: Model) -> Longest:
    """The longest time until a caller is offered to a person, whatever they choose."""
    return longest_way(model.graph, model.seconds, model.offering, every_move, model.graph.roots)


def before_111(model: Model) -> Longest:
    """The longest time from where a team is sought (key 0 may leave it) until 111 is, for whom nobody answers."""
    teams = {state for state in model.found if model.endings(state) and _may_be_left(model, state)}

    def unanswered(edge: Edge) -> bool:
        return edge.move.cause is Cause.WORLD and edge.target is not None

    return longest_way(model.graph, model.seconds, model.offering - teams, unanswered, sorted(teams))


def _may_be_left(model: Model, state: int) -> bool:
    return any(edge.move.exit == PERSON and edge.move.cause is Cause.KEY for edge in model.graph.out[state])


def to_the_end(model: Model) -> Longest:
    """The longest time that a call can take until it ends or a person is talked to."""
    return longest_way(model.graph, model.seconds, (), every_move, model.graph.roots)


def silent_callers_are_offered_in_time(model: Model, bounds: Bounds) -> Iterator[Defect]:
    """Who does nothing is offered to a person within the bound."""
    return _over(model, silent_callers(model, bounds), "cost_of_silence")


def key_0_is_answered_in_time(model: Model, bounds: Bounds) -> Iterator[Defect]:
    """Who presses 0 is offered to a person within the bound."""
    return _over(model, callers_of_key_0(model, bounds), "cost_of_key_0")


def nobody_is_held_unasked(model: Model, bounds: Bounds) -> Iterator[Defect]:
    """Nobody goes through more than the bound without having chosen anything."""
    return _over(model, callers_who_never_choose(model, bounds), "cost_unasked")


def _over(model: Model, measured: Measured, rule: str) -> Iterator[Defect]:
    bound = measured.bound
    for longest, most, unit in (
        (measured.seconds, bound.seconds, "s"),
        (measured.prompts, bound.prompts, "prompts"),
    ):
        if most is not None and longest.cost > most:
            at_most = "" if longest.exact else "up to "
            what = f"{bound.who} goes through {at_most}{longest.cost:.0f} {unit} before a person; at most {most:g}"
            where = ("nodes", _where(model, longest))
            yield Defect(where, rule, f"{what}: {model.tell(longest.way)}")
            return


def _where(model: Model, longest: Longest) -> str:
    """The author's last node of the way."""
    names = [model.name(edge.source) for edge in longest.way]
    return next((name for name in reversed(names) if name in model.flow.nodes), model.flow.start)
