"""The proof of one flow: every rule on nodes alone, and what fails there once more with the facts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

from ivr.errors import Defect
from ivr.flow import Flow
from ivr.proof import bounds as cost
from ivr.proof import ends, reach, secrecy
from ivr.proof.graph import MOST_STATES, TooManyStates, graph_of_nodes, graph_with_facts
from ivr.proof.lengths import Lengths
from ivr.proof.model import Model, Rule

ON_NODES: tuple[Rule, ...] = (
    reach.every_node_is_reached,
    reach.every_wait_has_a_way_out,
    secrecy.nothing_heard_depends_on_a_plan,
)
STRUCTURE: tuple[Rule, ...] = (
    ends.hangs_up_on_choice,
    ends.who_does_nothing_comes_to_a_person,
    ends.who_is_sent_back_comes_to_a_person,
)
COST = (cost.silent_callers_are_offered_in_time, cost.key_0_is_answered_in_time, cost.nobody_is_held_unasked)


@dataclass(frozen=True)
class Proof:
    """What was found. ``model``: the graph on which the costs are worked out; None where calls may never end."""

    flow: Flow
    defects: tuple[Defect, ...]
    nodes: Model
    model: Model | None
    states: int | None


def prove(flow: Flow, lengths: Lengths | None, bounds: cost.Bounds = cost.BOUNDS, most: int = MOST_STATES) -> Proof:
    """Try every rule. ``lengths`` None: prompts are not known, costs are not looked at.

    The flow must be sound in itself: every exit leads to a node, every fact that is looked at is declared.
    """
    return _Prover(flow, lengths, bounds, most).prove()


class _Prover:
    def __init__(self, flow: Flow, lengths: Lengths | None, bounds: cost.Bounds, most: int) -> None:
        self._flow, self._most = flow, most
        costs: tuple[Rule, ...] = tuple(partial(rule, bounds=bounds) for rule in COST)
        self._costs = costs if lengths else ()
        self._nodes = Model(flow, graph_of_nodes(flow), lengths or Lengths())
        self._facts: Model | None = None

    def prove(self) -> Proof:
        defects = [defect for rule in ON_NODES for defect in rule(self._nodes)]
        endless = any(ends.terminates(self._nodes))
        try:
            for rule in (ends.terminates, *STRUCTURE):
                defects += self._try(rule)
            # a way round that no caller can take: costs are those of the graph without it
            model = self._with_facts() if endless else self._nodes
            if any(defect.rule == "loop" for defect in defects):
                return self._proof(defects, None)
            for rule in self._costs:
                defects += rule(model) if endless else self._try(rule)
        except TooManyStates:
            text = f"more than {self._most} combinations of places and facts: {self._failing()} cannot be refuted"
            return self._proof([*defects, Defect((), "size", text)], None)
        return self._proof(defects, model)

    def _try(self, rule: Rule) -> Iterator[Defect]:
        """What breaks the rule on nodes, and with the facts as well."""
        if any(rule(self._nodes)):
            yield from rule(self._with_facts())

    def _failing(self) -> str:
        rules = (ends.terminates, *STRUCTURE, *self._costs)
        return str(next(defect for rule in rules for defect in rule(self._nodes)))

    def _with_facts(self) -> Model:
        if self._facts is None:
            graph = graph_with_facts(self._flow, self._most)
            self._facts = Model(self._flow, graph, self._nodes.lengths)
        return self._facts

    def _proof(self, defects: list[Defect], model: Model | None) -> Proof:
        states = len(self._facts.graph.names) if self._facts else None
        return Proof(self._flow, tuple(defects), self._nodes, model, states)
