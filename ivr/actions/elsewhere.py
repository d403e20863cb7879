"""Elsewhere: what announce and offer share. They say first who should stay, and last what to do if it gets worse."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict

from ivr.actions.move import BAND, RAISE_ONLY, Move, is_normal, is_raised
from ivr.actions.node import PERSON, PERSON_KEY, Step
from ivr.model import LONGEST_PROMPT_S, Chose, Heard, InputKind, Marked, Message, Play, PlaybackWait, StopPlaying

if TYPE_CHECKING:
    from ivr.run import Run


class Elsewhere(BaseModel):
    """The fields that docs/safety/rules.md, 2, requires: prompts for who should stay and the safety net, and an owner.

    No key but 0 stops such a message: one that was cut short was not heard to its marker.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    who_should_stay: str
    safety_net: str
    clinical_owner: str

    def around(self, message: Message, *, last: bool = True) -> tuple[str, ...]:
        """The message between who should stay and, after the last one, the safety net."""
        return (self.who_should_stay, *message.prompts, *((self.safety_net,) if last else ()))

    def speak(self, run: Run, messages: tuple[Message, ...]) -> Step:
        """Play the first of ``messages`` to its end; the others come after it."""
        run.do(Play(self.around(messages[0], last=len(messages) == 1), barge_in=False))
        return PlaybackWait(run.node, LONGEST_PROMPT_S, messages)

    def heard_out(self, run: Run, heard: Heard, wait: PlaybackWait) -> Step | None:
        """What happens while messages play: the next one, ``heard`` after the last, a person by key 0."""
        match heard.kind:
            case InputKind.PLAYBACK_FINISHED:
                run.tell(Marked(run.node, wait.messages[0].marker))
                return self.speak(run, wait.messages[1:]) if wait.messages[1:] else "heard"
            case InputKind.DIGIT if heard.value == PERSON_KEY:
                run.tell(Chose(run.node, PERSON, "key"))
                run.do(StopPlaying())
                return PERSON
            case _:
                return None


def unless_raised(exit: str, moves: tuple[Move, ...]) -> tuple[Move, ...]:
    """These moves for callers in the normal band; the others leave by ``exit`` without a word."""
    reads = frozenset({BAND})
    raised = Move("the caller is raised", exit, when=is_raised, reads=reads, door=RAISE_ONLY)
    return (raised, *(replace(each, when=is_normal, reads=each.reads | reads, door=RAISE_ONLY) for each in moves))
