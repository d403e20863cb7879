"""Branch: leave by the first condition that holds, or by the value of one fact; else by ``else``."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import product
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from ivr.actions.move import Move
from ivr.actions.node import Node, Step
from ivr.errors import Defect
from ivr.expressions import parse
from ivr.facts import Fact
from ivr.model import FactValue

if TYPE_CHECKING:
    from ivr.run import Run


class When(BaseModel):
    """One row of a branch: leave by ``exit`` if the condition holds (the language: :mod:`ivr.expressions`)."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    condition: str = Field(alias="if")
    exit: str

    @field_validator("condition")
    @classmethod
    def _is_read(cls, condition: str) -> str:
        parse(condition)
        return condition


class Branch(Node):
    """Look at ``fact`` (an exit for each of its values), or go through ``when`` from the top. ``else`` is required."""

    action: Literal["branch"]
    fact: str | None = None
    when: tuple[When, ...] = ()

    @model_validator(mode="after")
    def _one_form(self) -> Branch:
        if bool(self.fact) == bool(self.when):
            raise ValueError("a branch has either fact or when")
        return self

    def exit_names(self) -> frozenset[str]:
        """Which values are possible, the fact's declaration says: see :meth:`defects`."""
        return frozenset(self.exits) if self.fact else frozenset({*(each.exit for each in self.when), "else"})

    def reads(self) -> frozenset[str]:
        """Every fact whose value decides."""
        if self.fact:
            return frozenset({self.fact})
        read = (parse(each.condition) for each in self.when)
        return frozenset().union(*(each.names | each.known for each in read))

    def leaves_by(self, facts: Mapping[str, FactValue]) -> str:
        """The exit for these facts."""
        if self.fact:
            value = as_exit(facts.get(self.fact))
            return value if value in self.exits else "else"
        return next((each.exit for each in self.when if parse(each.condition).holds(facts)), "else")

    def defects(self, facts: Mapping[str, Fact]) -> Iterator[Defect]:
        for number, each in enumerate(self.when):
            for fault in parse(each.condition).faults(facts):
                rule = "undeclared_fact" if "not declared" in fault else "wrong_value"
                yield Defect(("when", str(number), "if"), rule, fault)
        if self.fact and self.fact not in facts:
            yield Defect(("fact",), "undeclared_fact", f"{self.fact} is not declared under facts")
            return
        if self.fact and facts[self.fact].is_opaque:
            text = f"{self.fact} is a {facts[self.fact].type}: only known({self.fact}) can be asked"
            yield Defect(("fact",), "wrong_value", text)
            return
        for name in self.exits if self.fact else ():
            if name not in (*facts[str(self.fact)].every_value(), "else"):
                yield Defect(("exits", name), "wrong_value", f"{self.fact} is never {name}")
        if "else" not in self.exits:
            # without else a fact that was never set, or a value forgotten, would have nowhere to go
            yield Defect(("exits",), "missing_exit", "a branch needs an exit for else")

    def moves(self) -> tuple[Move, ...]:
        reads, names = self.reads(), sorted(self.exit_names())
        return tuple(
            Move(f"the branch leads to {name}", name, when=self._may_lead(name), reads=reads) for name in names
        )

    def _may_lead(self, name: str) -> Callable[[Mapping[str, FactValue]], bool]:
        asked = sorted(frozenset().union(*(parse(each.condition).known for each in self.when)))

        def may(facts: Mapping[str, FactValue]) -> bool:
            """Whether an opaque fact is known, the check cannot tell: then both are tried."""
            free = [each for each in asked if each not in facts]
            tried = product((None, "known"), repeat=len(free))
            return any(self.leaves_by({**facts, **dict(zip(free, each, strict=True))}) == name for each in tried)

        return may

    def enter(self, run: Run) -> Step:
        return self.leaves_by(run.facts)


def as_exit(value: object) -> str:
    """A fact's value as the name of an exit: ``true``/``false`` for booleans, text as it is."""
    return str(value).lower() if isinstance(value, bool) else str(value)
