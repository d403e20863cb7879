"""Branch: leave by the exit that bears the value of a declared fact, else by ``else``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Literal

from ivr.actions.move import Move
from ivr.actions.node import Node, Step
from ivr.model import FactValue

if TYPE_CHECKING:
    from ivr.run import Run


class Branch(Node):
    """Look at the fact ``fact``. The check demands an exit for each of its values, or ``else``."""

    action: Literal["branch"]
    fact: str

    def exit_names(self) -> frozenset[str]:
        return frozenset(self.exits)  # which values are possible, the fact's declaration says: see check

    def moves(self) -> tuple[Move, ...]:
        reads = frozenset({self.fact})
        return tuple(Move(f"{self.fact} is {name}", name, when=self._leads(name), reads=reads) for name in self.exits)

    def _leads(self, name: str) -> Callable[[Mapping[str, FactValue]], bool]:
        return lambda facts: self._way(facts) == name

    def enter(self, run: Run) -> Step:
        return self._way(run.facts)

    def _way(self, facts: Mapping[str, FactValue]) -> str:
        value = as_exit(facts.get(self.fact))
        return value if value in self.exits else "else"


def as_exit(value: object) -> str:
    """A fact's value as the name of an exit: ``true``/``false`` for booleans, text as it is."""
    return str(value).lower() if isinstance(value, bool) else str(value)
