"""Disclose: the only door through which a caller may hear that a plan exists, once it was checked far enough."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from ivr.actions.move import Move, disclosing
from ivr.actions.node import Node, Step
from ivr.errors import Defect
from ivr.facts import Fact
from ivr.model import Disclosed, FactValue, Play

if TYPE_CHECKING:
    from ivr.run import Run

LEVELS = {"asserted": ("asserted", "confirmed"), "confirmed": ("confirmed",)}
"""The levels of the fact that reach a required one."""


class Disclose(Node):
    """Where the fact ``fact`` has reached ``level``: say ``prompts`` and leave by ``next``; else ``below``, wordless.

    The words are neutral. ``targets`` are the services to which it leads; ``reason`` and ``clinical_owner`` are
    printed with every check.
    """

    action: Literal["disclose"]
    fact: str = "plan"
    level: Literal["asserted", "confirmed"]
    prompts: tuple[str, ...] = Field(min_length=1)
    targets: tuple[str, ...] = Field(min_length=1)
    reason: str = Field(min_length=10)
    clinical_owner: str

    SUPPLIED = frozenset({"below"})

    def exit_names(self) -> frozenset[str]:
        return frozenset({"next", "below"})

    def prompt_keys(self) -> tuple[str, ...]:
        return self.prompts

    def defects(self, facts: Mapping[str, Fact]) -> Iterator[Defect]:
        if self.fact not in facts or not set(LEVELS["asserted"]) <= set(facts[self.fact].values):
            text = f"{self.fact} must be a declared fact with the levels asserted and confirmed"
            yield Defect(("fact",), "undeclared_fact", text)

    def moves(self) -> tuple[Move, ...]:
        reads, door = frozenset({self.fact}), disclosing(self.reason)
        reached = Move(
            f"{self.fact} is {self.level}", "next", heard=self.prompts, when=self._is_reached, reads=reads, door=door
        )
        below = Move(f"{self.fact} is not {self.level}", "below", when=self._is_below, reads=reads)
        return (reached, below)

    def enters_by(self, facts: Mapping[str, FactValue]) -> str:
        """The exit for these facts."""
        return "next" if self._is_reached(facts) else "below"

    def enter(self, run: Run) -> Step:
        if self._is_below(run.facts):
            return "below"
        run.tell(Disclosed(run.node, str(run.facts[self.fact])))
        run.do(Play(self.prompts))
        return "next"

    def _is_reached(self, facts: Mapping[str, FactValue]) -> bool:
        return facts.get(self.fact) in LEVELS[self.level]

    def _is_below(self, facts: Mapping[str, FactValue]) -> bool:
        return not self._is_reached(facts)
