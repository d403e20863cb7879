"""Survey: one question, answered by a key. It is never an end: whoever is silent goes on as well."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from ivr.actions.move import Cause, Label, Move
from ivr.actions.node import PERSON, PERSON_KEY, Node, Step, key_0
from ivr.model import LONGEST_PROMPT_S, Answered, Chose, Gather, GatherWait, Heard, InputKind, Play, Surveyed

if TYPE_CHECKING:
    from ivr.run import Run


class Survey(Node):
    """``prompts`` put ``question`` (its name in figures): a key from 1 to ``most`` answers. All leave by ``next``."""

    action: Literal["survey"]
    question: str = Field(pattern=r"^[a-z][a-z0-9_]{0,47}$")
    prompts: tuple[str, ...] = Field(min_length=1)
    most: int = Field(default=5, ge=2, le=9, strict=True)
    timeout_s: float = Field(default=5.0, ge=2.0, le=15.0, strict=True)

    SUPPLIED = frozenset({"next"})

    def prompt_keys(self) -> tuple[str, ...]:
        return self.prompts

    def moves(self) -> tuple[Move, ...]:
        heard, patience_s, own = self.prompts, self.timeout_s, Label.CALLER
        return (
            key_0(*heard, seconds=patience_s),
            Move(f"a key from 1 to {self.most}", "next", Cause.KEY, heard, patience_s, label=own),
            Move("silence", "next", Cause.SILENCE, heard, patience_s, label=own),
            Move("another key", "next", Cause.NO_MATCH, heard, patience_s, label=own),
        )

    def enter(self, run: Run) -> Step:
        run.do(Play(self.prompts), Gather(1, False, self.timeout_s))
        return GatherWait(run.node, LONGEST_PROMPT_S + self.timeout_s)

    def resume(self, run: Run, heard: Heard | Answered) -> Step | None:
        if isinstance(heard, Answered):
            return None
        match heard.kind:
            case InputKind.DIGIT if heard.value == PERSON_KEY:
                run.tell(Chose(run.node, PERSON, "key"))
                return PERSON
            case InputKind.DIGIT if heard.value in "123456789"[: self.most]:
                run.tell(Surveyed(run.node, self.question, int(heard.value)))
                return "next"
            case InputKind.DIGIT | InputKind.SILENCE | InputKind.TIMER:
                return "next"
            case _:
                return None
