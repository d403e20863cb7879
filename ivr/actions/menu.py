"""Menu: prompts, then a key, words, or silence; what was not understood is counted, then a person."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Literal

from pydantic import Field, field_validator

from ivr.actions.asking import Asking
from ivr.actions.move import Cause, Move
from ivr.actions.node import Step
from ivr.errors import Defect
from ivr.facts import Fact
from ivr.model import LOOKUP_S, Answered, Chose

if TYPE_CHECKING:
    from ivr.run import Run


class Menu(Asking):
    """Ask. ``keys`` maps a key to a choice, ``words`` a choice to words that mean it; exits are choices.

    ``intents`` says what a choice means where its name does not, so that replay finds it in another version.
    """

    action: Literal["menu"]
    keys: dict[str, str] = Field(min_length=1)
    words: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    intents: dict[str, str] = Field(default_factory=dict)

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

    def defects(self, facts: Mapping[str, Fact]) -> Iterator[Defect]:
        del facts
        for choice in sorted(self.intents.keys() - self.choices):
            yield Defect(("intents", choice), "unknown_choice", f"no key and no words make the choice {choice}")

    def vocabulary(self) -> dict[str, tuple[str, ...]]:
        return self.words

    def moves(self) -> tuple[Move, ...]:
        asked, words = self.prompts, self.timeout_s + LOOKUP_S
        made = [
            Move(f"key {key}", exit, Cause.KEY, asked, self.timeout_s, chooses=True) for key, exit in self.keys.items()
        ]
        made += [Move(f"words for {exit}", exit, Cause.WORDS, asked, words) for exit in self.words]
        return self.asked_moves(made, words=bool(self.words))

    def pressed(self, run: Run, keys: str) -> Step:
        choice = self.keys.get(keys)
        if choice is None:
            return self.missed(run, "no_match")
        run.tell(Chose(run.node, choice, "key"))
        return choice

    def understood(self, run: Run, answer: Answered) -> Step:
        if answer.choice not in self.choices:
            return self.missed(run, "no_match")
        run.tell(Chose(run.node, str(answer.choice), "speech"))
        return str(answer.choice)
