"""Announce: the front-end messages that are valid here and now, each heard to its marker."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Literal

from ivr.actions.elsewhere import Elsewhere, unless_raised
from ivr.actions.move import Cause, Label, Move
from ivr.actions.node import Node, Step, key_0
from ivr.errors import Defect
from ivr.facts import Fact
from ivr.model import LOOKUP_S, Answered, Band, Heard, LookupWait, PlaybackWait

if TYPE_CHECKING:
    from ivr.run import Run

MESSAGES = "m-…"
"""In a report: the words of messages, which no flow knows."""
MOST_MESSAGES = 2
LONGEST_S = 40.0
"""Two messages of twenty seconds: the most that a caller meets at one node."""


class Announce(Node, Elsewhere):
    """Ask for the messages that are valid for ``service`` and the area that the fact ``area`` names, and play them.

    Callers in a raised band hear none and leave by ``raised``, to a person, where key 0 leads at any time.
    """

    action: Literal["announce"]
    service: str = ""
    area: str | None = None

    SUPPLIED = frozenset({"raised"})

    def exit_names(self) -> frozenset[str]:
        return frozenset({"next", "raised"})

    def prompt_keys(self) -> tuple[str, ...]:
        return (self.who_should_stay, self.safety_net)

    def defects(self, facts: Mapping[str, Fact]) -> Iterator[Defect]:
        if self.area and self.area not in facts:
            yield Defect(("area",), "undeclared_fact", f"{self.area} is not declared under facts")

    def moves(self) -> tuple[Move, ...]:
        heard = (*(self.who_should_stay, MESSAGES) * MOST_MESSAGES, self.safety_net)
        return unless_raised(
            "raised",
            (
                Move("no message is valid here", "next", seconds=LOOKUP_S),
                Move("messages are heard", "next", Cause.SILENCE, heard, LOOKUP_S + LONGEST_S, label=Label.CALLER),
                key_0(*heard, seconds=LOOKUP_S),
            ),
        )

    def enter(self, run: Run) -> Step:
        if run.band is not Band.NORMAL:
            return "raised"
        area = str(run.facts.get(self.area) or "") if self.area else ""
        return LookupWait(run.node, "messages", self.service, language=run.language, area=area)

    def resume(self, run: Run, heard: Heard | Answered) -> Step | None:
        if isinstance(heard, Answered):
            return self.speak(run, heard.messages) if heard.messages else "next"
        if not isinstance(run.wait, PlaybackWait):
            return None
        step = self.heard_out(run, heard, run.wait)
        return "next" if step == "heard" else step
