"""Declared facts: what a flow may remember of a call. Finite ones may be branched on, opaque ones only be known."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, StrictInt, model_validator

from ivr.model import FactValue

WIDEST_INT = 100  # values of one whole number: more is a quantity, and no path of care forks that often
OPAQUE = frozenset({"text", "number", "date"})


class Fact(BaseModel):
    """``values`` (an enum), ``type: bool``, ``type: int`` from ``min`` to ``max``; or opaque: text, number, date.

    An opaque fact holds what a caller gave. Nothing may depend on what it says, only on whether it is known.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    values: tuple[str, ...] = ()
    type: Literal["enum", "bool", "int", "text", "number", "date"] = "enum"
    min: StrictInt = 0
    max: StrictInt = 0
    initial: FactValue = None

    @model_validator(mode="after")
    def _fits_its_type(self) -> Fact:
        if (self.type == "enum") != bool(self.values):
            raise ValueError("an enum has values, every other type has none")
        if self.type == "int" and not 0 < self.max - self.min < WIDEST_INT:
            raise ValueError(f"an int has min below max, and at most {WIDEST_INT} values")
        if self.is_opaque and self.initial is not None:
            raise ValueError(f"a {self.type} is not known at first")
        return self

    @property
    def is_opaque(self) -> bool:
        """Whether it holds what a caller gave, of which only "known" can be asked."""
        return self.type in OPAQUE

    def allows(self, value: FactValue) -> bool:
        """Whether the fact may take this value (None: not known yet)."""
        if value is None:
            return True
        match self.type:
            case "bool":
                return isinstance(value, bool)
            case "int":
                return isinstance(value, int) and not isinstance(value, bool) and self.min <= value <= self.max
            case "enum":
                return value in self.values
            case _:
                return isinstance(value, str)

    def every_value(self) -> tuple[str, ...]:
        """All values as names of exits, "not known yet" excluded; empty for an opaque fact."""
        if self.type == "int":
            return tuple(str(each) for each in range(self.min, self.max + 1))
        return ("true", "false") if self.type == "bool" else self.values

    def domain(self) -> tuple[FactValue, ...]:
        """All values that it can have, "not known yet" (None) first; only that for an opaque fact."""
        known: tuple[FactValue, ...] = self.values
        if self.type == "int":
            known = tuple(range(self.min, self.max + 1))
        elif self.type == "bool":
            known = (True, False)
        return (None, *known)


Facts = dict[str, Fact]
"""Facts by name, as a flow declares them."""
