"""Ask yes or no: key 1 or 2, or the words, kept as a fact."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from ivr.actions.asking import Asking
from ivr.actions.move import Cause, Move
from ivr.actions.node import Step
from ivr.errors import Defect
from ivr.facts import Fact
from ivr.model import LOOKUP_S, Answered, Chose

if TYPE_CHECKING:
    from ivr.run import Run

_KEYS = {"1": "yes", "2": "no"}
_YES = ("yes", "yeah", "yep", "i have", "i am", "correct")
_NO = ("no", "nope", "i haven't", "i have not", "i'm not")


class AskYesNo(Asking):
    """The prompt says "press 1 for yes, 2 for no". Leaves by ``yes`` or ``no``; ``into`` (a bool fact) keeps it."""

    action: Literal["ask_yes_no"]
    into: str | None = None
    words: dict[Literal["yes", "no"], tuple[str, ...]] = Field(default={"yes": _YES, "no": _NO})

    def exit_names(self) -> frozenset[str]:
        return frozenset({"yes", "no"}) | self.SUPPLIED

    def vocabulary(self) -> dict[str, tuple[str, ...]]:
        return {name: words for name, words in self.words.items() if words}

    def defects(self, facts: Mapping[str, Fact]) -> Iterator[Defect]:
        if self.into and (self.into not in facts or facts[self.into].type != "bool"):
            yield Defect(("into",), "undeclared_fact", f"{self.into} must be a declared fact of type bool")

    def moves(self) -> tuple[Move, ...]:
        made: list[Move] = []
        for key, answer in _KEYS.items():
            writes = {self.into: answer == "yes"} if self.into else {}
            asked = Move(f"key {key}", answer, Cause.KEY, self.prompts, self.timeout_s, writes=writes, chooses=True)
            made.append(asked)
            if answer in self.vocabulary():
                said_s = self.timeout_s + LOOKUP_S
                made.append(Move(f"words for {answer}", answer, Cause.WORDS, self.prompts, said_s, writes=writes))
        return self.asked_moves(made, words=bool(self.vocabulary()))

    def pressed(self, run: Run, keys: str) -> Step:
        return self._answered(run, _KEYS.get(keys), "key")

    def understood(self, run: Run, answer: Answered) -> Step:
        return self._answered(run, answer.choice, "speech")

    def _answered(self, run: Run, answer: str | None, by: str) -> Step:
        if answer not in ("yes", "no"):
            return self.missed(run, "no_match")
        run.tell(Chose(run.node, answer, by))
        if self.into:
            run.facts[self.into] = answer == "yes"
        return answer
