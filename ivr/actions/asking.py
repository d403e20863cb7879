"""Asking: what every question shares. A prompt that a key stops, keys or words, silence, and how often we ask again."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import chain
from typing import TYPE_CHECKING, ClassVar

from pydantic import BaseModel, ConfigDict, Field, model_validator

from ivr.actions.move import Cause, Label, Move
from ivr.actions.node import PERSON, PERSON_KEY, Node, Step, key_0
from ivr.model import (
    LONGEST_PROMPT_S,
    LOOKUP_S,
    Answered,
    Chose,
    Flagged,
    Gather,
    GatherWait,
    Heard,
    InputKind,
    LookupWait,
    Missed,
    Play,
)
from ivr.run import SHORT_MENUS

if TYPE_CHECKING:
    from ivr.run import Run

# looked up once: see ivr/engine.py
_DIGIT, _SPEECH_FINAL = InputKind.DIGIT, InputKind.SPEECH_FINAL
_SILENCE, _TIMER = InputKind.SILENCE, InputKind.TIMER

MOST_HELP = 2  # times that help is given in a call; beyond, asking for it is not understood


class Retry(BaseModel):
    """How often to ask again, and what to say before the question then (the last one repeats)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    limit: int = Field(default=1, ge=0, le=3, strict=True)
    prompts: tuple[str, ...] = ()

    def spoken(self, count: int) -> tuple[str, ...]:
        """What is said before the question is asked again for the ``count``-th time."""
        return (self.prompts[min(count, len(self.prompts)) - 1],) if self.prompts else ()


class Asking(Node):
    """Base of the questions.

    ``no_input`` and ``no_match`` count over the whole call and are never reset. A caller who stays silent, or is not
    understood, more often than the limit leaves by the exit of that name: to a person. ``help_key`` plays
    ``help_prompts`` and asks again. ``short_prompts`` take the place of ``prompts`` for a caller who needs shorter
    menus (the fact ``short_menus``).
    """

    prompts: tuple[str, ...] = Field(min_length=1)
    short_prompts: tuple[str, ...] = ()
    timeout_s: float = Field(default=5.0, ge=2.0, le=15.0, strict=True)
    no_input: Retry = Retry(limit=0)
    no_match: Retry = Retry(limit=2)
    help_key: str | None = Field(default=None, pattern=r"^[1-9*#]$")
    help_prompts: tuple[str, ...] = ()

    SUPPLIED: ClassVar[frozenset[str]] = frozenset({"no_input", "no_match"})

    @model_validator(mode="after")
    def _help_is_complete(self) -> Asking:
        if bool(self.help_key) != bool(self.help_prompts):
            raise ValueError("help_key and help_prompts go together")
        return self

    def exit_names(self) -> frozenset[str]:
        return frozenset({"next"}) | self.SUPPLIED

    def prompt_keys(self) -> tuple[str, ...]:
        more = (*self.short_prompts, *self.no_input.prompts, *self.no_match.prompts, *self.help_prompts)
        return (*self.prompts, *more)

    # ------------------------------------------------------------------ for the engine

    def gather(self, run: Run) -> Gather:
        """What the network shall take: one key, and words where there is a vocabulary in the caller's language."""
        vocabulary = self.vocabulary()
        words = tuple(chain.from_iterable(vocabulary.values())) if vocabulary and run.hears_words else ()
        return Gather(1, bool(words), self.timeout_s, words)

    def enter(self, run: Run) -> Step:
        return self.ask(run)

    def ask(self, run: Run, before: Iterable[str] = ()) -> Step:
        """Put the question, after the prompts ``before``."""
        short = self.short_prompts if run.facts.get(SHORT_MENUS) is True else ()
        return self.wait_for(run, Play((*before, *(short or self.prompts))), self.gather(run))

    def wait_for(self, run: Run, play: Play, gather: Gather, stage: str = "", holding: str = "") -> Step:
        """Play, gather, and wait."""
        run.do(play, gather)
        typing_s = gather.between_s * (gather.digits - 1)
        return GatherWait(run.node, LONGEST_PROMPT_S + gather.timeout_s + typing_s, stage, holding)

    def resume(self, run: Run, heard: Heard | Answered) -> Step | None:
        if isinstance(heard, Answered):
            return self.flagged(run, heard) or self.understood(run, heard)
        kind = heard.kind
        if kind is _DIGIT:
            return self._key(run, heard.value)
        if kind is _SPEECH_FINAL:
            return LookupWait(run.node, "understand", heard.value)
        if kind is _TIMER and isinstance(run.wait, LookupWait):
            return self.missed(run, "no_match")  # they did say something
        return self.missed(run, "no_input") if kind is _SILENCE or kind is _TIMER else None

    def _key(self, run: Run, key: str) -> Step:
        if key == PERSON_KEY:
            run.tell(Chose(run.node, PERSON, "key"))
            return PERSON
        return self._help(run) if key == self.help_key else self.pressed(run, key)

    def pressed(self, run: Run, keys: str) -> Step:
        """Keys were pressed that are neither 0 nor for help."""
        del keys
        return self.missed(run, "no_match")

    def understood(self, run: Run, answer: Answered) -> Step:
        """Words were said that are no red flag."""
        del answer
        return self.missed(run, "no_match")

    def flagged(self, run: Run, answer: Answered) -> Step | None:
        """Leave by the engine's own exit, if the words were a red flag."""
        if not answer.red_flag:
            return None
        run.tell(Flagged(run.node, answer.red_flag, answer.words, answer.lexicon))
        run.facts["red_flag"] = answer.red_flag
        return "red_flag"

    def missed(self, run: Run, what: str) -> Step:
        """Count, and ask again or leave."""
        retry = self.no_input if what == "no_input" else self.no_match
        count = run.count(what)
        run.tell(Missed(run.node, what, count))
        return what if count > retry.limit else self.ask(run, retry.spoken(count))

    def _help(self, run: Run) -> Step:
        count = run.count("help")
        if count > MOST_HELP:
            return self.missed(run, "no_match")
        run.tell(Missed(run.node, "help", count))
        return self.ask(run, self.help_prompts)

    # ------------------------------------------------------------------ for the check

    def asked_moves(self, answers: Iterable[Move], *, words: bool, seconds: float | None = None) -> tuple[Move, ...]:
        """The moves of a question with these ``answers``: key 0, help, silence, what is not understood, red flags."""
        patience_s = self.timeout_s if seconds is None else seconds
        spoken_s = patience_s + LOOKUP_S
        made = [*answers, *self._help_moves(patience_s)]
        if words:
            made.append(Move("words of a red flag", "red_flag", Cause.WORDS, self.prompts, spoken_s))
        made += self._missing(Cause.SILENCE, "silence", "no_input", self.no_input, self.timeout_s)
        made += self._missing(Cause.NO_MATCH, "not understood", "no_match", self.no_match, spoken_s)
        return (key_0(*self.prompts, seconds=patience_s), *(replace(each, label=Label.CALLER) for each in made))

    def _help_moves(self, seconds: float) -> Iterator[Move]:
        if self.help_key:
            heard = (*self.prompts, *self.help_prompts)
            yield Move(f"key {self.help_key} for help", None, Cause.KEY, heard, seconds, limit=MOST_HELP)

    def _missing(self, cause: Cause, what: str, exit: str, retry: Retry, seconds: float) -> list[Move]:
        again = [
            Move(f"{what} ({n} of {retry.limit})", None, cause, (*self.prompts, *retry.spoken(n)), seconds, limit=1)
            for n in range(1, retry.limit + 1)
        ]
        return [*again, Move(what, exit, cause, self.prompts, seconds)]
