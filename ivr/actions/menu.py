"""Menu: prompts, then a key, words, or silence; what was not understood is counted, then a person."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from ivr.actions.move import Cause, Label, Move
from ivr.actions.node import PERSON, PERSON_KEY, Node, Step, key_0
from ivr.actions.say import LONGEST_PROMPT_S
from ivr.model import (
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

if TYPE_CHECKING:
    from ivr.run import Run


class Retry(BaseModel):
    """How often to ask again, and what to say before the menu then (the last one repeats)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    limit: int = Field(default=1, ge=0, le=3)
    prompts: tuple[str, ...] = ()

    def spoken(self, count: int) -> tuple[str, ...]:
        """What is said before the menu is asked again for the ``count``-th time."""
        return self.prompts[min(count, len(self.prompts)) - 1 :][:1]


class Menu(Node):
    """Ask. ``keys`` maps a key to a choice, ``words`` a choice to words that mean it; exits are choices.

    ``no_input`` and ``no_match`` count over the whole call and are never reset. A caller who stays silent,
    or is not understood, more often than the limit leaves by the exit of that name: to a person.
    """

    action: Literal["menu"]
    prompts: tuple[str, ...] = Field(min_length=1)
    keys: dict[str, str] = Field(min_length=1)
    words: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    timeout_s: float = Field(default=5.0, ge=2.0, le=15.0)
    no_input: Retry = Retry(limit=0)
    no_match: Retry = Retry(limit=2)

    SUPPLIED = frozenset({"no_input", "no_match"})

    @field_validator("keys")
    @classmethod
    def _keys_are_keys(cls, keys: dict[str, str]) -> dict[str, str]:
        for key in keys:
            if len(key) != 1 or key not in "123456789*#":
                raise ValueError(f"{key!r} is not a key that a menu may use (1–9, * or #; 0 is the engine's)")
        return keys

    @property
    def choices(self) -> frozenset[str]:
        """Every choice that a key or words can make."""
        return frozenset(self.keys.values()) | frozenset(self.words)

    def exit_names(self) -> frozenset[str]:
        return self.choices | self.SUPPLIED

    def prompt_keys(self) -> tuple[str, ...]:
        return (*self.prompts, *self.no_input.prompts, *self.no_match.prompts)

    def moves(self) -> tuple[Move, ...]:
        asked, words = self.prompts, self.timeout_s + LOOKUP_S
        made = [Move(f"key {key}", exit, Cause.KEY, asked, self.timeout_s) for key, exit in self.keys.items()]
        made += [Move(f"words for {exit}", exit, Cause.WORDS, asked, words) for exit in self.words]
        if self.words:
            made.append(Move("words of a red flag", "red_flag", Cause.WORDS, asked, words))
        made += self._missing(Cause.SILENCE, "silence", "no_input", self.no_input, self.timeout_s)
        made += self._missing(Cause.NO_MATCH, "not understood", "no_match", self.no_match, words)
        return (key_0(*asked, seconds=self.timeout_s), *(replace(each, label=Label.CALLER) for each in made))

    def _missing(self, cause: Cause, what: str, exit: str, retry: Retry, seconds: float) -> list[Move]:
        again = [
            Move(f"{what} ({n} of {retry.limit})", None, cause, (*self.prompts, *retry.spoken(n)), seconds, limit=1)
            for n in range(1, retry.limit + 1)
        ]
        return [*again, Move(what, exit, cause, self.prompts, seconds)]

    def vocabulary(self) -> dict[str, tuple[str, ...]]:
        return self.words

    def enter(self, run: Run) -> Step:
        return self._ask(run, self.prompts)

    def resume(self, run: Run, heard: Heard | Answered) -> Step | None:
        if isinstance(heard, Answered):
            return self._understood(run, heard)
        match heard.kind:
            case InputKind.DIGIT:
                return self._pressed(run, heard.value)
            case InputKind.SPEECH_FINAL:
                return LookupWait(run.node, "understand", heard.value)
            case InputKind.SILENCE | InputKind.TIMER:
                return self._missed(run, "no_input", self.no_input)
            case _:
                return None

    def _ask(self, run: Run, prompts: tuple[str, ...]) -> Step:
        hints = tuple(word for words in self.words.values() for word in words)
        run.do(Play(prompts), Gather(1, bool(self.words), self.timeout_s, hints))
        return GatherWait(run.node, LONGEST_PROMPT_S + self.timeout_s)

    def _pressed(self, run: Run, key: str) -> Step:
        choice = PERSON if key == PERSON_KEY else self.keys.get(key)
        if choice is None:
            return self._missed(run, "no_match", self.no_match)
        run.tell(Chose(run.node, choice, "key"))
        return choice

    def _understood(self, run: Run, answer: Answered) -> Step:
        if answer.red_flag:
            run.tell(Flagged(run.node, answer.red_flag, answer.words, answer.lexicon))
            run.facts["red_flag"] = answer.red_flag
            return "red_flag"
        if answer.choice not in self.choices:
            return self._missed(run, "no_match", self.no_match)
        run.tell(Chose(run.node, answer.choice, "speech"))
        return answer.choice

    def _missed(self, run: Run, what: str, retry: Retry) -> Step:
        count = run.count(what)
        run.tell(Missed(run.node, what, count))
        if count > retry.limit:
            return what
        return self._ask(run, (*retry.spoken(count), *self.prompts))
