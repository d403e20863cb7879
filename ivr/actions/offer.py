"""Offer: tell the caller of another service, of self-care, or of a text with a link, and ask whether they want it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal

from pydantic import Field, model_validator

from ivr.actions import own_number
from ivr.actions.elsewhere import Elsewhere, unless_raised
from ivr.actions.move import Cause, Label, Move
from ivr.actions.node import PERSON, PERSON_KEY, Node, Step, key_0
from ivr.model import (
    LONGEST_PROMPT_S,
    LOOKUP_S,
    Answered,
    Band,
    Chose,
    Flagged,
    Gather,
    GatherWait,
    Heard,
    InputKind,
    LookupWait,
    Message,
    Play,
    PlaybackWait,
    TextAsked,
)

if TYPE_CHECKING:
    from ivr.run import Run

ACCEPT_KEY = "1"
NOT_POSSIBLE, SENT = "text_not_possible", "text_sent"
TEXTS = "texts"
"""Texts of the whole call, whichever offer sent them: one at most (docs/safety/rules.md, 2)."""


class Offer(Node, Elsewhere):
    """A message heard to ``marker``, then ``ask``: key 1 (or ``words``) accepts, all else and silence decline.

    - ``service``: who accepts leaves by ``accepted``, to the service; others by ``declined``, to 111.
    - ``self_care``: without ``ask`` everybody leaves by ``declined`` when it was heard. It is never an end.
    - ``text``: who accepts confirms their mobile number by key; then ``text`` is sent, once in a call, and they leave
      by ``accepted``. On a line that takes no text they hear so and leave by ``declined``.

    Callers in a raised band hear nothing and leave by ``raised``, to a person. So does key 0 at any time.
    """

    action: Literal["offer"]
    kind: Literal["service", "self_care", "text"]
    marker: str = Field(pattern=r"^[a-z][a-z0-9_]{0,47}$")
    prompts: tuple[str, ...] = Field(min_length=1)
    ask: tuple[str, ...] = ()
    words: tuple[str, ...] = ()
    text: str | None = None
    timeout_s: float = Field(default=5.0, ge=2.0, le=15.0, strict=True)

    SUPPLIED = frozenset({"declined", "raised"})

    @model_validator(mode="after")
    def _is_whole(self) -> Offer:
        if not self.ask and self.kind != "self_care":
            raise ValueError(f"an offer of a {self.kind} asks whether the caller wants it")
        if (self.kind == "text") != (self.text is not None):
            raise ValueError("text names what is sent, for an offer of a text only")
        return self

    def exit_names(self) -> frozenset[str]:
        return self.SUPPLIED | {"accepted"} if self.ask else self.SUPPLIED

    def prompt_keys(self) -> tuple[str, ...]:
        texting = (*own_number.PROMPTS, NOT_POSSIBLE, SENT) if self.kind == "text" else ()
        return (self.who_should_stay, *self.prompts, self.safety_net, *self.ask, *texting)

    def promises(self) -> frozenset[str]:
        return frozenset({"text"}) if self.kind == "text" else frozenset()

    def vocabulary(self) -> dict[str, tuple[str, ...]]:
        return {"accepted": self.words} if self.words else {}

    def moves(self) -> tuple[Move, ...]:
        return unless_raised("raised", (*self._moves(),))

    def _moves(self) -> Iterator[Move]:
        told = (self.who_should_stay, *self.prompts, self.safety_net)
        yield key_0(*told)
        if not self.ask:
            yield Move("the message ends", "declined", Cause.SILENCE, told)
            return
        heard, said_s = (*told, *self.ask), self.timeout_s + LOOKUP_S
        yield Move("silence", "declined", Cause.SILENCE, heard, self.timeout_s, label=Label.CALLER)
        yield Move("another key", "declined", Cause.NO_MATCH, heard, said_s, label=Label.CALLER)
        if self.words:
            yield Move("words of a red flag", "red_flag", Cause.WORDS, heard, said_s, label=Label.CALLER)
        if self.kind == "text":
            yield from self._texting_moves(heard)
            return
        yield Move(f"key {ACCEPT_KEY}", "accepted", Cause.KEY, heard, self.timeout_s, label=Label.CALLER)
        if self.words:
            yield Move("words that accept", "accepted", Cause.WORDS, heard, said_s, label=Label.CALLER)

    def _texting_moves(self, heard: tuple[str, ...]) -> Iterator[Move]:
        understood_s = LOOKUP_S if self.words else 0.0  # who accepts in words; by key it is sooner
        asked = (*heard, *own_number.HEARD)
        seconds = self.timeout_s + understood_s + LOOKUP_S + own_number.PATIENCE_S
        yield Move("no text can be sent", "declined", Cause.KEY, (*heard, NOT_POSSIBLE), seconds, label=Label.CALLER)
        yield Move(
            "the number is confirmed", "accepted", Cause.KEY, (*asked, SENT), seconds, limit=1, label=Label.CALLER
        )
        yield Move(
            "the number is not confirmed", "declined", Cause.SILENCE, asked, seconds, given=True, label=Label.CALLER
        )

    # ------------------------------------------------------------------ for the engine

    def enter(self, run: Run) -> Step:
        if run.band is not Band.NORMAL:
            return "raised"
        return self.speak(run, (Message(self.marker, self.prompts),))

    def resume(self, run: Run, heard: Heard | Answered) -> Step | None:
        if isinstance(heard, Answered):
            return self._looked_up(run, heard)
        if isinstance(run.wait, PlaybackWait):
            step = self.heard_out(run, heard, run.wait)
            return self._ask(run) if step == "heard" else step
        match heard.kind:
            case InputKind.DIGIT if heard.value == PERSON_KEY:
                run.tell(Chose(run.node, PERSON, "key"))
                return PERSON
            case InputKind.DIGIT if heard.value == ACCEPT_KEY:
                return self._confirmed(run) if _confirms(run) else self._accepted(run, "key")
            case InputKind.SPEECH_FINAL:
                return LookupWait(run.node, "understand", heard.value)
            case InputKind.DIGIT | InputKind.SILENCE | InputKind.TIMER:
                return "declined"
            case _:
                return None

    def _ask(self, run: Run) -> Step:
        if not self.ask:
            return "declined"
        speech = bool(self.words) and run.hears_words
        run.do(Play(self.ask), Gather(1, speech, self.timeout_s, self.words if speech else ()))
        return GatherWait(run.node, LONGEST_PROMPT_S + self.timeout_s)

    def _looked_up(self, run: Run, answer: Answered) -> Step:
        if isinstance(run.wait, LookupWait) and run.wait.stage == own_number.STAGE:
            if answer.outcome == "mobile" and not run.counts.get(TEXTS):
                return own_number.confirm(run, answer)
            run.do(Play((NOT_POSSIBLE,)))
            return "declined"
        if answer.red_flag:
            run.tell(Flagged(run.node, answer.red_flag, answer.words, answer.lexicon))
            run.facts["red_flag"] = answer.red_flag
            return "red_flag"
        return self._accepted(run, "speech") if answer.choice == "accepted" else "declined"

    def _accepted(self, run: Run, by: str) -> Step:
        run.tell(Chose(run.node, "accepted", by))
        return own_number.look_up(run) if self.kind == "text" else "accepted"

    def _confirmed(self, run: Run) -> Step:
        run.counts[TEXTS] = run.counts.get(TEXTS, 0) + 1
        run.tell(TextAsked(run.node, str(self.text)))
        run.do(Play((SENT,)))
        return "accepted"


def _confirms(run: Run) -> bool:
    return isinstance(run.wait, GatherWait) and run.wait.stage == own_number.STAGE
