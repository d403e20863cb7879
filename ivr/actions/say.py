"""Say: play prompts. With ``marker``, a message that tells callers where else to go."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Literal

from pydantic import Field, model_validator

from ivr.actions.move import BAND, RAISE_ONLY, Cause, Move, is_normal, is_raised
from ivr.actions.node import PERSON, PERSON_KEY, Node, Step, key_0
from ivr.model import Answered, Band, Chose, Heard, InputKind, Marked, Play, PlaybackWait, StopPlaying

if TYPE_CHECKING:
    from ivr.run import Run

LONGEST_PROMPT_S = 60.0  # a prompt still playing after this is a network that lost it


class Say(Node):
    """Play ``prompts`` and go on.

    A message with a ``marker`` may send callers elsewhere, so it names who should stay (spoken first), the
    safety net (spoken last) and its clinical owner (docs/safety/rules.md, 2). Callers in a raised band never
    hear one: they leave by ``raised``, to a person. Key 0 stops it and leads to a person, as everywhere.
    """

    action: Literal["say"]
    prompts: tuple[str, ...] = Field(min_length=1)
    barge_in: bool = True
    marker: str | None = None
    who_should_stay: str | None = None
    safety_net: str | None = None
    clinical_owner: str | None = None

    @model_validator(mode="after")
    def _message_is_complete(self) -> Say:
        if self.marker and not (self.who_should_stay and self.safety_net and self.clinical_owner):
            raise ValueError("a message with a marker needs who_should_stay, safety_net and clinical_owner")
        return self

    def exit_names(self) -> frozenset[str]:
        return frozenset({"next", "raised"}) if self.marker else frozenset({"next"})

    def prompt_keys(self) -> tuple[str, ...]:
        around = [key for key in (self.who_should_stay, self.safety_net) if key]
        return (*around[:1], *self.prompts, *around[1:])

    def moves(self) -> tuple[Move, ...]:
        heard = self.prompt_keys()
        if self.marker is None:
            return (Move("said", "next", heard=heard),)
        reads = frozenset({BAND})
        told = (Move("the message ends", "next", Cause.SILENCE, heard), key_0(*heard))
        raised = Move("the caller is raised", "raised", when=is_raised, reads=reads, door=RAISE_ONLY)
        return (raised, *(replace(each, when=is_normal, reads=reads, door=RAISE_ONLY) for each in told))

    def enter(self, run: Run) -> Step:
        if self.marker and run.band is not Band.NORMAL:
            return "raised"
        # a message that was cut short was not heard to its marker: only key 0 ends one, by leaving for a person
        run.do(Play(self.prompt_keys(), self.barge_in and self.marker is None))
        return PlaybackWait(run.node, LONGEST_PROMPT_S) if self.marker else "next"

    def resume(self, run: Run, heard: Heard | Answered) -> Step | None:
        if isinstance(heard, Answered) or self.marker is None:
            return None
        match heard.kind:
            case InputKind.PLAYBACK_FINISHED:
                run.tell(Marked(run.node, self.marker))
                return "next"
            case InputKind.DIGIT if heard.value == PERSON_KEY:
                run.tell(Chose(run.node, PERSON, "key"))
                run.do(StopPlaying())
                return PERSON
            case _:
                return None
