"""Read back: what a caller gives is joined from recorded pieces, and counts when they accept it by key."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

from pydantic import StrictBool

from ivr.actions.asking import Asking, Retry
from ivr.actions.move import Any, Cause, Move
from ivr.actions.node import Step
from ivr.errors import Defect
from ivr.facts import Fact
from ivr.model import (
    BETWEEN_KEYS_S,
    LOOKUP_S,
    Answered,
    Chose,
    Gather,
    GatherWait,
    Heard,
    InputKind,
    LookupWait,
    Missed,
    Play,
)

if TYPE_CHECKING:
    from ivr.run import Run

READ_BACK, SAID_BACK = "read_back", "said_back"
"""What was keyed is read back, or what was said."""
BEFORE, AFTER = "you_gave", "accept_or_again"
"""Prompts around what is read back: "you gave …", "if that is right, press 1; to give it again, press 2"."""
MOST_TRIES = 2
"""Times that a caller may give it; then the exit ``no_match``, to a person."""


def was_keyed(run: Run, fact: str) -> bool:
    """Whether what ``fact`` holds was keyed, read back and accepted by key; false for what was said, or never read."""
    return run.counts.get(f"{fact}.keyed", 0) == 1


class ReadBack(Asking):
    """Base of the questions whose answer is read back: ``into`` is an opaque fact, set only when key 1 accepts it."""

    into: str
    speech: StrictBool = True
    no_match: Retry = Retry(limit=1)

    TYPE: ClassVar[str] = "text"
    MOST_KEYS: ClassVar[int] = 1
    LONGEST_PIECES: ClassVar[tuple[str, ...]] = ()

    @abstractmethod
    def keyed(self, keys: str) -> str | None:
        """What these keys give; None if nothing."""

    @abstractmethod
    def said(self, words: str) -> str | None:
        """What these words give; None if nothing, or in doubt."""

    @abstractmethod
    def pieces(self, value: str) -> tuple[str, ...]:
        """The recorded pieces that say ``value``."""

    @abstractmethod
    def every_piece(self) -> tuple[str, ...]:
        """Every piece that a read-back may need."""

    @property
    def most_keys(self) -> int:
        """Keys of the longest answer."""
        return self.MOST_KEYS

    def prompt_keys(self) -> tuple[str, ...]:
        return (*super().prompt_keys(), BEFORE, *self.every_piece(), AFTER)

    def defects(self, facts: Mapping[str, Fact]) -> Iterator[Defect]:
        if self.into not in facts or facts[self.into].type != self.TYPE:
            yield Defect(("into",), "undeclared_fact", f"{self.into} must be a declared fact of type {self.TYPE}")

    def moves(self) -> tuple[Move, ...]:
        heard, given_s = self._heard_back, self._given_s
        seconds = given_s + self.timeout_s
        accepted = Move("accepted by key 1", "next", Cause.KEY, heard, seconds, writes={self.into: Any()})
        again = Move("key 2, to give it again", None, Cause.KEY, heard, seconds, limit=MOST_TRIES - 1)
        last = Move("key 2 once more", "no_match", Cause.KEY, heard, seconds)
        answered = self.asked_moves((accepted, again, last), words=self.speech, seconds=given_s)
        return (*answered, *self._missed_after(heard, seconds))

    @property
    def _heard_back(self) -> tuple[str, ...]:
        """All that a caller hears until they accept."""
        return (*self.prompts, BEFORE, *self.LONGEST_PIECES, AFTER)

    @property
    def _given_s(self) -> float:
        """The longest time to give an answer."""
        typed_s = self.timeout_s + BETWEEN_KEYS_S * max(0, self.most_keys - 1)
        return max(typed_s, self.timeout_s + LOOKUP_S)

    def _help_moves(self, seconds: float) -> Iterator[Move]:
        """Help may be asked for at the latest when it was read back; then all begins again."""
        for move in super()._help_moves(seconds):
            yield replace(move, heard=(*self._heard_back, *self.help_prompts), seconds=self._given_s + self.timeout_s)

    def _missed_after(self, heard: tuple[str, ...], seconds: float) -> Iterator[Move]:
        """Silence and other keys while it is read back."""
        for cause, what, exit in ((Cause.SILENCE, "silence", "no_input"), (Cause.NO_MATCH, "another key", "no_match")):
            retry = self.no_input if exit == "no_input" else self.no_match
            move = Move(f"{what} after the read-back", None, cause, (*heard, *retry.spoken(1)), seconds, given=True)
            if retry.limit:
                yield replace(move, limit=retry.limit)
            yield replace(move, exit=exit)

    # ------------------------------------------------------------------ for the engine

    def gather(self, run: Run) -> Gather:
        finish = "#" if self.most_keys > 1 else ""
        return Gather(self.most_keys, self.speech and run.hears_words, self.timeout_s, finish_on=finish)

    def resume(self, run: Run, heard: Heard | Answered) -> Step | None:
        if isinstance(run.wait, GatherWait) and run.wait.stage in (READ_BACK, SAID_BACK) and isinstance(heard, Heard):
            return self._accepting(run, heard, run.wait.holding, run.wait.stage)
        return super().resume(run, heard)

    def pressed(self, run: Run, keys: str) -> Step:
        return self._given(run, self.keyed(keys), READ_BACK)

    def understood(self, run: Run, answer: Answered) -> Step:
        del answer
        return self._given(run, self.said(run.wait.about) if isinstance(run.wait, LookupWait) else None, SAID_BACK)

    def _given(self, run: Run, value: str | None, stage: str) -> Step:
        return self.missed(run, "no_match") if value is None else self._read_back(run, value, stage)

    def _read_back(self, run: Run, value: str, stage: str, before: tuple[str, ...] = ()) -> Step:
        play = Play((*before, BEFORE, *self.pieces(value), AFTER), personal=True)
        return self.wait_for(run, play, Gather(1, False, self.timeout_s), stage, value)

    def _accepting(self, run: Run, heard: Heard, value: str, stage: str) -> Step | None:
        match heard.kind:
            case InputKind.DIGIT if heard.value == "1":
                run.facts[self.into] = value
                run.counts[f"{self.into}.keyed"] = int(stage == READ_BACK)
                run.tell(Chose(run.node, "accepted", "key"))
                return "next"
            case InputKind.DIGIT if heard.value == "2":
                run.tell(Chose(run.node, "again", "key"))
                return self.ask(run) if run.count("again") < MOST_TRIES else "no_match"
            case InputKind.DIGIT if heard.value not in ("0", self.help_key):
                return self._not_accepted(run, "no_match", value, stage)
            case InputKind.SILENCE | InputKind.TIMER:
                return self._not_accepted(run, "no_input", value, stage)
            case _:
                return super().resume(run, heard)

    def _not_accepted(self, run: Run, what: str, value: str, stage: str) -> Step:
        retry = self.no_input if what == "no_input" else self.no_match
        count = run.count(what)
        run.tell(Missed(run.node, what, count))
        return what if count > retry.limit else self._read_back(run, value, stage, retry.spoken(count))
