"""The report of a proof: one line for a flow that passed, and all that it rests on for who wants to know."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from ivr.proof.bounds import (
    BOUNDS,
    Bounds,
    Measured,
    before_111,
    before_a_person,
    callers_of_key_0,
    callers_who_never_choose,
    silent_callers,
    to_the_end,
)
from ivr.proof.cost import Longest
from ivr.proof.graph import TooManyStates, graph_with_facts
from ivr.proof.model import Model
from ivr.proof.prove import Proof
from ivr.proof.secrecy import doors

MOST_STATES = 20_000  # for the figures of a report; above, they are worked out on nodes alone

ASSUMPTIONS = (
    (
        "prompts, time-outs, look-ups and rings end in their time, or the call's own deadline ends them",
        "tests/unit/callrouter/test_look_ups_at_the_door.py, test_sweep.py, tests/unit/ivr/test_menu.py, "
        "tests/unit/phone/test_phone_calls.py",
    ),
    (
        "the default 111 service always takes the call: where we cannot reach it, the network rings it without us",
        "tests/integration/test_dialplan.py, tests/flows/test_no_caller_is_lost.py",
    ),
    (
        "whatever fails inside a flow leads to the default 111 service at once",
        "tests/unit/ivr/test_engine_limits.py",
    ),
    (
        "actions do what their moves say",
        "tests/flows/test_check_against_player.py",
    ),
)  # fmt: skip
"""What the proof takes for granted, and the tests that show it."""


@dataclass(frozen=True)
class Report:
    """The figures of one flow. ``exact``: worked out with the facts; else on nodes alone, where no way costs more."""

    proof: Proof
    model: Model
    states: int | None
    allowed: Bounds

    @cached_property
    def bounds(self) -> tuple[Measured, ...]:
        """What callers go through at most, each kind of them."""
        kinds = (silent_callers, callers_of_key_0, callers_who_never_choose)
        return tuple(kind(self.model, self.allowed) for kind in kinds)

    @cached_property
    def before(self) -> Longest:
        """The longest time before a person."""
        return before_a_person(self.model)

    @cached_property
    def search(self) -> Longest:
        """The longest search for a team before 111."""
        return before_111(self.model)

    @cached_property
    def longest(self) -> Longest:
        """The longest path."""
        return to_the_end(self.model)

    def verdict(self) -> str:
        """One line: which flow, its longest path, and the longest time before a person."""
        flow = self.proof.flow
        return (
            f"ok, {flow.flow} {flow.version}, {len(flow.nodes)} nodes: every path ends with a person; longest path "
            f"{self._cost(self.longest)}, longest before a person {self._cost(self.before)}"
        )

    def details(self) -> Iterator[str]:
        """All that the verdict rests on, in lines."""
        moves = sum(1 for _ in self.proof.nodes.graph.edges())
        places = f"{self.states} places with facts" if self.states else f"more than {MOST_STATES} places with facts"
        yield f"model: {len(self.proof.nodes.graph.names)} nodes with the engine's own, {moves} moves, {places}"
        yield f"prompts: {self.model.lengths.source}"
        for measured in self.bounds:
            yield from self._bound(measured)
        yield f"longest before a person, {self._cost(self.before)}: {self.model.tell(self.before.way)}"
        yield f"longest search for a team before 111, {self._cost(self.search)}: {self.model.tell(self.search.way)}"
        yield f"longest path, {self._cost(self.longest)}: {self.model.tell(self.longest.way)}"
        yield "not counted: a queue's own wait, and the time that a caller takes to speak"
        for name, door in doors(self.proof.nodes):
            yield f"door: {name} ({door.kind}): {door.reason}"
        for assumption, shown in ASSUMPTIONS:
            yield f"assumed: {assumption} ({shown})"

    def _bound(self, measured: Measured) -> Iterator[str]:
        bound = measured.bound
        prompts = f" and {measured.prompts.cost:.0f} prompts (at most {bound.prompts})" if bound.prompts else ""
        seconds = f"{self._cost(measured.seconds)} (at most {bound.seconds:g} s)"
        yield f"{bound.who}: {seconds}{prompts}; bound of {bound.source}"
        if measured.seconds.way:
            yield f"  {self.model.tell(measured.seconds.way)}"

    def _cost(self, longest: Longest) -> str:
        exact = longest.exact and self.states is not None
        return f"{longest.cost:.0f} s" if exact else f"at most {longest.cost:.0f} s"


def report(proof: Proof, bounds: Bounds = BOUNDS) -> Report:
    """The figures of a flow that passed."""
    model, states = proof.nodes, None
    try:
        graph = graph_with_facts(proof.flow, MOST_STATES)
        model, states = Model(proof.flow, graph, proof.nodes.lengths), len(graph.names)
    except TooManyStates:
        pass  # the figures on nodes alone are no lower
    return Report(proof, model, states, bounds)
