"""Gather: take keys or words as they come, and keep them for the person who answers. Nothing is read into them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Literal

from pydantic import Field, StrictBool, model_validator

from ivr.actions.asking import Asking
from ivr.actions.move import Any, Cause, Move
from ivr.actions.node import Step
from ivr.errors import Defect
from ivr.facts import Fact
from ivr.model import BETWEEN_KEYS_S, LOOKUP_S, Answered, Chose, LookupWait
from ivr.model import Gather as GatherKeys

if TYPE_CHECKING:
    from ivr.run import Run


class Gather(Asking):
    """Keep up to ``digits`` keys (``#`` ends them) or, with ``speech``, words, in the text fact ``into``."""

    action: Literal["gather"]
    into: str
    digits: int = Field(default=0, ge=0, le=32, strict=True)
    speech: StrictBool = False

    @model_validator(mode="after")
    def _takes_something(self) -> Gather:
        if not (self.digits or self.speech):
            raise ValueError("a gather takes digits, speech, or both")
        return self

    def defects(self, facts: Mapping[str, Fact]) -> Iterator[Defect]:
        if self.into not in facts or facts[self.into].type != "text":
            yield Defect(("into",), "undeclared_fact", f"{self.into} must be a declared fact of type text")

    def moves(self) -> tuple[Move, ...]:
        typed_s, writes = self._typing_s(), {self.into: Any()}
        made = []
        if self.digits:
            made.append(Move("keys", "next", Cause.KEY, self.prompts, typed_s, writes=writes))
        if self.speech:
            said_s = self.timeout_s + LOOKUP_S
            made.append(Move("words", "next", Cause.WORDS, self.prompts, said_s, writes=writes))
        return self.asked_moves(made, words=self.speech, seconds=typed_s)

    def gather(self, run: Run) -> GatherKeys:
        speech = self.speech and run.hears_words
        return GatherKeys(max(1, self.digits), speech, self.timeout_s, finish_on="#" if self.digits > 1 else "")

    def pressed(self, run: Run, keys: str) -> Step:
        return self._keep(run, keys, "key") if self.digits else self.missed(run, "no_match")

    def understood(self, run: Run, answer: Answered) -> Step:
        del answer
        said = run.wait.about if isinstance(run.wait, LookupWait) else ""
        return self._keep(run, said, "speech") if said else self.missed(run, "no_match")

    def _keep(self, run: Run, value: str, by: str) -> Step:
        run.facts[self.into] = value
        run.tell(Chose(run.node, "given", by))
        return "next"

    def _typing_s(self) -> float:
        return self.timeout_s + BETWEEN_KEYS_S * max(0, self.digits - 1)
