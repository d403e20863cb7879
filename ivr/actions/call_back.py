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
    CallBackPromised,
    Chose,
    Gather,
    GatherWait,
    Heard,
    InputKind,
    LookupWait,
    Play,
)

if TYPE_CHECKING:
    from ivr.run import Run

ACCEPT_KEY = "1"
NOT_POSSIBLE, PROMISED = "call_back_not_possible", "call_back_promised"
LOOK_UP = "call_back"
POSSIBLE, PROMISE = "possible", "promise"
"""The two questions to the door: may this caller be promised one (it promises nothing), and the promise itself."""


class CallBack(Node):
    """``prompts`` ask; key 1 accepts, then key 1 confirms the number. Everybody goes on by ``next``, to the queue.

    The caller is promised a call only once the door says that the promise is kept in store; else they hear that it
    cannot be, and wait on. Nobody is asked who cannot be called back: they go on without a word. Callers in a raised
    band hear nothing and leave by ``raised``, to a person: they are not to hang up. So does who is owed a call already.
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
        heard, patience_s = self.prompts, LOOKUP_S + self.timeout_s
        asked, seconds = (*heard, *own_number.HEARD), patience_s + LOOKUP_S + own_number.PATIENCE_S
        own = Label.CALLER
        return (
            # what is found here raises the band, and it is the band that takes the question away: see RAISE_ONLY
            Move("a look-up raises the caller", "raised", seconds=LOOKUP_S, raises=Band.RAISED, label=own),
            Move("nobody can be called back there", "next", seconds=LOOKUP_S, label=own),
            key_0(*heard, seconds=patience_s),
            Move("silence", "next", Cause.SILENCE, heard, patience_s, label=own),
            Move("another key", "next", Cause.NO_MATCH, heard, patience_s, label=own),
            Move("the number is not known any more", "next", Cause.KEY, (*heard, NOT_POSSIBLE), seconds, label=own),
            Move("the call is promised", "next", Cause.KEY, (*asked, PROMISED), seconds + LOOKUP_S, label=own),
            Move("it cannot be promised", "next", Cause.KEY, (*asked, NOT_POSSIBLE), seconds + LOOKUP_S, label=own),
            Move("the number is not confirmed", "next", Cause.SILENCE, asked, seconds, given=True, label=own),
        )

    def enter(self, run: Run) -> Step:
        if run.band is not Band.NORMAL:
            return "raised"
        return LookupWait(run.node, LOOK_UP, stage=POSSIBLE)

    def resume(self, run: Run, heard: Heard | Answered) -> Step | None:
        if isinstance(heard, Answered):
            return self._answered(run, heard)
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

    def _answered(self, run: Run, answer: Answered) -> Step:
        stage = run.wait.stage if isinstance(run.wait, LookupWait) else ""
        if stage == POSSIBLE:
            return self._ask(run, answer)
        if stage == own_number.STAGE and answer.outcome in ("mobile", "other") and answer.digits:
            return own_number.confirm(run, answer)
        if stage == PROMISE and answer.outcome == "promised":
            run.tell(CallBackPromised(run.node, self.service))
            run.do(Play((PROMISED,)))
        else:
            run.do(Play((NOT_POSSIBLE,)))
        return "next"

    def _ask(self, run: Run, answer: Answered) -> Step:
        if answer.raises:
            run.raise_to(Band.RAISED)
            return "raised"
        if answer.outcome != "possible":
            return "next"
        run.do(Play(self.prompts), Gather(1, False, self.timeout_s))
        return GatherWait(run.node, LONGEST_PROMPT_S + self.timeout_s)

    def _accepted(self, run: Run) -> Step:
        if isinstance(run.wait, GatherWait) and run.wait.stage == own_number.STAGE:
            return LookupWait(run.node, LOOK_UP, self.service, stage=PROMISE)
        run.tell(Chose(run.node, "accepted", "key"))
        return own_number.look_up(run)
