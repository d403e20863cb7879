"""Branch: leave by the exit that bears the value of a declared fact, else by ``else``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from ivr.actions.node import Node, Step

if TYPE_CHECKING:
    from ivr.run import Run


class Branch(Node):
    """Look at the fact ``fact``. The check demands an exit for each of its values, or ``else``."""

    action: Literal["branch"]
    fact: str

    def exit_names(self) -> frozenset[str]:
        return frozenset(self.exits)  # which values are possible, the fact's declaration says: see check

    def enter(self, run: Run) -> Step:
        value = as_exit(run.facts.get(self.fact))
        return value if value in self.exits else "else"


def as_exit(value: object) -> str:
    """A fact's value as the name of an exit: ``true``/``false`` for booleans, text as it is."""
    return str(value).lower() if isinstance(value, bool) else str(value)
