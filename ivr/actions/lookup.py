"""Look-up: ask the door about the world (a plan, an earlier call, an opening hour) and keep the outcome as a fact."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Literal

from pydantic import Field, model_validator

from ivr.actions.move import Label, Move, Written
from ivr.actions.node import Node, Step
from ivr.actions.read_back import was_keyed
from ivr.errors import Defect, SessionError
from ivr.facts import Fact
from ivr.model import LOOKUP_S, Answered, Band, FactValue, Heard, LookupWait

if TYPE_CHECKING:
    from ivr.run import Run

_PLAN = ("none", "candidates", "asserted", "confirmed", "unavailable")
OUTCOMES: dict[str, tuple[str, ...]] = {
    "plan": _PLAN,
    "repeat": ("RC", "PRC", "NRC", "IIQ", "ER"),
    "birth_date": _PLAN,
    "hours": ("open", "closed", "unknown"),
    "area": (
        "north_central", "north_east", "north_west", "south_east", "south_west", "elsewhere", "unknown",
    ),
    "service_state": ("free", "busy", "down", "unknown"),
}  # fmt: skip
"""What each look-up can answer; ``unavailable``, ``ER`` and ``unknown`` also when it was late or failed."""

NO_ANSWER = {"plan": "unavailable", "birth_date": "unavailable", "repeat": "ER", "call_back": "not_possible"}
"""What stands for no answer, where that is not ``unknown``."""

PATHWAYS = ("none", "frailty", "mental_health", "multiple_sclerosis", "end_of_life", "other")
OUTPUTS: dict[str, dict[str, tuple[FactValue, ...]]] = {"birth_date": {"pathway": PATHWAYS, "stale": (False, True)}}
"""What else a look-up says, and the values of it: only of a plan that was asserted, else ``none`` and false."""

LABELS: dict[str, Label] = {"plan": Label.PLAN, "repeat": Label.PLAN, "birth_date": Label.PLAN, "area": Label.CALLER}
"""How secret each answer is; public where nothing is said."""

KEYED = "keyed"
"""The stage of a ``birth_date`` look-up whose date was keyed, read back and accepted by key; else it is empty."""

MOST_BIRTH_DATES = 2
"""Tries of a date of birth in one call (docs/safety/rules.md, 3). A third is not looked up, and changes nothing."""

REPEAT_CALLER = "repeat_caller"
"""Counted in a session for who is one, or may be: what an author's facts are called, the engine does not know."""

_OF_SERVICE, _GIVEN = frozenset({"hours", "service_state"}), frozenset({"birth_date", "area"})


class Lookup(Node):
    """Ask ``what`` and put the outcome into the fact ``into``.

    ``hours`` and ``service_state`` ask about ``service``; ``birth_date`` and ``area`` about what the caller gave in
    the fact ``given`` (``area`` may do without: then the numbers decide). ``also`` keeps more of the answer: the name
    of an output → a fact.

    An answer that raises (a crisis or end-of-life plan, a repeat caller) lifts the caller's band here, in the
    engine, so that no author can forget it (docs/safety/rules.md, 2). So does a look-up of plans without an answer:
    who may have a crisis plan, for all that anybody knows, is sent to no self-care.
    """

    action: Literal["lookup"]
    what: Literal["plan", "repeat", "birth_date", "hours", "area", "service_state"]
    into: str
    service: str | None = None
    given: str | None = None
    also: dict[str, str] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _asks_about_something(self) -> Lookup:
        if (self.what in _OF_SERVICE) != (self.service is not None):
            raise ValueError("service is for hours and service_state, and needed there")
        if (self.given is not None and self.what not in _GIVEN) or (self.what == "birth_date" and self.given is None):
            raise ValueError("given is for birth_date, which needs it, and for area")
        for output in self.also:
            if output not in OUTPUTS.get(self.what, {}):
                raise ValueError(f"the {self.what} look-up says nothing of {output}")
        return self

    def defects(self, facts: Mapping[str, Fact]) -> Iterator[Defect]:
        given = facts.get(self.given) if self.given else None
        if self.what == "birth_date" and (given is None or given.type != "date"):
            yield Defect(("given",), "undeclared_fact", f"{self.given} must be a declared fact of type date")
        elif self.given and (given is None or not given.is_opaque):
            yield Defect(("given",), "undeclared_fact", f"{self.given} must be a declared fact that the caller gives")
        for output, name in self.also.items():
            values = OUTPUTS[self.what][output]
            if name not in facts or set(facts[name].domain()) != {None, *values}:
                said = ", ".join(str(each).lower() for each in values)
                yield Defect(("also", output), "undeclared_fact", f"{name} must be a declared fact with values {said}")

    def moves(self) -> tuple[Move, ...]:
        label = LABELS.get(self.what, Label.PUBLIC)
        raising = (None, Band.RAISED) if label is Label.PLAN else (None,)
        return tuple(
            Move(f"the {self.what} look-up says {said}{' and raises' if raises else ''}", "next", seconds=LOOKUP_S,
                 writes=writes, raises=raises, label=label)
            for said, writes in self._answers()
            for raises in ((Band.RAISED,) if _is_unknown(self.what, said) else raising)
        )  # fmt: skip

    def _answers(self) -> Iterator[tuple[str, dict[str, Written]]]:
        """Every answer in words, and the facts that it sets."""
        for outcome in OUTCOMES[self.what]:
            rows: list[tuple[str, dict[str, Written]]] = [(outcome, {self.into: outcome})]
            for output, name in self.also.items():
                values = OUTPUTS[self.what][output]
                said = values if outcome in ("asserted", "confirmed") else values[:1]
                rows = [(f"{text}, {output} {each}", {**sets, name: each}) for text, sets in rows for each in said]
            yield from rows

    def enter(self, run: Run) -> Step:
        if self.what == "birth_date":
            run.counts["birth_dates"] = run.counts.get("birth_dates", 0) + 1
            if run.counts["birth_dates"] > MOST_BIRTH_DATES:
                return "next"
        given = run.facts.get(self.given) if self.given else self.service
        stage = KEYED if self.what == "birth_date" and was_keyed(run, str(self.given)) else ""
        return LookupWait(run.node, self.what, str(given or ""), stage=stage, language=run.language)

    def resume(self, run: Run, heard: Heard | Answered) -> Step | None:
        if not isinstance(heard, Answered):
            return None
        if heard.outcome not in OUTCOMES[self.what]:
            raise SessionError("unknown_outcome", run.node)
        run.facts[self.into] = str(heard.outcome)  # a member of an enumeration equals no word in a condition
        for output, name in self.also.items():
            values = OUTPUTS[self.what][output]
            said = heard.facts.get(output)
            run.facts[name] = said if said in values else values[0]
        weigh(run, self.what, heard)
        return "next"


def weigh(run: Run, what: str, heard: Answered) -> None:
    """What an answer does to the caller's place, whether the flow asked or the door did."""
    if heard.raises or _is_unknown(what, heard.outcome):
        run.raise_to(Band.RAISED)
    if what == "repeat" and heard.outcome in ("RC", "PRC"):
        run.counts[REPEAT_CALLER] = 1


def _is_unknown(what: str, outcome: str) -> bool:
    """Whether the caller may have a plan that raises, and nobody can tell."""
    return what == "plan" and outcome == "unavailable"
