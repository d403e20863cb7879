"""Call back: offer to ring the caller back. They keep their place, and may stay on the line all the same."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from ivr.actions import own_number
from ivr.actions.elsewhere import unless_raised
from ivr.actions.move import Cause, Label, Move
from ivr.actions.node import PERSON, PERSON_KEY, Node, Step, key_0
from ivr.model import (
    DEFAULT_SERVICE,
    LONGEST_PROMPT_S,
    LOOKUP_S,
    Answered,
    Band,
    CallBackAsked,
    Chose,
    Gather,
    GatherWait,
    Heard,
    InputKind,
    Play,
)

if TYPE_CHECKING:
    from ivr.run import Run

ACCEPT_KEY = "1"
NOT_POSSIBLE, PROMISED = "call_back_not_possible", "call_back_promised"


class CallBack(Node):
    """``prompts`` ask; key 1 accepts, then key 1 confirms the number. Everybody goes on by ``next``, to the queue.

    Callers in a raised band hear nothing and leave by ``raised``, to a person: they are not to hang up.
    """

    action: Literal["call_back"]
    prompts: tuple[str, ...] = Field(min_length=1)
    service: str = DEFAULT_SERVICE
    timeout_s: float = Field(default=4.0, ge=2.0, le=15.0, strict=True)

    SUPPLIED = frozenset({"next", "raised"})

    def exit_names(self) -> frozenset[str]:
        return self.SUPPLIED

    def promises(self) -> frozenset[str]:
        return frozenset({"call_back"})

    def prompt_keys(self) -> tuple[str, ...]:
        return (*self.prompts, *own_number.PROMPTS, NOT_POSSIBLE, PROMISED)

    def moves(self) -> tuple[Move, ...]:
        return unless_raised("raised", self._moves())

    def _moves(self) -> tuple[Move, ...]:
        heard, patience_s = self.prompts, self.timeout_s
        asked, seconds = (*heard, *own_number.HEARD), patience_s + LOOKUP_S + own_number.PATIENCE_S
        own = Label.CALLER
        return (
            key_0(*heard, seconds=patience_s),
            Move("silence", "next", Cause.SILENCE, heard, patience_s, label=own),
            Move("another key", "next", Cause.NO_MATCH, heard, patience_s, label=own),
            Move("nobody can be called back there", "next", Cause.KEY, (*heard, NOT_POSSIBLE), seconds, label=own),
            Move("the number is confirmed", "next", Cause.KEY, (*asked, PROMISED), seconds, label=own),
            Move("the number is not confirmed", "next", Cause.SILENCE, asked, seconds, given=True, label=own),
        )

    def enter(self, run: Run) -> Step:
        if run.band is not Band.NORMAL:
            return "raised"
        run.do(Play(self.prompts), Gather(1, False, self.timeout_s))
        return GatherWait(run.node, LONGEST_PROMPT_S + self.timeout_s)

    def resume(self, run: Run, heard: Heard | Answered) -> Step | None:
        if isinstance(heard, Answered):
            if heard.outcome in ("mobile", "other") and heard.digits:
                return own_number.confirm(run, heard)
            run.do(Play((NOT_POSSIBLE,)))
            return "next"
        match heard.kind:
            case InputKind.DIGIT if heard.value == PERSON_KEY:
                run.tell(Chose(run.node, PERSON, "key"))
                return PERSON
            case InputKind.DIGIT if heard.value == ACCEPT_KEY:
                return self._accepted(run)
            case InputKind.DIGIT | InputKind.SILENCE | InputKind.TIMER:
                return "next"
            case _:
                return None

    def _accepted(self, run: Run) -> Step:
        if not (isinstance(run.wait, GatherWait) and run.wait.stage == own_number.STAGE):
            run.tell(Chose(run.node, "accepted", "key"))
            return own_number.look_up(run)
        run.tell(CallBackAsked(run.node, self.service))
        run.do(Play((PROMISED,)))
        return "next"
